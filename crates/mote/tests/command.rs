//! The command on good input: what it prints, that streams equal files, and that it goes on after
//! an interruption.

mod support;

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::Path,
    process::{Output, Stdio},
};

use serde_json::Value;
use support::{mote, printed, pump_csv, run, said, succeeds, trained};

fn json_lines(output: &Output) -> Vec<Value> {
    let lines = printed(output);
    lines.lines().map(|l| serde_json::from_str(l).expect("a JSON object a line")).collect()
}

/// What is said of each sample that has a score: by its time the score, how far it stands out from
/// those of late, and whether it is an alarm.
type Said = BTreeMap<String, (f64, f64, bool)>;

fn said_of_samples(lines: &[Value]) -> Said {
    let scored = lines.iter().filter(|l| l["type"] == "score" && !l["score"].is_null());
    let pair = |l: &Value| {
        let number = |name: &str| l[name].as_f64().expect("a number");
        let alarm = l["alarm"].as_bool().expect("true or false");
        let time = l["time"].as_str().expect("a time").to_owned();
        (time, (number("score"), number("surprise"), alarm))
    };
    scored.map(pair).collect()
}

/// What `mote score` writes of a recording.
fn scores_of_file(folder: &Path, file: &str) -> Said {
    let output = run(folder, &["score", "pump.mote", file, "--json"]);
    succeeds(&output);
    said_of_samples(&json_lines(&output))
}

/// The records of a CSV file as JSON messages, empty fields as null.
fn messages(csv: &str) -> Vec<String> {
    let mut lines = csv.lines();
    let names: Vec<&str> = lines.next().expect("a header").split(',').collect();
    lines
        .map(|line| {
            let fields = names.iter().zip(line.split(','));
            let object: serde_json::Map<String, Value> = fields
                .map(|(name, text)| {
                    let value = text.parse::<f64>().map_or_else(
                        |_| if text.is_empty() { Value::Null } else { text.into() },
                        Value::from,
                    );
                    ((*name).to_owned(), value)
                })
                .collect();
            Value::Object(object).to_string()
        })
        .collect()
}

