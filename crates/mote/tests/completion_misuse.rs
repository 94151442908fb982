//! What cannot be completed is refused with exit code 2 and a sentence that helps, nothing is left half
//! written, and Ctrl-C ends long work cleanly.

mod support;

#[path = "support/waves.rs"]
#[allow(dead_code)]
mod waves;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    sync::OnceLock,
    time::{Duration, Instant},
};

use support::{mote, run, said, succeeds};
use waves::csv;

/// A folder with `vae.mote` that completes, `flow.mote` that does not, `spline.mote` without a latent space,
/// and `data.csv`; made once. They are hardly trained.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder").keep();
        waves::train(&folder, "vae.mote", &["--for", "forecast,impute,generate", "--steps", "20"]);
        waves::train(&folder, "flow.mote", &["--model", "flow", "--steps", "5"]);
        waves::train(&folder, "spline.mote", &["--model", "spline-flow", "--steps", "5"]);
        fs::write(folder.join("data.csv"), csv(1400..1500, |_, _| false)).expect("written");
        fs::write(folder.join("short.csv"), csv(1400..1410, |_, _| false)).expect("written");
        folder
    })
}

/// The command is refused with exit code 2, each of `wanted` stands in the message, and `--out out.csv` was
/// not written.
#[track_caller]
fn refuses(arguments: &[&str], wanted: &[&str]) {
    let output = run(folder(), arguments);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
    for wanted in wanted {
        assert!(text.contains(wanted), "wanted `{wanted}` in: {text}");
    }
    assert!(output.stdout.is_empty(), "nothing is printed of what was refused");
    assert!(!folder().join("out.csv").exists(), "{arguments:?}");
}

#[test]
fn a_family_that_cannot_says_which_ones_can() {
    let families = ["Maf", "diffusion", "autoregressive", "transformer", "spline-flow"];
    refuses(&["generate", "flow.mote", "--out", "out.csv"], &families);
    refuses(&["impute", "flow.mote", "data.csv"], &families);
    refuses(&["forecast", "flow.mote", "data.csv", "--horizon", "3"], &families);
    refuses(
        &["train", "data.csv", "--model", "flow", "--for", "impute", "--out", "out.csv"],
        &families,
    );
    let denoise = ["vae, diffusion or energy"];
    refuses(&["denoise", "flow.mote", "data.csv"], &[&["Maf"][..], &denoise].concat());
    refuses(&["denoise", "spline.mote", "data.csv"], &[&["SplineFlow"][..], &denoise].concat());
    refuses(&["embed", "spline.mote", "data.csv"], &["SplineFlow", "latent space (vae or latent"]);
}

#[test]
fn what_is_given_has_to_be_possible() {
    let given = |value: &str| {
        ["generate", "vae.mote", "--out", "out.csv", "--given"]
            .map(String::from)
            .into_iter()
            .chain([value.to_owned()])
            .collect::<Vec<_>>()
    };
    let refuses = |value: &str, wanted: &[&str]| {
        let arguments = given(value);
        refuses(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), wanted);
    };
    refuses("speed=3", &["level, flow, mode", "`speed`"]);
    refuses("level=fast", &["`level`", "a number", "`fast`"]);
    refuses("level=NaN", &["`level`", "a number", "`NaN`"]);
    refuses("mode=middle", &["`mode`", "high", "low", "`middle`"]);
    refuses("level", &["COLUMN=VALUE"]);
}

