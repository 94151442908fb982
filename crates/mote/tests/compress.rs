//! `mote compress`: ways that are asked for, budgets for which one is searched, and what is refused.

mod support;

use std::{fs, path::Path};

use support::{printed, pump_csv, run, said, succeeds, trained};

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
        &["--rounding", "nearest", "--ranges", "mse"],
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
        "compress pump.mote normal.csv --flash 12KB --repair 30 --out fits.mote".split(' ');
    let command: Vec<&str> = command.collect();
    let command = &command[..];
    let made = json(folder, command);
    let best = &made["best"];
    assert_eq!(best["flash_bytes"], made["tensor_bytes"], "the certificate is true");
    assert!(best["flash_bytes"].as_u64().expect("a number") <= 12 << 10);
    let tried = made["tried"].as_array().expect("a list");
    let fits = tried.iter().filter(|one| one["fits"] == true);
    let least = fits.map(|one| one["loss"].as_f64().expect("a number")).fold(f64::MAX, f64::min);
    assert_eq!(best["loss"].as_f64(), Some(least));
    assert!(tried.iter().any(|one| one["front"] == true));
    // Found again, to the last byte.
    let before = fs::read(folder.join("fits.mote")).expect("written");
    succeeds(&run(folder, command));
    assert!(fs::read(folder.join("fits.mote")).expect("written") == before);
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
        "nothing fits the budget: the least of 18 ways: ",
    );
    refused(&["--flash", "lots"], 2, "wanted bytes such as 500, 64KB or 2MB");
    refused(&["--flash", "8KB", "--bits", "4"], 2, "cannot be used with");
    refused(&["--prune", "1"], 2, "the share of weights that go is from 0 to below 1, found 1");

    succeeds(&run(folder, &["compress", "pump.mote", "normal.csv", "--out", "once.mote"]));
    let twice = run(folder, &["compress", "once.mote", "normal.csv", "--out", "no.mote"]);
    assert_eq!(twice.status.code(), Some(2));
    assert!(said(&twice).contains("is quantized already"), "{}", said(&twice));

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
