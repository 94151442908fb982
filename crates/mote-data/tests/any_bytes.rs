//! Whatever the bytes, reading ends with a table or an error: it never panics and never hangs.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use mote_data::{Overrides, Plan, Runs, Table, payload, source::Limits};
use mote_format::{Column, Kind, Schema};
use proptest::prelude::*;

fn read(bytes: Vec<u8>) {
    read_as(bytes, &Overrides::default());
}

fn read_as(bytes: Vec<u8>, overrides: &Overrides) {
    let limits = Limits { bytes_max: 1 << 20, line_bytes_max: 1 << 16, columns_max: 256 };
    let Ok(table) = Table::parse("any", bytes, overrides, &limits) else { return };
    let tables = [table];
    let Ok(plan) = Plan::of(&tables, overrides) else { return };
    // What could be planned can be read, because both look at all cells.
    let runs = Runs::from_tables(&tables, &plan.schema, plan.rules, overrides);
    assert!(runs.is_ok(), "{runs:?}");
}

fn batch() -> RecordBatch {
    let numbers: ArrayRef = Arc::new(Float64Array::from_iter_values((0..40).map(f64::from)));
    let words: ArrayRef =
        Arc::new(StringArray::from_iter_values((0..40).map(|i| ["on", "off"][i % 2])));
    RecordBatch::try_from_iter([("n", numbers), ("w", words)]).unwrap()
}

fn parquet() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(&mut bytes, batch().schema(), None).unwrap();
    writer.write(&batch()).unwrap();
    writer.close().unwrap();
    bytes
}

fn arrow() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = arrow_ipc::writer::FileWriter::try_new(&mut bytes, &batch().schema()).unwrap();
    writer.write(&batch()).unwrap();
    writer.finish().unwrap();
    drop(writer);
    bytes
}

fn damaged(good: &[u8], changes: &[(prop::sample::Index, u8)]) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for (at, byte) in changes {
        let at = at.index(bytes.len());
        bytes[at] = *byte;
    }
    bytes
}

fn changes() -> impl Strategy<Value = Vec<(prop::sample::Index, u8)>> {
    prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn bytes_of_any_kind(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read(bytes);
    }

    #[test]
    fn bytes_behind_a_magic_number(
        magic in prop::sample::select(vec![
            &b"\x1f\x8b\x08"[..], b"\x28\xb5\x2f\xfd", b"PAR1", b"ARROW1\0\0", b"{", b"\xff\xfe",
        ]),
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        read([magic, &bytes].concat());
    }

    #[test]
    fn text_of_a_table_gone_wrong(
        text in "((time|x|[a-z]{0,2}|-?[0-9]{1,3}(\\.[0-9])?|2024-0[1-9]-0[1-9]|nan|\"|é)(,|;|\t| |\n)){0,60}"
    ) {
        read(text.into_bytes());
    }

    #[test]
    fn json_lines_gone_wrong(text in "(\\{\"[ab]\":(1|\"x\"|null|true|\\[\\]|\\{\"c\":2\\})\\}\n?){0,9}\\}?") {
        read(text.into_bytes());
    }

    #[test]
    fn recordings_gone_wrong(
        text in "(@classLabel true\n)?@data\n((-?[0-9]|\\?|[ab]|@|é)(,|:|\n|,[0-9],[0-9]:a\n)){0,40}"
    ) {
        read(text.into_bytes());
    }

    #[test]
    fn frames_gone_wrong(
        text in "(\\([0-9]\\.[0-9]\\) can[01] ([0-9a-f]{3}#){0,2}([0-9a-f]{2}){0,9}(R|é| False| 1)?\n){0,12}"
    ) {
        read(text.into_bytes());
    }

    #[test]
    fn tables_that_are_reshaped(
        text in "([a-z]{0,3}\n){0,2}((-?[0-9]{1,3}|[a-z]|)(,|\t| |\n|\n\n)){0,60}"
    ) {
        for settings in ["wide = true", "blocks = 'class'", "recording = 'c0'\nheader = false"] {
            let overrides = Overrides::from_toml(settings).unwrap();
            read_as(text.clone().into_bytes(), &overrides);
        }
    }

    #[test]
    fn a_parquet_file_with_changed_bytes(changes in changes()) {
        read(damaged(&parquet(), &changes));
    }

    #[test]
    fn an_arrow_file_with_changed_bytes(changes in changes()) {
        read(damaged(&arrow(), &changes));
    }

    #[test]
    fn messages_of_any_kind(
        text in "(\\[|\\{|\\}|\\]|,|:|\"(n|v|bn|t|x|time)\"|1e9|null|-3|\"a\"){0,30}"
    ) {
        let columns = vec![Column { name: "x".into(), kind: Kind::Numeric }];
        let schema = Schema { columns, period_s: None };
        let _ = payload::decode(&schema, text.as_bytes(), None);
    }
}

#[test]
fn every_prefix_of_a_columnar_file() {
    for good in [parquet(), arrow()] {
        for length in 0..good.len() {
            read(good[..length].to_vec());
        }
    }
}
