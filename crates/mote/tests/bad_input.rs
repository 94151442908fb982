//! Everything that a person can get wrong ends in exit code 2 and a sentence that helps, and leaves
//! nothing half written.

mod support;

use std::{fs, path::Path};

use support::{mote, printed, pump_csv, run, said, succeeds, trained};

/// The names in a folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let name = |e: std::io::Result<fs::DirEntry>| {
        e.expect("an entry").file_name().to_string_lossy().into_owned()
    };
    let mut names: Vec<String> = entries.map(name).collect();
    names.sort();
    names
}

/// Training on `data.csv` with these bytes is refused with exit code 2, each of `wanted` stands in the
/// message, and the folder holds what it held before.
#[track_caller]
fn refuses(bytes: impl AsRef<[u8]>, more: &[&str], wanted: &[&str]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("data.csv"), bytes).expect("written");
    let mut arguments = vec!["train", "data.csv", "--out", "model.mote", "--steps", "5"];
    arguments.extend(more);
    let output = run(folder.path(), &arguments);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    for wanted in wanted {
        assert!(text.contains(wanted), "wanted `{wanted}` in: {text}");
    }
    assert_eq!(names(folder.path()), ["data.csv"], "{text}");
}

/// A table with time, two varying columns and whatever `cell` puts into line `line` of column `b`.
fn table(rows: usize, line: usize, cell: &str) -> String {
    let mut text = String::from("time,a,b\n");
    for i in 0..rows {
        let b = if i + 2 == line { cell.to_owned() } else { format!("{}", (i * 7) % 11) };
        text += &format!("2024-01-01 00:{:02}:{:02},{},{b}\n", i / 60, i % 60, (i * 5) % 13);
    }
    text
}

#[test]
fn refuses_data_that_cannot_be_learned_from() {
    refuses("", &[], &["data.csv", "empty"]);
    refuses("time,a,b\n", &[], &["data.csv", "row"]);
    refuses(table(1, 0, ""), &[], &["data.csv", "2 rows", "found 1"]);
    refuses(table(100, 50, "1,2"), &[], &["data.csv:50", "3", "found 4"]);
    refuses(table(100, 50, "abc"), &[], &["data.csv:50", "`b`", "number", "`abc`"]);
    refuses(table(100, 50, "NaN"), &[], &["data.csv:50", "`b`", "NaN"]);
    refuses(table(100, 50, "inf"), &[], &["data.csv:50", "`b`", "inf"]);
    let constant = table(100, 0, "").replace(",0\n", ",3\n");
    let constant: String = constant
        .lines()
        .map(|l| match l.rsplit_once(',') {
            Some((rest, last)) if last != "b" => format!("{rest},3\n"),
            _ => format!("{l}\n"),
        })
        .collect();
    refuses(&constant, &[], &["data.csv", "`b`", "--constant keep", "--drop"]);
    refuses(constant.replace(",3\n", ",\n"), &[], &["data.csv", "`b`", "missing"]);
    let mixed = table(100, 0, "").replace("2024-01-01 00:00:40", "01.02.2024 00:00");
    refuses(mixed, &[], &["data.csv:42", "`time`", "01.02.2024 00:00"]);
    refuses(b"time,a\n1,caf\xe9\n2,x\n", &[], &["data.csv", "UTF-8"]);
    refuses(b"\xff\xfet\0i\0m\0e\0", &[], &["data.csv", "UTF-16"]);
    refuses(table(20, 0, ""), &[], &["data.csv", "wanted", "found"]);
}

#[test]
fn refuses_damaged_containers() {
    // Both formats announce themselves by their first bytes; what follows is cut.
    refuses(b"PAR1\x15\x04\x15\x10", &[], &["data.csv"]);
    refuses(b"\x1f\x8b\x08\0\0\0\0\0\0\x03", &[], &["data.csv", "gzip"]);
    refuses(b"\x28\xb5\x2f\xfd\x04", &[], &["data.csv"]);
}

#[test]
fn refuses_arguments_that_do_not_go_together() {
    let good = table(400, 0, "");
    refuses(&good, &["--columns", "a,nope"], &["nope"]);
    refuses(&good, &["--label", "nope"], &["the label `nope`", "a, b"]);
    refuses(&good, &["--drop", "nope"], &["leave out `nope`", "a, b"]);
    refuses(&good, &["--window", "13"], &["multiple of 8", "13"]);
    refuses(&good, &["--tail", "0"], &["tail"]);
    refuses(&good, &["--false-alarms", "2"], &["--false-alarms", "2"]);
    refuses(&good, &["--train-rows", "4000"], &["4000", "400"]);
    refuses(&good, &["--device", "abacus"], &["cpu", "abacus"]);
    refuses(&good, &["--dataset", "none.toml"], &["none.toml"]);
}

