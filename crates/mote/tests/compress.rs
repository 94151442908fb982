//! `mote compress`: ways that are asked for, budgets for which one is searched, and what is refused.

mod support;

use std::{
    fs,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use support::{mote, printed, pump_csv, run, said, succeeds, trained};

fn json(folder: &Path, arguments: &[&str]) -> serde_json::Value {
    let output = run(folder, &[arguments, &["--json"]].concat());
    succeeds(&output);
    serde_json::from_str(printed(&output).lines().last().expect("a line")).expect("JSON")
}

#[test]
fn every_way_makes_a_model_smaller_that_still_scores() {
    let folder = trained();
    let whole = fs::read(folder.join("pump.mote")).expect("trained");
    for (i, ways) in [
        &["--prune", "0.5", "--repair", "50", "--bits", "32"][..],
        &["--low-rank", "0.5", "--repair", "50", "--bits", "32"],
        &["--prune", "0.3", "--low-rank", "0.3", "--repair", "50", "--bits", "4"],
        &["--prune", "0.3", "--importance", "taylor", "--spread", "automatic", "--repair", "0"],
        &["--rounding", "nearest", "--ranges", "mse", "--plain-biases", "--plain-channels"],
        &["--bits", "16"],
        &["--bits", "6"],
        &["--bits", "4", "--rounding", "learned", "--repair", "50"],
        &["--sparse", "2:4", "--update", "adapters", "--repair", "50"],
        &["--sparse", "0.5", "--zeros", "magnitude", "--update", "biases", "--repair", "50"],
    ]
    .into_iter()
    .enumerate()
    {
        let small = format!("way{i}.mote");
        let command = [&["compress", "pump.mote", "normal.csv", "--out", &small], ways].concat();
        let made = json(folder, &command);
        let bytes = |key: &str| made[key].as_u64().expect("a number");
        assert!(bytes("tensor_bytes") * 5 < bytes("tensor_bytes_before") * 4, "{ways:?} {made}");
        succeeds(&run(folder, &["score", &small, "normal.csv", "--out", "scores.csv"]));
    }
    let now = fs::read(folder.join("pump.mote")).expect("there");
    assert_eq!(now, whole, "the source is untouched");
}

#[test]
fn a_budget_is_kept_and_told() {
    let folder = trained();
    let command =
        "compress pump.mote normal.csv --flash 12KB --repair 20 --out fits.mote".split(' ');
    let command: Vec<&str> = command.collect();
    let command = &command[..];
    let made = json(folder, command);
    let best = &made["best"];
    assert_eq!(best["metric"], "vus_pr", "what a detector is for");
    let diary = folder.join("fits.mote.tried.json");
    assert!(!diary.exists(), "the search is done");
    assert_eq!(best["flash_bytes"], made["tensor_bytes"], "the certificate is true");
    assert!(best["flash_bytes"].as_u64().expect("a number") <= 12 << 10);
    let tried = made["tried"].as_array().expect("a list");
    let fits = tried.iter().filter(|one| one["fits"] == true);
    let least = fits.map(|one| one["loss"].as_f64().expect("a number")).fold(f64::MAX, f64::min);
    assert_eq!(best["loss"].as_f64(), Some(least));
    assert!(tried.iter().any(|one| one["front"] == true));
    // Thinner models of the family are tried as well, in the same three widths.
    let bytes = |share: f64| -> Vec<u64> {
        let such = tried.iter().filter(|one| one["student"].as_f64() == Some(share));
        such.map(|one| one["flash_bytes"].as_u64().expect("a number")).collect()
    };
    let [half, quarter] = [0.5, 0.25].map(bytes);
    assert_eq!((half.len(), quarter.len()), (3, 3), "{tried:?}");
    assert!(quarter.iter().zip(&half).all(|(quarter, half)| quarter < half));
    // Found again, to the last byte.
    let before = fs::read(folder.join("fits.mote")).expect("written");
    succeeds(&run(folder, command));
    assert!(fs::read(folder.join("fits.mote")).expect("written") == before);
}

/// What firmware takes on a device is a bound like any other, and the certificate says it.
#[test]
fn a_device_has_room_for_what_is_made_for_it() {
    let folder = trained();
    let device = ["--device", "stm32l412"];
    let command = ["compress", "pump.mote", "normal.csv", "--repair", "20", "--out", "board.mote"];
    let made = json(folder, &[&command[..], &device].concat());
    let number = |value: &serde_json::Value| value.as_u64().expect("a number");
    let needs = &made["firmware"]["needs"];
    assert_eq!(made["best"]["firmware"], *needs, "the certificate is what was chosen by");
    assert!(number(&needs["tables"]) + (24 << 10) <= 128 << 10, "{needs}");
    assert!(number(&needs["memory"]) + (1 << 10) <= 40 << 10, "{needs}");
    let seen = json(folder, &[&["inspect", "board.mote"][..], &device].concat());
    assert_eq!(seen["firmware"], made["firmware"], "another command says the same");
    let told = run(folder, &[&["inspect", "pump.mote"][..], &device].concat());
    assert!(printed(&told).contains("firmware   on stm32l412 (score): "), "{}", printed(&told));
}

/// A machine is measured once; then times are predicted from it. Which ways are fast enough must not hang on
/// the machine of this test, so another one takes its place: with the same kinds of operations, and set rates.
#[test]
fn a_time_is_predicted_and_kept() {
    let folder = trained();
    let mut machine = json(folder, &["bench", "--measure", "machine.json"]);
    let kinds = machine["rates"]["kinds"].as_object_mut().expect("kinds by name");
    assert!(kinds.contains_key("conv1d"), "{kinds:?}");
    for (kind, rates) in kinds.iter_mut().filter(|(kind, _)| *kind != "run") {
        let all: Vec<f64> =
            rates.as_array().into_iter().flatten().filter_map(|r| r.as_f64()).collect();
        // What comes on top of operations may be nothing.
        let on_top = kind == "chain" || kind.starts_with("far weights");
        assert!(on_top || all.iter().sum::<f64>() > 0.0, "{kind} takes no time: {rates}");
        *rates = serde_json::json!([10.0, 0.1, 0.02, 0.0, 0.0]);
    }
    fs::write(folder.join("machine.json"), machine.to_string()).expect("written");
    let there = ["--machine", "machine.json"];
    let command = [&["bench", "pump.mote", "--program", "score", "--seconds", "0.05"], &there[..]];
    let predicted = json(folder, &command.concat())["predicted_ns"].as_f64().expect("a time");
    let most = format!("{}ns", 0.7 * predicted);
    let command = ["compress", "pump.mote", "normal.csv", "--repair", "20", "--latency", &most];
    let command = [&command[..], &there, &["--out", "fast.mote"]].concat();
    let made = json(folder, &command);
    let best = made["best"]["predicted_ns"].as_f64().expect("a time");
    assert!(best <= 0.7 * predicted, "{best} {predicted}");
    let score = |p: &&serde_json::Value| p["program"] == "score";
    let programs = made["programs"].as_array().expect("a list");
    let times = &programs.iter().find(score).expect("a detector")["predicted_ns"];
    assert_eq!(times[0].as_f64(), Some(predicted), "the certificate says what `bench` says");
    assert!(times[1].as_f64() <= Some(best), "the slowest program is what is bounded");
}

/// The file of a search that was broken off, and what it found when it went on.
#[test]
#[cfg(unix)]
fn a_search_that_is_interrupted_goes_on() {
    let folder = trained();
    let command = ["compress", "pump.mote", "normal.csv", "--max-loss", "50%", "--repair", "20"];
    let whole = json(folder, &[&command[..], &["--out", "whole.mote"]].concat());
    let diary = folder.join("broken.mote.tried.json");
    let mut broken = mote(folder, &[&command[..], &["--out", "broken.mote"]].concat());
    let mut child =
        broken.stderr(Stdio::null()).spawn().expect("the binary was built with the tests");
    let deadline = Instant::now() + Duration::from_secs(120);
    while !diary.exists() {
        assert!(Instant::now() < deadline, "nothing was tried");
        std::thread::sleep(Duration::from_millis(5));
    }
    let sent = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(sent.expect("kill").success());
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert!(!folder.join("broken.mote").exists(), "nothing half written");
    let tried = fs::read_to_string(&diary).expect("kept");
    assert!(tried.contains("flash_bytes"));
    let resumed = json(folder, &[&command[..], &["--out", "broken.mote"]].concat());
    assert_eq!(resumed["tried"], whole["tried"]);
    assert_eq!(resumed["best"], whole["best"]);
    assert!(!diary.exists());
    let [a, b] = ["whole.mote", "broken.mote"].map(|name| fs::read(folder.join(name)));
    assert!(a.expect("written") == b.expect("written"), "the same to the last byte");
}

#[test]
fn a_student_has_the_ports_of_its_teacher_and_fewer_weights() {
    let folder = trained();
    let command = "compress pump.mote normal.csv --student 0.3 --lessons 400 --bits 32 --out \
                   student.mote --quality detection,density,forecast,imputation";
    let made = json(folder, &command.split_whitespace().collect::<Vec<_>>());
    let bytes = |key: &str| made[key].as_f64().expect("a number");
    let share = bytes("tensor_bytes") / bytes("tensor_bytes_before");
    assert!((0.15..0.45).contains(&share), "{share}");
    let repair = &made["repairs"][0];
    assert!(repair[1].as_f64() < repair[0].as_f64().map(|x| 0.5 * x), "it learned: {repair}");
    let metrics: Vec<&str> = made["quality"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|q| q["metric"].as_str())
        .collect();
    assert_eq!(metrics, ["vus_pr", "nats", "rare_nats", "forecast_crps", "imputation_crps"]);
    succeeds(&run(folder, &["score", "student.mote", "normal.csv", "--out", "student.csv"]));
    // What it learned by is a model like any other: it becomes integers.
    succeeds(&run(folder, &["compress", "student.mote", "normal.csv", "--out", "twice.mote"]));
}

/// The density of what comes last, given what came before, of a flow that tells two sensors in an order: over a fine
/// grid it adds up to the same for the whole model and for its student. What is never to be told stays zero.
#[test]
fn a_student_of_a_flow_is_a_density() {
    let folder = trained();
    let normal = fs::read_to_string(folder.join("normal.csv")).expect("there");
    let two = |line: &str| line.split(',').take(3).collect::<Vec<_>>().join(",");
    let lines: Vec<String> = normal.lines().map(two).collect();
    fs::write(folder.join("two.csv"), lines.join("\n")).expect("written");
    let train = "train two.csv --model flow --window 16 --steps 150 --out flow.mote";
    succeeds(&run(folder, &train.split(' ').collect::<Vec<_>>()));
    let command =
        "compress flow.mote two.csv --student 0.3 --lessons 300 --bits 32 --out thin.mote";
    let made = json(folder, &command.split(' ').collect::<Vec<_>>());
    let repair = &made["repairs"][0];
    assert!(repair[1].as_f64() < repair[0].as_f64().map(|x| 0.7 * x), "it learned: {repair}");
    let number = |field: &str| field.parse::<f32>().expect("a number");
    let past: Vec<f32> =
        lines[1..=16].iter().flat_map(|line| line.split(',').skip(1).map(number)).collect();
    // In standard units that is one.
    let [whole, thin] =
        ["flow.mote", "thin.mote"].map(|file| mass_of_the_last(&folder.join(file), &past));
    assert!((thin / whole - 1.0).abs() < 0.02, "{thin}, of the whole model {whole}");
    let [whole, thin] = ["flow.mote", "thin.mote"].map(|file| zeros(&folder.join(file)));
    assert!(whole.iter().any(|(_, share)| *share > 0.2), "{whole:?}");
    assert_eq!(thin.len(), whole.len(), "{thin:?} {whole:?}");
    for ((name, whole), (_, thin)) in whole.iter().zip(&thin) {
        assert!((whole - thin).abs() < 0.1, "{name}: {thin} of the weights, of the whole {whole}");
    }
}

/// For each matrix of weights the share that is zero.
fn zeros(file: &Path) -> Vec<(String, f64)> {
    let mapped = mote::files::Mapped::open(file).expect("the model");
    let model = mapped.model().expect("a good model");
    let matrices = model.tensors.iter().filter(|(_, tensor)| tensor.shape.len() > 1);
    let share = |w: Vec<f32>| w.iter().filter(|w| **w == 0.0).count() as f64 / w.len() as f64;
    matrices.filter_map(|(name, w)| Some((name.clone(), share(w.reals()?)))).collect()
}

/// What the densities of all values of the last row of a window of two sensors add up to.
fn mass_of_the_last(file: &Path, window: &[f32]) -> f64 {
    const CELLS: usize = 240;
    const REACH: f32 = 8.0;
    let mapped = mote::files::Mapped::open(file).expect("the model");
    let model = mapped.model().expect("a good model");
    let mut score = mote_runtime::Loaded::new(&model, "score").expect("the program").instance();
    let [x, mask] = ["x", "mask"].map(|name| score.program().input(name).expect("an input"));
    let nll = score.program().output("nll").expect("an output");
    let first = window.len() - 2;
    let spread = |i: usize| {
        let values: Vec<f32> = window.iter().skip(i).step_by(2).copied().collect();
        values.iter().map(|x| (x - values[0]).abs()).fold(0.1, f32::max)
    };
    let cell = |i: usize| REACH * spread(i) / CELLS as f32;
    let mut sum = 0.0;
    for at in 0..CELLS * CELLS {
        score.input(x).copy_from_slice(window);
        score.input(mask).fill(1.0);
        for (i, step) in [at / CELLS, at % CELLS].into_iter().enumerate() {
            let off = (step as f32 + 0.5) * cell(i) - 0.5 * REACH * spread(i);
            score.input(x)[first + i] = window[first + i] + off;
        }
        score.run();
        let nats: f32 = score.output(nll)[first..].iter().sum();
        sum += f64::from(-nats).exp() * f64::from(cell(0)) * f64::from(cell(1));
    }
    sum
}

#[test]
fn drawn_windows_are_judged_by_an_encoder() {
    let folder = trained();
    let command = ["compress", "pump.mote", "normal.csv", "--quality", "generation"];
    let made = json(folder, &[&command[..], &["--out", "drawn.mote"]].concat());
    let quality = made["quality"].as_array().expect("a list");
    assert_eq!([&quality[0]["metric"], &quality[1]["metric"]], ["context_fid", "tails"]);
    assert!(quality.iter().all(|q| q["before"].as_f64().is_some_and(|x| x > 0.0)), "{quality:?}");
}

#[test]
fn a_sensor_that_is_silent_in_all_data_is_named() {
    let folder = trained();
    let normal = fs::read_to_string(folder.join("normal.csv")).expect("there");
    // The second field, which is the first sensor.
    let without = |line: &str| {
        let mut fields: Vec<&str> = line.split(',').collect();
        fields[1] = "";
        fields.join(",")
    };
    let mut lines = normal.lines();
    let header = lines.next().expect("names").to_owned();
    let silent: Vec<String> = std::iter::once(header).chain(lines.map(without)).collect();
    fs::write(folder.join("silent.csv"), silent.join("\n") + "\n").expect("written");
    let output = run(folder, &["compress", "pump.mote", "silent.csv", "--out", "no.mote"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("to compress on, found none"), "{}", said(&output));
}

#[test]
fn what_cannot_be_made_smaller_is_refused() {
    let folder = trained();
    let refused = |arguments: &[&str], code: i32, why: &str| {
        let command = [&["compress", "pump.mote", "normal.csv", "--out", "no.mote"], arguments];
        let output = run(folder, &command.concat());
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        assert!(said(&output).contains(why), "{}", said(&output));
        assert!(!folder.join("no.mote").exists());
    };
    refused(
        &["--flash", "100", "--repair", "10"],
        3,
        "nothing fits the budget: the least of 42 ways: ",
    );
    refused(&["--latency", "soon"], 2, "wanted a time such as 20us or 1.5ms");
    fs::write(
        folder.join("wrong.json"),
        r#"{"version":4,"name":"x","rates":{"kinds":{"relu":[-1,0,0,0,0]}}}"#,
    )
    .expect("written");
    let wrong = ["--machine", "wrong.json"];
    refused(&wrong, 2, "wrong.json: wanted a machine that `mote bench --measure` wrote, found -1");
    fs::write(folder.join("wrong.json"), r#"{"version":4,"name":"x","rates":{"kinds":{}}}"#)
        .expect("written");
    refused(&wrong, 2, "wanted rates of x for `");
    fs::write(folder.join("wrong.json"), r#"{"name":"x","rates":{"kinds":{}}}"#).expect("written");
    refused(
        &wrong,
        2,
        "wrong.json: wanted a machine that `mote bench --measure` wrote, found one of version 0",
    );
    refused(&["--device", "toaster"], 2, "wanted one of cortex-m4, ");
    refused(&["--device", "cortex-m4", "--prune", "0.5"], 2, "cannot be used with");
    refused(&["--sparse", "1.0"], 2, "wanted a share such as 0.5, or 2:4");
    refused(&["--sparse", "4:2"], 2, "wanted a share such as 0.5, or 2:4");
    refused(&["--flash", "lots"], 2, "wanted bytes such as 500, 64KB or 2MB");
    refused(&["--flash", "8KB", "--bits", "4"], 2, "cannot be used with");
    refused(&["--flash", "8KB", "--plain-biases"], 2, "cannot be used with");
    refused(&["--flash", "8KB", "--importance", "taylor"], 2, "cannot be used with");
    refused(&["--flash", "8KB", "--student", "0.5"], 2, "cannot be used with");
    refused(&["--student", "1"], 2, "wanted a share of weights between 0 and 1 for a student");
    refused(&["--max-loss", "little"], 2, "wanted a share such as 5% or 0.05");
    refused(&["--prune", "1"], 2, "the share of weights that go is from 0 to below 1, found 1");

    for bits in ["8", "16"] {
        let once = ["compress", "pump.mote", "normal.csv", "--bits", bits, "--out", "once.mote"];
        succeeds(&run(folder, &once));
        let twice = run(folder, &["compress", "once.mote", "normal.csv", "--out", "no.mote"]);
        assert_eq!(twice.status.code(), Some(2));
        assert!(said(&twice).contains("is quantized already"), "{}", said(&twice));
    }

    fs::write(folder.join("other.csv"), "time,wind\n0,1\n1,2\n").expect("written");
    let other = run(folder, &["compress", "pump.mote", "other.csv", "--out", "no.mote"]);
    assert_eq!(other.status.code(), Some(2), "{}", said(&other));

    let few: String =
        pump_csv(4000, 3, 0).lines().take(5).map(|line| format!("{line}\n")).collect();
    fs::write(folder.join("few.csv"), few).expect("written");
    let few = run(folder, &["compress", "pump.mote", "few.csv", "--out", "no.mote"]);
    assert_eq!(few.status.code(), Some(2), "{}", said(&few));
    assert!(!folder.join("no.mote").exists());
}
