//! Files that must be refused, each with its kind, its place and a sentence that helps.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::{io::Write as _, sync::Arc};

use arrow_array::{ArrayRef, Float64Array, RecordBatch};
use mote_data::{Dataset, Error, ErrorKind, Overrides, Plan, Runs, Table, source::Limits};

/// Reads bytes as training would.
fn train(bytes: &[u8], overrides: &Overrides) -> Result<Runs, Error> {
    let table = Table::parse("pump.csv", bytes.to_vec(), overrides, &Limits::default())?;
    let tables = [table];
    let plan = Plan::of(&tables, overrides)?;
    Runs::from_tables(&tables, &plan.schema, plan.rules, overrides)
}

fn toml(text: &str) -> Overrides {
    Overrides::from_toml(text).unwrap_or_else(|e| panic!("{e}"))
}

/// The bytes are refused with this kind, and the message holds each of these parts.
#[track_caller]
fn check(bytes: impl AsRef<[u8]>, settings: &str, kind: ErrorKind, parts: &[&str]) {
    let error = train(bytes.as_ref(), &toml(settings)).expect_err("must be refused");
    let message = error.to_string();
    assert_eq!(error.kind(), kind, "{message}");
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
    assert!(message.starts_with("pump.csv"), "names the file: {message}");
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(bytes).unwrap();
    gz.finish().unwrap()
}

fn batch() -> RecordBatch {
    let column = |f: fn(f64) -> f64| -> ArrayRef {
        Arc::new(Float64Array::from_iter_values((0..500).map(|i| f(f64::from(i)))))
    };
    RecordBatch::try_from_iter([("flow", column(f64::sin)), ("pressure", column(f64::cos))])
        .unwrap()
}

fn parquet() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(&mut bytes, batch().schema(), None).unwrap();
    writer.write(&batch()).unwrap();
    writer.close().unwrap();
    bytes
}

const GOOD: &str = "flow,pressure\n1.5,2.5\n1.6,2.6\n1.7,2.4\n";

#[test]
fn refuses_tables_without_enough_rows() {
    check("", "", ErrorKind::Empty, &["empty file"]);
    check("\n\n  \n", "", ErrorKind::Empty, &["empty file"]);
    check("flow,pressure\n", "", ErrorKind::Empty, &["only a header", "`flow`, `pressure`"]);
    check("flow,pressure\n1,2\n", "", ErrorKind::TooFewRows, &["at least 2 rows", "found 1"]);
}

#[test]
fn refuses_rows_of_another_width() {
    let parts = &["pump.csv:3:", "wanted 2 fields, found 3"];
    check("flow,pressure\n1,2\n1,2,3\n4,5\n", "", ErrorKind::Ragged, parts);
    check("1 2 3\n4 5 6\n7 8\n", "", ErrorKind::Ragged, &["pump.csv:3:", "wanted 3", "found 2"]);
}

#[test]
fn refuses_names_that_do_not_fit() {
    check("flow,flow\n1,2\n3,4\n", "", ErrorKind::Header, &["`flow`", "twice"]);
    let names = "names = ['a', 'b', 'c']";
    check(GOOD, names, ErrorKind::Header, &["3 given names", "found 2 columns"]);
    check(GOOD, "numeric = ['level']", ErrorKind::Columns, &["`level`", "`flow`, `pressure`"]);
    check(GOOD, "drop = ['flow', 'pressure']", ErrorKind::Columns, &["to learn from"]);
    check(GOOD, "time = 'when'", ErrorKind::Columns, &["`when`", "`flow`"]);
}

#[test]
fn refuses_values_that_are_no_numbers() {
    let twelve = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n";
    let parts = &["pump.csv:12:", "column `flow`", "wanted a number", "`abc`"];
    check(format!("flow\n{twelve}abc\n11\n"), "", ErrorKind::NotANumber, parts);
    let parts = &["pump.csv:2:", "column `flow`", "wanted a number, found `x`"];
    check("flow\nx\n1\n2\n", "numeric = ['flow']", ErrorKind::NotANumber, parts);
    for value in ["NaN", "nan", "inf", "-Infinity", "1e39"] {
        let parts = &["pump.csv:12:", "column `flow`", "finite"];
        check(format!("flow\n{twelve}{value}\n"), "", ErrorKind::NotFinite, parts);
    }
    assert!(train(format!("flow\n{twelve}NaN\n").as_bytes(), &toml("missing = ['NaN']")).is_ok());
}