/// What `mote run` puts out about messages.
fn scores_of_stream(messages: &[String], more: &[&str]) -> Said {
    let mut arguments = vec!["run", "pump.mote", "--json"];
    arguments.extend(more);
    let mut child = mote(trained(), &arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary was built with the tests");
    let mut stdin = child.stdin.take().expect("piped");
    let text = messages.join("\n") + "\n";
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("no panic").expect("written");
    succeeds(&output);
    said_of_samples(&json_lines(&output))
}

#[test]
fn a_stream_scores_as_its_file_does_sample_by_sample() {
    let folder = trained();
    let csv = fs::read_to_string(folder.join("faulty.csv")).expect("a recording");
    let file = scores_of_file(folder, "faulty.csv");
    assert!(file.len() > 1000);
    assert_eq!(file, scores_of_stream(&messages(&csv), &[]));
}

#[test]
fn late_double_and_missing_records_score_as_in_a_file() {
    let folder = trained();
    let csv = fs::read_to_string(folder.join("faulty.csv")).expect("a recording");
    let mut lines: Vec<&str> = csv.lines().collect();
    // Two gaps, one too long to be filled; then a double record, and neighbours that change places.
    lines.drain(700..740);
    lines.drain(300..303);
    lines.insert(500, lines[499]);
    for at in [200, 410, 900] {
        lines.swap(at, at + 2);
    }
    let damaged = lines.join("\n") + "\n";
    fs::write(folder.join("damaged.csv"), &damaged).expect("written");
    let file = scores_of_file(folder, "damaged.csv");
    let stream = scores_of_stream(&messages(&damaged), &["--lateness", "4"]);
    assert!(file.len() > 1000);
    // Samples that were filled in have no row in the file, but a line in the stream.
    for (time, score) in &file {
        assert_eq!(stream.get(time), Some(score), "{time}");
    }
}

#[test]
fn senml_and_json_messages_are_the_same_to_it() {
    let folder = trained();
    let csv = fs::read_to_string(folder.join("normal.csv")).expect("a recording");
    let plain: Vec<String> = messages(&csv).into_iter().take(200).collect();
    let names: Vec<&str> = csv.lines().next().expect("a header").split(',').collect();
    let start = 1_704_067_200.0;
    let senml: Vec<String> = csv
        .lines()
        .skip(1)
        .take(200)
        .enumerate()
        .map(|(i, line)| {
            let fields = names.iter().zip(line.split(',')).skip(1);
            let records: Vec<String> = fields
                .filter(|(name, _)| **name != "anomaly")
                .map(|(name, value)| format!("{{\"n\":\"{name}\",\"v\":{value}}}"))
                .collect();
            let base = format!("{{\"bt\":{},", start + i as f64);
            format!("[{}]", records.join(",").replacen('{', &base, 1))
        })
        .collect();
    let wanted = scores_of_stream(&plain, &[]);
    assert!(wanted.len() > 100);
    assert_eq!(wanted, scores_of_stream(&senml, &[]));
}

#[test]
fn faults_become_events_with_causes() {
    let output = run(trained(), &["score", "pump.mote", "faulty.csv", "--events"]);
    succeeds(&output);
    let events = json_lines(&output);
    assert!(!events.is_empty());
    for event in events {
        let event = &event["event"];
        assert!(event["start"].as_u64() <= event["peak"].as_u64());
        assert!(event["peak"].as_u64() <= event["end"].as_u64());
        assert_eq!(event["causes"].as_array().map(Vec::len), Some(3));
    }
}

#[test]
fn evaluation_tells_anomalies_from_normal_samples() {
    let folder = trained();
    let output = run(folder, &["eval", "pump.mote", "faulty.csv", "--json"]);
    succeeds(&output);
    let result = &json_lines(&output)[0];
    assert!(result["mean"]["auroc"].as_f64() > Some(0.6), "{result}");
    assert!(result["rarity"]["data"]["rank"]["auroc"].is_f64(), "{result}");
    let words = run(folder, &["eval", "pump.mote", "faulty.csv", "--report", "report.html"]);
    succeeds(&words);
    assert!(printed(&words).contains("data space"), "{}", printed(&words));
    let page = fs::read_to_string(folder.join("report.html")).expect("a report");
    assert!(page.starts_with("<!doctype html>") && page.contains("faulty"));
}

#[test]
fn inspection_says_what_the_model_needs() {
    let output = run(trained(), &["inspect", "pump.mote", "--json"]);
    succeeds(&output);
    let facts = &json_lines(&output)[0];
    let bytes = fs::metadata(trained().join("pump.mote")).expect("a model").len();
    assert_eq!(facts["bytes"].as_u64(), Some(bytes));
    for program in facts["programs"].as_array().expect("programs") {
        let arena = program["arena_bytes"].as_u64();
        assert!(arena >= program["arena_bytes_lower_bound"].as_u64() && arena > Some(0));
    }
    let words = run(trained(), &["inspect", "pump.mote", "--ops"]);
    assert!(printed(&words).contains("conv1d"), "{}", printed(&words));
}

#[test]
fn a_model_file_opens_in_safetensors() {
    let bytes = fs::read(trained().join("pump.mote")).expect("a model");
    let file = safetensors::SafeTensors::deserialize(&bytes).expect("safetensors");
    assert!(file.names().iter().any(|n| n.contains("weight")), "{:?}", file.names());
}

#[test]
fn equal_seeds_make_equal_files() {
    let folder = trained();
    for out in ["one.mote", "two.mote"] {
        let arguments = ["train", "normal.csv", "--out", out, "--steps", "20", "--seed", "4"];
        succeeds(&run(folder, &arguments));
    }
    let read = |name: &str| fs::read(folder.join(name)).expect("a model");
    assert_eq!(read("one.mote"), read("two.mote"));
}

#[test]
fn the_flow_trains_scores_and_streams_too() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("normal.csv"), pump_csv(800, 3, 0)).expect("written");
    let arguments =
        ["train", "normal.csv", "--model", "flow", "--steps", "40", "--out", "f.mote", "--json"];
    let output = run(folder.path(), &arguments);
    succeeds(&output);
    assert_eq!(json_lines(&output)[0]["density"], "exact");
    let output = run(folder.path(), &["run", "f.mote", "--from", "normal.csv"]);
    succeeds(&output);
    assert!(printed(&output).lines().count() >= 800);
}

/// A normal distribution for each value on its own has `½ ln 2πe`, 1.419 nats, in standard units.
#[test]
fn a_transformer_of_experts_learns_more_than_values_on_their_own_and_streams() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("normal.csv"), pump_csv(800, 3, 0)).expect("written");
    let train = ["train", "normal.csv", "--model", "transformer", "--experts", "2", "--window"];
    let output = run(
        folder.path(),
        &[&train[..], &["16", "--steps", "200", "--out", "t.mote", "--json"]].concat(),
    );
    succeeds(&output);
    let summary = &json_lines(&output)[0];
    assert_eq!(summary["density"], "exact");
    let nats = summary["validation_nats"].as_f64().expect("held-back data was looked at");
    assert!(nats < 1.35, "{nats}");
    let output = run(folder.path(), &["run", "t.mote", "--from", "normal.csv"]);
    succeeds(&output);
    assert!(printed(&output).lines().count() >= 800);
    let train = ["train", "normal.csv", "--model", "transformer", "--active-experts", "2"];
    let refused = run(folder.path(), &[&train[..], &["--experts", "1"]].concat());
    assert!(said(&refused).contains("wanted 1 to 1 active experts, found 2"));
}

