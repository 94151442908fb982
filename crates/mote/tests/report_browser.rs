//! Opens reports in a real browser: scripts run without error, plots answer, nothing is cut off.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use mote::report::*;

#[path = "../src/report/example.rs"]
mod example;

/// Names under which the browser may be installed.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// A page is done in seconds; a loop without end must fail the test and not hold it up.
const PATIENCE: Duration = Duration::from_secs(120);

/// What happens in the page before it is looked at: a pointer rests on the highest score, then the
/// plot is zoomed with the keyboard. What is seen goes into attributes.
const PROBE: &str = r#"<script>
var root = document.documentElement, box = document.querySelector(".timeline");
var plot = Array.from(box.querySelectorAll("svg.wide, svg.narrow")).find(function (p) { return p.clientWidth > 0; });
var area = plot.getBoundingClientRect();
var line = plot.querySelector(".score"), still = line.getAttribute("d");
var shape = plot.dataset.plot.split(",").map(Number), scale = area.width / plot.viewBox.baseVal.width;
var span = box.dataset.span.split(",").map(Number);
var share = (Number(root.dataset.look) - span[0]) / (span[1] - span[0]);
plot.dispatchEvent(new PointerEvent("pointermove", {
  clientX: area.left + scale * (shape[0] + share * (shape[1] - shape[0])), clientY: area.top + 60
}));
var output = document.querySelector(".tools output"), button = document.querySelector(".tools button");
root.dataset.read = output.textContent;
["+", "+", "+"].forEach(function (key) { box.dispatchEvent(new KeyboardEvent("keydown", { key: key })); });
root.dataset.zoomed = [line.getAttribute("d") !== still, !button.hidden, plot.querySelectorAll(".ticks text").length > 2];
button.click();
root.dataset.reset = [line.getAttribute("d") === still, button.hidden];
root.dataset.bad = /NaN|Infinity|undefined/.test(document.body.innerHTML.replace(/data-places="[^"]*"|<script[^]*/g, ""));
parent.postMessage([root.scrollWidth, root.clientWidth], "*");
</script>"#;

fn browser() -> &'static str {
    let works = |name: &&str| {
        Command::new(name).arg("--version").output().is_ok_and(|out| out.status.success())
    };
    let found = BROWSERS.into_iter().find(works);
    found.unwrap_or_else(|| {
        panic!("wanted one of {BROWSERS:?} on the path; on Debian: apt-get install chromium")
    })
}

/// A folder of one test, so that tests can run side by side.
fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report_browser").join(test);
    fs::create_dir_all(&folder).expect("the target folder can be written");
    folder
}