#[test]
fn refuses_columns_without_information() {
    let parts = &["column `b`", "every value is missing", "--drop b"];
    check("a,b\n1,\n2,NA\n3,n/a\n", "", ErrorKind::AllMissing, parts);
    let parts = &["column `b`", "`7`", "--drop b,c", "--constant keep", "`c`"];
    check("a,b,c\n1,7,x\n2,7,x\n3,7,x\n", "", ErrorKind::Constant, parts);
    for settings in ["constant = 'keep'", "constant = 'drop'", "drop = ['b']"] {
        assert!(train(b"a,b\n1,7\n2,7\n3,7\n", &toml(settings)).is_ok(), "{settings}");
    }
}

#[test]
fn refuses_times_that_disagree() {
    let mixed = "time,x\n2024-01-01 00:00:00,1\n2024-01-01T00:00:01,2\n2024-01-01 00:00:02,3\n";
    let parts = &["pump.csv:3:", "column `time`", "`2024-01-01 00:00:00`", "`2024-01-01T00:00:01`"];
    check(mixed, "", ErrorKind::Time, parts);
    let zone = "time,x\n2024-01-01 00:00:00,1\n2024-01-01 00:00:01Z,2\n";
    check(zone, "", ErrorKind::Time, &["pump.csv:3:"]);
    let open = "time,x\n01/02/2024 00:00,1\n01/03/2024 00:00,2\n";
    check(open, "", ErrorKind::Time, &["day first or month first", "--time-format"]);
    let both = "time,x\n13/02/2024 00:00,1\n01/13/2024 00:00,2\n";
    check(both, "", ErrorKind::Time, &["pump.csv:3:", "`13/02/2024 00:00`"]);
    let gap = "time,x\n2024-01-01 00:00:00,1\n,2\n2024-01-01 00:00:02,3\n";
    check(gap, "", ErrorKind::Time, &["pump.csv:3:", "wanted a time", "found nothing"]);
    let month = "time,x\n2024-01-01 00:00:00,1\n2024-13-01 00:00:00,2\n";
    check(month, "", ErrorKind::Time, &["pump.csv:3:", "`2024-13-01 00:00:00`"]);
    check("time,x\nsoon,1\nlater,2\n", "time = 'time'", ErrorKind::Time, &["`soon`"]);
}

#[test]
fn refuses_labels_that_are_not_binary() {
    let parts = &["pump.csv:3:", "column `state`", "wanted 0 or 1", "`2`"];
    check("x,state\n1,0\n2,2\n3,1\n", "label = 'state'", ErrorKind::Label, parts);
}

#[test]
fn refuses_text_that_is_not_utf8() {
    let latin1 = b"Temperatur,\xb0C\n1,2\n";
    check(latin1, "", ErrorKind::Encoding, &["pump.csv:1:", "0xb0", "offset 11", "Temperatur,"]);
    let utf16: Vec<u8> = GOOD.encode_utf16().flat_map(u16::to_le_bytes).collect();
    check(&utf16, "", ErrorKind::Encoding, &["UTF-16"]);
    let marked = [&[0xff, 0xfe], utf16.as_slice()].concat();
    check(marked, "", ErrorKind::Encoding, &["UTF-16"]);
    check(b"\x89PNG\r\n\x1a\n\x00\x00\x00", "", ErrorKind::Format, &["zero byte at offset 8"]);
    assert!(train(format!("\u{feff}{GOOD}").as_bytes(), &toml("")).is_ok(), "a BOM is fine");
}

#[test]
fn refuses_files_that_are_cut_short() {
    let gz = gzip(GOOD.repeat(100).as_bytes());
    check(&gz[..gz.len() / 2], "", ErrorKind::Damaged, &["gzip", "cut short or damaged"]);
    let zst = zstd::encode_all(GOOD.as_bytes(), 3).unwrap();
    check(&zst[..zst.len() - 5], "", ErrorKind::Damaged, &["zstd"]);
    let pq = parquet();
    assert!(train(&pq, &toml("")).is_ok());
    for length in [4, 5, pq.len() / 2, pq.len() - 1] {
        check(&pq[..length], "", ErrorKind::Damaged, &["Parquet"]);
    }
    check("{\"a\": 1}\n{\"a\": \n", "", ErrorKind::Format, &["pump.csv:2:", "JSON"]);
    check("{\"a\": 1}\n[1]\n", "", ErrorKind::Payload, &["pump.csv:2:", "a JSON object"]);
}

