//! The page as a whole: sound, safe, complete, the same each time, and small.

use std::fmt::Write as _;

use super::{example::Plant, *};

fn plant(runs: usize, samples: usize, sensors: usize, labelled: bool) -> Report {
    example::report(Plant { runs, samples, sensors, labelled })
}

/// What is wrong with the structure of a page, if anything: tags that do not match, identifiers
/// that occur twice, references that lead nowhere.
fn faults(page: &str) -> Vec<String> {
    const VOID: [&str; 3] = ["br", "col", "meta"];
    let mut found = Vec::new();
    let (mut open, mut ids, mut links): (Vec<&str>, Vec<&str>, Vec<&str>) = Default::default();
    let mut rest = page.strip_prefix("<!doctype html>").unwrap_or("");
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let Some(end) = rest.find('>') else {
            found.push(format!("a tag never ends: {}", &rest[..rest.len().min(40)]));
            break;
        };
        let tag = &rest[..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            match open.pop() {
                Some(last) if last == name => {}
                last => found.push(format!("`{name}` closes {last:?}")),
            }
            continue;
        }
        let name = tag.split([' ', '/']).next().unwrap_or_default();
        let attribute = |wanted: &str| {
            let at = tag.find(&format!(" {wanted}=\""))? + wanted.len() + 3;
            tag[at..].split('"').next()
        };
        ids.extend(attribute("id"));
        links.extend(attribute("href").and_then(|h| h.strip_prefix('#')));
        links.extend(attribute("aria-labelledby").iter().flat_map(|l| l.split(' ')));
        if tag.matches('"').count() % 2 == 1 {
            found.push(format!("an attribute never ends: {tag}"));
        }
        // What is between these is not markup.
        if let "script" | "style" = name {
            let close = format!("</{name}>");
            rest = rest.find(&close).map_or("", |at| &rest[at + close.len()..]);
        } else if !tag.ends_with('/') && !VOID.contains(&name) {
            open.push(name);
        }
    }
    found.extend(open.iter().map(|name| format!("`{name}` is never closed")));
    found.extend(links.iter().filter(|l| !ids.contains(l)).map(|l| format!("no id `{l}`")));
    ids.sort_unstable();
    found.extend(ids.windows(2).filter(|w| w[0] == w[1]).map(|w| format!("id `{}` twice", w[0])));
    found
}

/// Checks what must hold of every page, and that it says some things.
#[track_caller]
fn check(report: &Report, says: &[&str]) -> String {
    let page = render(report);
    assert_eq!(faults(&page), [] as [String; 0]);
    // Our own script speaks of NaN; what it may fetch is looked at where it lives. Base 64 may
    // spell anything.
    let written = page.split("<script>").next().unwrap_or_default();
    let pieces = written.split(" data-places=\"").enumerate();
    let written: String = pieces
        .map(|(i, p)| if i == 0 { p } else { p.split_once('"').map_or("", |p| p.1) })
        .collect();
    for bad in ["NaN", ">inf", "http:", "https:", " src=", "@import", "url("] {
        assert!(!written.contains(bad), "the page holds `{bad}`: {}", around(&written, bad));
    }
    for wanted in says {
        let plain = page.replace('\u{a0}', " ");
        assert!(plain.contains(wanted), "the page does not say `{wanted}`");
    }
    page
}

fn around(page: &str, what: &str) -> String {
    let at = page.find(what).unwrap_or(0);
    page[..at + what.len()].chars().rev().take(120).collect::<Vec<_>>().into_iter().rev().collect()
}

#[test]
fn the_checker_finds_what_is_wrong() {
    let wrong = |body: &str| faults(&format!("<!doctype html>{body}"));
    assert_eq!(wrong("<p><b></p></b>").len(), 2);
    assert_eq!(wrong("<p>").len(), 1);
    assert_eq!(wrong("<p id=\"a\"></p><a href=\"#b\"></a>"), ["no id `b`"]);
    assert_eq!(wrong("<p id=\"a\"></p><p id=\"a\"></p>"), ["id `a` twice"]);
    assert_eq!(wrong("<p title=\"a></p>").len(), 1);
    assert!(wrong("<meta charset=\"utf-8\"><p>a<br></p><script>if (a<b) {}</script>").is_empty());
}

#[test]
fn a_full_report_says_everything() {
    let says = [
        "In short",
        "labelled anomalies raised an alarm",
        "The commonest first cause is",
        "AUROC 0.",
        "our threshold",
        "Yes: anomalies",
        "In data space, chance explains it",
        "before the part that is judged",
        "false alarm",
        "The validation loss did not improve",
        "5 of 8 latent dimensions",
        "44.3 % of the variance",
        "mote train data/line4/day_1.csv",
        "Measured: 0.12 %",
    ];
    check(&plant(3, 4000, 8, true), &says);
}