#[test]
fn questions_have_to_make_sense() {
    refuses(&["generate", "vae.mote", "-n", "0"], &["at least one window", "0"]);
    refuses(&["generate", "vae.mote", "-n", "18446744073709551615"], &["fit into memory"]);
    refuses(&["generate", "vae.mote", "--out", "out.xls"], &["xls", "csv"]);
    refuses(&["generate", "vae.mote", "--evaluations", "0"], &["at least one draw"]);
    let forecast = |more: &[&'static str], wanted: &[&str]| {
        let common = ["forecast", "vae.mote", "--out", "out.csv"];
        refuses(&[&common[..], more].concat(), wanted);
    };
    forecast(&["data.csv"], &["--horizon"]);
    forecast(&["--horizon", "3"], &["FILES"]);
    forecast(&["data.csv", "--horizon", "0"], &["horizon of at least 1"]);
    forecast(&["data.csv", "--horizon", "1000000000"], &["16777216 numbers", "fewer draws"]);
    forecast(&["data.csv", "--horizon", "3", "--every", "0"], &["--every"]);
    forecast(&["data.csv", "--horizon", "3", "--draws", "0"], &["at least one draw"]);
    forecast(&["data.csv", "--horizon", "3", "--quantiles", "0.9,0.1"], &["ascending", "0.9,0.1"]);
    forecast(&["data.csv", "--horizon", "3", "--quantiles", "0,0.5"], &["between 0 and 1"]);
    forecast(&["data.csv", "--horizon", "3", "--calibrate", "1.5"], &["between 0 and 1", "1.5"]);
    forecast(&["data.csv", "--horizon", "3", "--calibrate", "no.csv"], &["no.csv"]);
    forecast(
        &["data.csv", "--horizon", "3", "--calibrate", "data.csv", "--quantiles", "0.1,0.5"],
        &["in pairs", "0.1,0.5"],
    );
    forecast(
        &["data.csv", "--horizon", "3", "--calibrate", "short.csv"],
        &["short.csv", "found 10"],
    );
    forecast(&["short.csv", "--horizon", "3"], &["short.csv", "without a break", "found 10"]);
    forecast(&["no.csv", "--horizon", "3"], &["no.csv"]);
    refuses(
        &["forecast", "vae.mote", "data.csv", "--horizon", "3", "--from", "stdin"],
        &["cannot be used with"],
    );
    refuses(
        &["forecast", "vae.mote", "--horizon", "3", "--from", "stdin", "--calibrate", "0.5"],
        &["a stream has no share"],
    );
}

/// What a command reads is never what it writes, by whatever path.
#[test]
fn what_is_read_is_not_written_over() {
    let whole = |name: &str| fs::read(folder().join(name)).expect("made before");
    let before = ["data.csv", "vae.mote"].map(whole);
    for command in [
        "train data.csv --out data.csv",
        "score vae.mote data.csv --out ./data.csv",
        "eval vae.mote data.csv --report vae.mote",
        "impute vae.mote data.csv --out data.csv",
        "forecast vae.mote data.csv --horizon 3 --out data.csv",
        "forecast vae.mote data.csv --horizon 3 --calibrate short.csv --out short.csv",
        "denoise vae.mote data.csv --out data.csv",
        "embed vae.mote data.csv --out data.csv",
        "compress vae.mote data.csv --bits 8 --out vae.mote",
        "import data.csv --out data.csv",
    ] {
        refuses(&command.split(' ').collect::<Vec<_>>(), &["another file to write to"]);
    }
    assert!(before == ["data.csv", "vae.mote"].map(whole), "all is as it was");
}

#[test]
fn answers_of_files_of_one_name_would_lie_in_one_place() {
    fs::create_dir_all(folder().join("same")).expect("a folder");
    fs::copy(folder().join("data.csv"), folder().join("same/data.csv")).expect("a copy");
    let files = ["impute", "vae.mote", "data.csv", "same/data.csv", "--out", "filled"];
    refuses(&files, &["of different names", "data.csv and same/data.csv"]);
}