#[test]
fn refuses_more_than_the_limits() {
    let limits = Limits { bytes_max: 1000, line_bytes_max: 100, columns_max: 8 };
    let refused = |bytes: Vec<u8>, part: &str| {
        let error = Table::parse("big", bytes, &Overrides::default(), &limits).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
        assert!(error.to_string().contains(part), "{error}");
    };
    refused(gzip(&vec![b'1'; 100_000]), "more than 1000 bytes");
    refused(zstd::encode_all(vec![b'1'; 100_000].as_slice(), 3).unwrap(), "more than 1000 bytes");
    refused(vec![b'1'; 500], "at most 100 bytes, found one of 500");
    refused(b"1,2,3,4,5,6,7,8,9\n".to_vec(), "up to 8 fields, found 9");
    refused(format!("{{\"a\": \"{}\"}}", "x".repeat(200)).into_bytes(), "at most 100 bytes");
}

#[test]
fn a_line_of_100_megabytes_is_refused_by_default() {
    let error = train(&vec![b'7'; 100 << 20], &toml("")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
}

#[test]
fn refuses_unknown_settings() {
    let error = Overrides::from_toml("tiem = 'x'").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Settings);
    assert!(error.to_string().contains("tiem"), "{error}");
}

#[test]
fn a_model_says_which_columns_it_misses() {
    let overrides = Overrides::default();
    let table = |text: &str| {
        Table::parse("a.csv", text.as_bytes().to_vec(), &overrides, &Limits::default()).unwrap()
    };
    let plan = Plan::of(&[table(GOOD)], &overrides).unwrap();
    let other = [table("flow,level\n1,2\n3,4\n")];
    let error = Runs::from_tables(&other, &plan.schema, plan.rules, &overrides).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Columns);
    let wanted = "a.csv: wanted a column `pressure`, found `flow`, `level`";
    assert_eq!(error.to_string(), wanted);
}

#[test]
fn labels_of_a_data_set_must_fit_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("a.csv", "time,x\n2024-01-01 00:00:00,1\n2024-01-01 00:00:01,2\n");
    write("a.txt", "0\n1\n1\n");
    write("b.txt", "0\nmaybe\n");
    write("w.json", r#"{"a": [["2024-01-01 00:00:01", "2024-01-01 09:00:00"]], "b": [[1, 2]]}"#);
    let read = |settings: &str| {
        let dataset = Dataset::from_toml(settings)?;
        dataset.read(&folder.path().join("a.csv"), &Limits::default())
    };
    let labels = |settings: &str| read(settings).unwrap().labels().map(<[bool]>::to_vec);
    assert_eq!(labels("labels.windows = 'w.json'"), Some(vec![false, true]));
    assert_eq!(labels("labels = { only = 'other', rows = 'a.txt' }"), None);
    for (settings, kind, part) in [
        ("labels.rows = '{stem}.txt'", ErrorKind::Label, "each of 2 rows, found 3"),
        ("labels.rows = 'b.txt'", ErrorKind::Label, "b.txt:2: wanted 0 or 1, found `maybe`"),
        ("labels.rows = 'none.txt'", ErrorKind::Io, "none.txt: cannot read"),
        ("labels = { windows = 'w.json', key = 'c' }", ErrorKind::Label, "`c`, found none"),
        ("labels = { windows = 'w.json', key = 'b' }", ErrorKind::Label, "`[1,2]`"),
        ("labels.windows = 'a.txt'", ErrorKind::Label, "wanted JSON"),
        ("labels = { rows = 'a.txt', windows = 'w.json' }", ErrorKind::Settings, "one of"),
        ("lables.rows = 'a.txt'", ErrorKind::Settings, "lables"),
    ] {
        let error = read(settings).expect_err(settings);
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(part), "`{part}` is not in: {error}");
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let path = std::path::Path::new("no/such/file.csv");
    let error = Table::read(path, &Overrides::default(), &Limits::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().starts_with("no/such/file.csv: cannot read"), "{error}");
}