#[test]
fn an_empty_report_says_what_is_absent() {
    let says = [
        "No run was scored.",
        "nothing to draw over time",
        "so there are no events",
        "nothing to attribute",
        "Nobody labelled these data",
        "Nothing was measured against labels",
        "This was not tested",
        "has no latent space",
        "Nothing was recorded about the data",
        "without a record of the training",
        "No threshold was chosen",
    ];
    let page = check(&Report::default(), &says);
    assert!(!page.contains("<figure"), "an empty plot");
}

#[test]
fn parts_that_are_absent_are_said_to_be() {
    check(
        &plant(1, 3000, 1, false),
        &["Nobody labelled these data", "No labelled anomaly was encoded"],
    );
    let mut report = plant(2, 3000, 3, true);
    report.runs.iter_mut().for_each(|run| run.events.clear());
    check(&report, &["No score rose above the threshold", "Missed: "]);
    report.runs[0].scores.fill(f64::NAN);
    report.runs[1] = Run { name: "nothing".into(), ..Run::default() };
    check(&report, &["has a score: the run is shorter", "The run is empty."]);
    report.runs.truncate(1);
    report.runs[0].labels.as_mut().expect("labelled").fill(false);
    report.runs[0].scores.fill(1.0);
    check(&report, &["all of one kind", "The labels hold no anomaly"]);
}

#[test]
fn strange_numbers_do_not_break_the_page() {
    let mut report = plant(1, 1000, 2, true);
    report.runs[0].scores[500] = f64::INFINITY;
    report.runs[0].scores[501] = f64::NEG_INFINITY;
    report.runs[0].contributions[900] = f32::INFINITY;
    report.data.columns[1].values[3] = f64::INFINITY;
    report.metrics[0].value = f64::NAN;
    check(&report, &[]);
    let training = report.training.as_mut().expect("filled in");
    training.train_loss[3].1 = f64::NAN;
    training.validation_loss.truncate(1);
    report.runs[0].times.iter_mut().for_each(|t| *t = 0.0);
    check(&report, &[]);
    let mut one = plant(1, 200, 2, true);
    one.runs = vec![Run { times: vec![0.0], scores: vec![1.0], ..Run::default() }];
    one.runs[0].contributions = vec![1.0, 2.0];
    check(&one, &[]);
}

#[test]
fn names_from_outside_stay_text() {
    let evil = "</title></svg><script>alert(1)</script><img src=x onerror='a'>\"&";
    let mut report = plant(2, 1500, 3, true);
    report.header.title = evil.into();
    report.header.command = evil.into();
    report.summary = vec![evil.into()];
    report.score_unit = evil.into();
    report.sensors.iter_mut().for_each(|s| s.name = evil.into());
    report.runs.iter_mut().for_each(|r| r.name = evil.into());
    report.data.columns.iter_mut().for_each(|c| (c.name, c.why) = (evil.into(), evil.into()));
    report.data.files[0].name = evil.into();
    report.method.limits = vec![evil.into()];
    report.metrics[0].explanation = evil.into();
    let page = render(&report);
    assert_eq!(page.matches("<script").count(), 1, "our own alone");
    assert!(!page.contains("<img"));
    assert_eq!(faults(&page), [] as [String; 0]);
}

#[test]
fn the_same_report_gives_the_same_bytes() {
    let report = plant(2, 2000, 4, true);
    assert!(render(&report) == render(&report.clone()));
}

#[test]
fn many_sensors_events_and_runs_are_cut_and_told() {
    let mut report = plant(30, 400, 38, true);
    let event =
        |t| Event { start: t, end: t, peak: t, peak_score: t as f64, calm: false, cause: vec![] };
    report.runs[0].events = (0..250).map(event).collect();
    let says = [
        "26 sensors with less are not listed",
        "Of 38 sensors, the 12 with the largest share",
        "These are the 200 events with the highest peaks, out of ",
        "Of 30 runs, the 24 with the highest scores are drawn; the other 6",
        "Show the other 26 columns",
    ];
    check(&report, &says);
}

#[test]
fn clocks_of_all_kinds_have_an_axis() {
    for (clock, axis) in [
        (Clock::Samples, "sample</text>"),
        (Clock::Elapsed, "time since the start (h)"),
        (Clock::Dated, "time, as in the data"),
    ] {
        let mut report = plant(1, 8000, 2, true);
        let run = &mut report.runs[0];
        run.clock = clock;
        run.times = (0..8000).map(|t| f64::from(t) * 2.0).collect();
        check(&report, &[axis]);
    }
}

#[test]
fn five_long_runs_stay_below_the_size_that_was_promised() {
    let page = check(&plant(5, 20_000, 8, true), &[]);
    assert!(page.len() < 1_500_000, "{} bytes", page.len());
}

#[test]
fn every_section_is_in_the_contents() {
    let page = render(&Report::default());
    let mut sections = String::new();
    for (id, _) in CONTENTS.iter().flat_map(|(_, sections)| *sections) {
        let _ = write!(sections, "{id} ");
        assert!(page.contains(&format!("<section id=\"{id}\"")), "{id}");
    }
    assert_eq!(page.matches("<section").count(), sections.split_whitespace().count());
}