#[test]
fn holes_have_to_lie_in_something() {
    refuses(
        &["impute", "vae.mote", "short.csv", "--out", "out.csv"],
        &["short.csv", "24", "found at most 10"],
    );
    refuses(&["impute", "vae.mote", "data.csv", "--hide", "1"], &["between 0 and 1"]);
    refuses(&["impute", "vae.mote", "data.csv", "--hide", "0.1", "--block", "0"], &["at least 1"]);
    refuses(
        &["impute", "vae.mote", "data.csv", "--hide", "0.1", "--block", "1000"],
        &["at most the 100 samples", "1000"],
    );
    refuses(&["impute", "vae.mote", "data.csv", "--intervals", "2"], &["--intervals", "2"]);
    refuses(
        &["impute", "vae.mote", "--from", "stdin", "--delay", "24"],
        &["shorter than the window of 24"],
    );
    refuses(&["impute", "vae.mote", "data.csv", "short.csv"], &["--out with a folder"]);
    refuses(&["denoise", "vae.mote", "short.csv", "--out", "out.csv"], &["short.csv", "24"]);
    refuses(&["denoise", "vae.mote", "data.csv", "--noise", "-1"], &["-1"]);
    refuses(&["embed", "vae.mote", "data.csv", "--stride", "0"], &["stride"]);
    refuses(&["embed", "vae.mote", "short.csv", "--out", "out.csv"], &["24"]);
    fs::write(folder().join("other.csv"), "time,speed\n2024-01-01 00:00:00,1\n").expect("written");
    refuses(&["impute", "vae.mote", "other.csv"], &["other.csv", "level"]);
    fs::write(
        folder().join("cut.mote"),
        &fs::read(folder().join("vae.mote")).expect("read")[..500],
    )
    .expect("written");
    refuses(&["generate", "cut.mote"], &["cut.mote"]);
}

#[test]
fn an_answer_that_cannot_be_written_leaves_what_was_there() {
    let out = folder().join("kept");
    fs::create_dir_all(&out).expect("made");
    fs::write(out.join("old.csv"), "old\n").expect("written");
    // A folder is where the file should be.
    refuses(&["impute", "vae.mote", "data.csv", "--out", "kept/missing/data.csv"], &["missing"]);
    let names: Vec<_> = fs::read_dir(&out).expect("a folder").collect();
    assert_eq!(names.len(), 1, "{names:?}");
    assert_eq!(fs::read_to_string(out.join("old.csv")).expect("read"), "old\n");
}

#[test]
fn interruption_ends_with_its_code_and_without_a_file() {
    let mut child =
        mote(folder(), &["generate", "vae.mote", "-n", "20000000", "--out", "long.csv"])
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary was built with the tests");
    std::thread::sleep(Duration::from_millis(1500));
    let sent = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(sent.expect("kill").success());
    let asked = Instant::now();
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), Some(130));
    assert!(asked.elapsed() < Duration::from_secs(20), "{:?}", asked.elapsed());
    assert!(!folder().join("long.csv").exists());
}

#[test]
fn margins_are_in_the_model_and_survive_compression() {
    let margins = |model: &str| {
        let output = run(folder(), &["inspect", model, "--json"]);
        succeeds(&output);
        let facts: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        facts["margins"].clone()
    };
    let before = margins("vae.mote");
    assert_eq!(before["horizon"], 12);
    assert_eq!(before["coverages"], serde_json::json!([0.5, 0.8, 0.9, 0.95]));
    succeeds(&run(folder(), &["compress", "vae.mote", "train.csv", "--out", "small.mote"]));
    let after = margins("small.mote");
    assert_eq!(after["coverages"], before["coverages"]);
    assert_ne!(after["values"], before["values"], "measured again with what will run");
    assert!(margins("flow.mote").is_null());
}

/// Twenty rows are held back, which leaves five scores: too few for an alarm, enough to draw windows.
#[test]
fn what_is_only_asked_to_complete_needs_no_threshold() {
    let train = ["train", "data.csv", "--model", "vae", "--steps", "5", "--window", "16"];
    refuses(&[&train[..], &["--out", "out.csv"]].concat(), &["threshold", "wanted at least 20"]);
    let asked = ["--for", "generate", "--out", "drawing.mote"];
    succeeds(&run(folder(), &[&train[..], &asked].concat()));
    succeeds(&run(folder(), &["generate", "drawing.mote", "--count", "2"]));
    let scored = run(folder(), &["score", "drawing.mote", "data.csv"]);
    succeeds(&scored);
    assert!(said(&scored).contains("no threshold"), "{}", said(&scored));
}