/// Starts the browser on a page and gives back what it prints.
fn open(folder: &Path, page: &Path, options: &[String]) -> String {
    let profile = folder.join("profile");
    let mut child = Command::new(browser())
        .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"])
        .args(["--no-first-run", "--virtual-time-budget=10000", "--enable-logging=stderr"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .args(options)
        .arg(format!("file://{}", page.display()))
        .stdout(fs::File::create(folder.join("stdout")).expect("the folder can be written"))
        .stderr(fs::File::create(folder.join("stderr")).expect("the folder can be written"))
        .spawn()
        .expect("the browser starts");
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("the browser can be waited for") {
            break status;
        }
        if started.elapsed() > PATIENCE {
            child.kill().expect("the browser can be stopped");
            panic!("the browser was not done with {} in {PATIENCE:?}", page.display());
        }
        sleep(Duration::from_millis(50));
    };
    let errors = fs::read(folder.join("stderr")).expect("written above");
    let errors = String::from_utf8_lossy(&errors);
    assert!(status.success(), "{errors}");
    let complaints: Vec<&str> = errors.lines().filter(|line| line.contains(":CONSOLE")).collect();
    assert!(complaints.is_empty(), "the page complains: {complaints:#?}");
    fs::read_to_string(folder.join("stdout")).expect("the browser prints UTF-8")
}

fn plant(runs: usize, samples: usize, sensors: usize) -> Report {
    example::report(example::Plant { runs, samples, sensors, labelled: true })
}

/// A page with the probe in it, which looks at the highest score of the first run.
fn probed(report: &Report) -> String {
    let run = &report.runs[0];
    let peak = run.events.iter().max_by(|a, b| a.peak_score.total_cmp(&b.peak_score));
    let time = run.times[peak.expect("an event").peak];
    let page = render(report).replace("</body>", &format!("{PROBE}</body>"));
    page.replacen("<html ", &format!("<html data-look=\"{time}\" "), 1)
}

#[track_caller]
fn check(test: &str, report: &Report, reads: &str) {
    let folder = folder(test);
    let page = folder.join("report.html");
    fs::write(&page, probed(report)).expect("the page can be written");
    let options = ["--window-size=1440,3000".to_string(), "--dump-dom".into()];
    let seen = open(&folder, &page, &options);
    let opening = seen.lines().find(|line| line.contains("<html")).expect("a page").to_string();
    let head = &opening[opening.find("<html").expect("found above")..];
    let head = &head[..head.find('>').expect("the tag ends")];
    assert!(!head.contains("data-error"), "{head}");
    for wanted in [
        "data-ready=\"yes\"",
        "data-zoomed=\"true,true,true\"",
        "data-reset=\"true,true\"",
        "data-bad=\"false\"",
        reads,
    ] {
        assert!(head.contains(wanted), "`{wanted}` is not in {head}");
    }
}

#[test]
fn scripts_run_and_read_the_same_peak_as_the_table() {
    let report = plant(2, 6000, 8);
    let run = &report.runs[0];
    let peaks = run.events.iter().map(|e| e.peak_score);
    let highest = peaks.fold(f64::NEG_INFINITY, f64::max);
    check("reads", &report, &format!("score {highest:.1} (above the threshold)"));
}

#[test]
fn very_long_runs_are_thinned_and_still_read_the_peak() {
    let report = plant(1, 60_000, 2);
    let run = &report.runs[0];
    let highest = run.events.iter().map(|e| e.peak_score).fold(f64::NEG_INFINITY, f64::max);
    check("long", &report, &format!("score {highest:.0} (above the threshold)"));
}

#[test]
fn names_from_outside_run_nothing() {
    let mut report = plant(1, 2000, 2);
    let evil = "\"><script>document.documentElement.dataset.evil = 1</script>";
    report.header.title = evil.into();
    report.sensors.iter_mut().for_each(|s| s.name = evil.into());
    report.runs[0].name = evil.into();
    let folder = folder("names");
    let page = folder.join("report.html");
    fs::write(&page, render(&report)).expect("the page can be written");
    let seen = open(&folder, &page, &["--dump-dom".into()]);
    assert!(seen.contains("data-ready=\"yes\"") && !seen.contains("data-evil=\"1\""));
}

#[test]
fn nothing_is_cut_off_on_a_phone() {
    let folder = folder("phone");
    let mut report = plant(2, 3000, 12);
    report.runs[0].name = "a/very/long/path/without/any/space/in/it/".repeat(4);
    fs::write(folder.join("report.html"), probed(&report)).expect("the page can be written");
    // A browser window cannot be as narrow as a phone, a frame can.
    let frame = "<!doctype html><body><iframe src='report.html' style='width:390px;height:800px'>\
                 </iframe><script>onmessage = function (e) { document.title = 'wide ' + e.data; }</script>";
    let page = folder.join("frame.html");
    fs::write(&page, frame).expect("the frame can be written");
    let seen = open(&folder, &page, &["--dump-dom".into()]);
    let widths = seen.split("<title>wide ").nth(1).and_then(|t| t.split('<').next());
    let widths = widths.unwrap_or_else(|| panic!("no answer from the frame: {seen}"));
    assert_eq!(widths, "390,390", "content and screen, in pixels");
}

/// The size of a picture of a page. A picture without content compresses to next to nothing, so
/// sizes tell blank pages without a decoder.
fn picture(folder: &Path, name: &str, html: &str, scheme: &str) -> usize {
    let page = folder.join(format!("{name}.html"));
    fs::write(&page, html).expect("the page can be written");
    let shot = folder.join(format!("{name}.png"));
    let _ = fs::remove_file(&shot);
    let options = [
        "--window-size=1440,2400".to_string(),
        format!("--blink-settings=preferredColorScheme={scheme}"),
        format!("--screenshot={}", shot.display()),
    ];
    open(folder, &page, &options);
    let bytes = fs::read(&shot).expect("the browser wrote a picture");
    assert!(bytes.starts_with(b"\x89PNG\r\n\x1a\n"), "a PNG");
    let size =
        |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    assert_eq!((size(16), size(20)), (1440, 2400));
    bytes.len()
}

#[test]
fn pictures_in_both_themes_are_not_blank() {
    let folder = folder("pictures");
    let page = render(&plant(1, 4000, 8));
    let blank = picture(&folder, "blank", "<!doctype html><p>.", "1");
    for (name, scheme) in [("light", "1"), ("dark", "0")] {
        let size = picture(&folder, name, &page, scheme);
        assert!(size > 10 * blank, "{name}: {size} bytes, and {blank} for a blank page");
    }
}
