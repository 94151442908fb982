//! A family is chosen by what it can do, what it takes, and how it measured; the choice can be trained.

mod support;

#[path = "support/waves.rs"]
#[allow(dead_code)]
mod waves;

use std::{fs, path::Path};

use serde_json::Value;
use support::{printed, run, said, succeeds};
use waves::csv;

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("waves.csv"), csv(0..1400, |_, _| false)).expect("written");
    folder
}

fn advice(folder: &Path, wishes: &[&str]) -> Value {
    let output = run(folder, &[&["advise", "waves.csv", "--json"], wishes].concat());
    let advice: Value = serde_json::from_str(&printed(&output)).expect("an object");
    // Whether one of them can do it all.
    let chosen = best(&advice).1[0].1;
    assert_eq!(output.status.code(), Some(if chosen { 0 } else { 3 }), "{}", said(&output));
    advice
}

/// The name of the best, and what speaks against each family.
fn best(advice: &Value) -> (&str, Vec<(&str, bool)>) {
    let candidates = advice["candidates"].as_array().expect("a list");
    let of = |c: &'_ Value| c["against"].as_array().expect("a list").is_empty();
    let all: Vec<_> =
        candidates.iter().map(|c| (c["name"].as_str().expect("a name"), of(c))).collect();
    (all[0].0, all)
}

#[test]
fn wishes_decide() {
    let folder = folder();
    let folder = folder.path();
    let fits = |wishes: &[&str], name: &str| {
        let advice = advice(folder, wishes);
        let (_, all) = best(&advice);
        all.iter().find(|(n, _)| *n == name).expect("all families are there").1
    };
    assert_eq!(best(&advice(folder, &[])).0, "vae");
    assert_eq!(best(&advice(folder, &["--exact"])).0, "flow");
    assert_eq!(best(&advice(folder, &["--for", "generate"])).0, "diffusion");
    assert_eq!(best(&advice(folder, &["--for", "embed,detect"])).0, "vae");
    // Who needs the exact probability of a reading cannot take a GAN, nor a bound.
    assert!(fits(&["--for", "generate"], "gan"));
    assert!(!fits(&["--for", "generate", "--exact"], "gan"));
    assert!(!fits(&["--exact"], "vae"));
    assert!(fits(&["--exact"], "autoregressive"));
    assert!(!fits(&["--for", "impute"], "flow"), "it completes nothing");
    // What is asked of memory and time is measured, not guessed.
    let of = |key: &str| -> f64 {
        let advice = advice(folder, &["--for", "generate"]);
        let vae =
            advice["candidates"].as_array().expect("a list").iter().find(|c| c["name"] == "vae");
        vae.expect("it is there")[key].as_f64().expect("a number")
    };
    let needed = of("small_bytes") as u64;
    assert!(fits(&["--for", "generate", "--budget", &(needed + 1).to_string()], "vae"));
    assert!(!fits(&["--for", "generate", "--budget", &(needed - 1).to_string()], "vae"));
    assert!(of("seconds") > 0.0);
    assert!(!fits(&["--for", "generate", "--deadline", "0.001us"], "vae"));
    assert!(fits(&["--for", "generate", "--deadline", "60s"], "vae"));
}

#[test]
fn the_model_that_is_trained_is_as_large_as_was_said() {
    let folder = folder();
    let folder = folder.path();
    let arguments = ["train", "waves.csv", "--model", "auto", "--budget", "64KB", "--steps", "20"];
    let output = run(folder, &arguments);
    succeeds(&output);
    assert!(said(&output).contains("model: vae, because"), "{}", said(&output));
    let facts = run(folder, &["inspect", "model.mote", "--json"]);
    let facts: Value = serde_json::from_str(&printed(&facts)).expect("an object");
    assert_eq!(facts["family"], "TimeVae");
    let arena = facts["programs"].as_array().expect("a list").iter();
    let arena = arena.map(|p| p["arena_bytes"].as_u64().expect("a number")).max();
    let bytes = facts["tensor_bytes"].as_u64().expect("a number") + arena.expect("a program");
    let advice = advice(folder, &[]);
    let said = advice["candidates"][0]["bytes"].as_u64().expect("a number");
    // What has learned nothing has equal tensors, which a file holds once.
    assert!(said <= bytes && 10 * said > 9 * bytes, "{said} said, {bytes} found");
}

#[test]
fn what_nobody_can_do_is_said() {
    let folder = folder();
    let folder = folder.path();
    let output = run(folder, &["advise", "waves.csv", "--budget", "1KB"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(printed(&output).starts_with("No family can do all of that."), "{}", printed(&output));
    let output = run(folder, &["train", "waves.csv", "--model", "auto", "--budget", "1KB"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(said(&output).contains("even with eight bits"), "{}", said(&output));
    for (wish, wanted) in [("--budget", "64KB"), ("--deadline", "20ms")] {
        let output = run(folder, &["advise", "waves.csv", wish, "soon"]);
        assert_eq!(output.status.code(), Some(2));
        assert!(said(&output).contains(wanted), "{}", said(&output));
    }
}