#[test]
fn an_autoencoder_with_codes_says_how_many_it_uses() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("normal.csv"), pump_csv(800, 3, 0)).expect("written");
    let train = ["train", "normal.csv", "--model", "vq-vae", "--steps", "40", "--out", "v.mote"];
    let output = run(folder.path(), &[&train[..], &["--json"]].concat());
    succeeds(&output);
    let summary = &json_lines(&output)[0];
    assert_eq!(summary["density"], "bound");
    let used = summary["codebook"]["used"].as_u64().expect("a number");
    let perplexity = summary["codebook"]["perplexity"].as_f64().expect("a number");
    assert!(used >= 2 && (1.0..=used as f64).contains(&perplexity), "{summary}");
    succeeds(&run(folder.path(), &["run", "v.mote", "--from", "normal.csv"]));
    succeeds(&run(folder.path(), &["export", "v.mote", "--target", "c", "--out", "firmware"]));
}

#[test]
fn what_reads_more_than_windows_and_noise_is_compressed_as_it_is() {
    let folder = trained();
    let train =
        ["train", "normal.csv", "--model", "diffusion", "--steps", "5", "--out", "drawing.mote"];
    succeeds(&run(folder, &train));
    succeeds(&run(folder, &["compress", "drawing.mote", "normal.csv", "--out", "drawn.mote"]));
    let output = run(folder, &["inspect", "drawn.mote"]);
    succeeds(&output);
    assert!(printed(&output).contains("denoise"), "{}", printed(&output));
}

#[test]
fn the_alarm_follows_where_asked_to_and_else_where_held_back_data_is_short() {
    let folder = trained();
    let tracking = |more: &[&str]| {
        let usual = ["train", "normal.csv", "--out", "t.mote", "--steps", "20", "--json"];
        succeeds(&run(folder, &[&usual[..], more].concat()));
        let bytes = fs::read(folder.join("t.mote")).expect("a model");
        let model = mote_format::Model::open(&bytes).expect("a whole one");
        model.manifest.detector.expect("calibrated").tracking.map(|t| t.memory)
    };
    assert_eq!(tracking(&[]), Some(2000.0), "240 scores cannot promise one false alarm in 1000");
    assert_eq!(tracking(&["--false-alarms", "0.02"]), None);
    assert_eq!(tracking(&["--memory", "0"]), None);
    assert_eq!(tracking(&["--memory", "100", "--tail", "1"]), Some(100.0));
}

#[test]
#[cfg(unix)]
fn an_interrupted_training_goes_on_to_the_same_bits() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("data.csv"), pump_csv(1500, 5, 0)).expect("written");
    let arguments = ["train", "data.csv", "--out", "model.mote", "--steps", "2000"];
    let checkpoint = folder.path().join("model.mote.checkpoint");
    for signal in ["INT", "KILL"] {
        let mut child = mote(folder.path(), &arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary was built with the tests");
        let before = fs::read(&checkpoint).ok();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(120);
        while fs::read(&checkpoint).ok() == before {
            assert!(std::time::Instant::now() < deadline, "no checkpoint");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let id = child.id().to_string();
        let sent = std::process::Command::new("kill").args([&format!("-{signal}"), &id]).status();
        assert!(sent.expect("kill").success());
        let status = child.wait().expect("it ends");
        if signal == "INT" {
            assert_eq!(status.code(), Some(130));
        }
    }
    let resumed = run(folder.path(), &arguments);
    succeeds(&resumed);
    assert!(said(&resumed).contains("Going on from step"), "{}", said(&resumed));
    assert!(!checkpoint.exists());
    let model = fs::read(folder.path().join("model.mote")).expect("a model");
    succeeds(&run(folder.path(), &arguments));
    assert_eq!(model, fs::read(folder.path().join("model.mote")).expect("a model"));
}

/// No clock could tell two calls apart as little.
#[test]
#[cfg(target_os = "linux")]
fn instructions_are_counted_one_by_one() {
    let folder = trained();
    let counted = || {
        let command = ["bench", "pump.mote", "--program", "score", "--seconds", "0.05"];
        let command = [&command[..], &["--instructions", "--json"]].concat();
        let output = run(folder, &command);
        succeeds(&output);
        json_lines(&output).remove(0)
    };
    let number = |v: &Value| v.as_u64().expect("a whole number");
    let (first, second) = (counted(), counted());
    let [one, other] = [&first, &second].map(|profile| number(&profile["instructions"]));
    assert!(one.abs_diff(other) <= one / 1000, "{one} and {other}");
    // Sixteen multiply-adds of `f32` in one instruction are the most that any of these machines can do.
    assert!(one > number(&first["multiply_adds"]) / 16, "{first}");
    let operations = first["operations"].as_array().expect("a list");
    let each: u64 = operations.iter().map(|o| number(&o["instructions"])).sum();
    assert!(each > one / 10 * 9 && each < one / 10 * 15, "{each} of {one}");
}