#[test]
fn a_model_cut_or_with_a_flipped_bit_is_refused() {
    let model = fs::read(trained().join("pump.mote")).expect("a model");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let broken = folder.path().join("broken.mote");
    let data = trained().join("normal.csv");
    let check = |bytes: &[u8], what: &str| {
        fs::write(&broken, bytes).expect("written");
        let output = run(folder.path(), &["score", "broken.mote", data.to_str().expect("UTF-8")]);
        assert_eq!(output.status.code(), Some(2), "{what}: {}", said(&output));
        assert!(said(&output).contains("broken.mote"), "{what}: {}", said(&output));
        assert_eq!(printed(&output), "", "{what}");
    };
    for cut in [0, 1, 7, 8, 100, model.len() / 2, model.len() - 1] {
        check(&model[..cut], &format!("cut at {cut}"));
    }
    for i in 0..40 {
        let at = i * (model.len() - 1) / 39;
        let mut bytes = model.clone();
        bytes[at] ^= 1 << (i % 8);
        check(&bytes, &format!("bit {} of byte {at}", i % 8));
    }
    check(b"not a model at all, but long enough to look like one", "text");
}

#[test]
fn a_model_asked_to_score_other_columns_names_them() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("other.csv"), table(100, 0, "")).expect("written");
    let model = trained().join("pump.mote");
    let output = run(folder.path(), &["score", model.to_str().expect("UTF-8"), "other.csv"]);
    assert_eq!(output.status.code(), Some(2));
    for wanted in ["other.csv", "wanted", "found", "`a`"] {
        assert!(said(&output).contains(wanted), "{}", said(&output));
    }
}

#[test]
#[cfg(unix)]
fn a_disk_that_is_full_leaves_nothing_half_written() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("data.csv"), pump_csv(600, 1, 0)).expect("written");
    fs::write(folder.path().join("model.mote"), b"the old model").expect("written");
    // The system refuses files larger than 4 KiB to this process, as it would on a full disk.
    let script = format!(
        "trap '' XFSZ; ulimit -f 4; exec '{}' train data.csv --out model.mote --steps 5",
        env!("CARGO_BIN_EXE_mote")
    );
    let output = std::process::Command::new("bash")
        .args(["-c", &script])
        .current_dir(folder.path())
        .output()
        .expect("bash");
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("cannot write"), "{}", said(&output));
    assert_eq!(names(folder.path()), ["data.csv", "model.mote"]);
    let old = fs::read(folder.path().join("model.mote")).expect("still there");
    assert_eq!(old, b"the old model");

    let model = trained().join("pump.mote");
    let data = trained().join("normal.csv");
    let [model, data] = [&model, &data].map(|p| p.to_str().expect("UTF-8"));
    for arguments in [
        ["score", model, data, "--out", "/dev/full"],
        ["run", model, "--from", data, "--to=/dev/full"],
    ] {
        let output = run(folder.path(), &arguments);
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(said(&output).contains("/dev/full"), "{}", said(&output));
    }
}

#[test]
fn a_broker_that_is_not_there_is_named() {
    let model = trained().join("pump.mote");
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = free.local_addr().expect("an address").port();
    drop(free);
    let from = format!("mqtt://127.0.0.1:{port}/plant");
    let output = run(trained(), &["run", model.to_str().expect("UTF-8"), "--from", &from]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains(&format!("127.0.0.1:{port}")), "{}", said(&output));
}

#[test]
fn a_bad_line_of_a_stream_is_named() {
    use std::{io::Write, process::Stdio};
    let model = trained().join("pump.mote");
    let mut child = mote(trained(), &["run", model.to_str().expect("UTF-8")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary was built with the tests");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(b"{\"current_a\": 1.0}\nnot json\n").expect("written");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("standard input:2"), "{}", said(&output));
}

#[test]
fn files_that_are_not_there_are_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for arguments in [
        vec!["train", "none.csv"],
        vec!["score", "none.mote", "none.csv"],
        vec!["inspect", "none.mote"],
        vec!["inspect", "."],
        vec!["train", ".", "--out", "x.mote"],
    ] {
        let output = run(folder.path(), &arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", said(&output));
        assert!(names(folder.path()).is_empty());
    }
    let output = run(trained(), &["inspect", "pump.mote"]);
    succeeds(&output);
}
