//! The many ways in which one small table is written, and what is decided about it.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, DictionaryArray, Float32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray, types::Int32Type,
};
use mote_data::{
    Overrides, Plan, Runs, Series, Table,
    infer::Role,
    source::{self, Limits},
};

mod shared_data;

fn toml(text: &str) -> Overrides {
    Overrides::from_toml(text).unwrap_or_else(|e| panic!("{e}"))
}

fn load(bytes: impl Into<Vec<u8>>, overrides: &Overrides) -> (Plan, Series) {
    let table = Table::parse("t", bytes.into(), overrides, &Limits::default());
    let tables = [table.unwrap_or_else(|e| panic!("{e}"))];
    let plan = Plan::of(&tables, overrides).unwrap_or_else(|e| panic!("{e}"));
    let runs = Runs::from_tables(&tables, &plan.schema, plan.rules, overrides)
        .unwrap_or_else(|e| panic!("{e}"));
    (plan, runs.series()[0].clone())
}

/// The bytes hold the columns with these features, and the values row by row.
#[track_caller]
fn check(bytes: impl Into<Vec<u8>>, settings: &str, features: &[&str], values: &[f32]) {
    let (plan, series) = load(bytes, &toml(settings));
    assert_eq!(plan.schema.feature_names(), features, "{:#?}", plan.decisions);
    assert_eq!(series.values(), values);
}

const VALUES: [f32; 6] = [1.5, 10.0, -2.0, 20.0, 3.0, 30.0];

#[test]
fn finds_delimiter_and_header() {
    let ab = &["a", "b"];
    check("a,b\n1.5,10\n-2,20\n3,30\n", "", ab, &VALUES);
    check("a;b\r\n1.5;10\r\n-2;20\r\n3;30\r\n", "", ab, &VALUES);
    check("a\tb\n1.5\t10\n-2\t20\n3\t30", "", ab, &VALUES);
    check("a|b\n1.5|10\n-2|20\n3|30\n", "", ab, &VALUES);
    check("  a   b\n 1.5  10\n  -2  20  \n   3  30\n", "", ab, &VALUES);
    check("\"a\",\"b\"\n\"1.5\",\"10\"\n-2,20\n3,30\n", "", ab, &VALUES);
    check("a,b\n 1.5 , 10 \n\n-2,20\n3,3e1\n", "", ab, &VALUES);
    let c = &["c0", "c1"];
    check("1.5,10\n-2,20\n3,30\n", "", c, &VALUES);
    check("1.5 10\n-2 20\n3 30\n", "", c, &VALUES);
    check("1.5,10\n-2,20\n3,30\n", "names = ['a', 'b']", ab, &VALUES);
    check("x,y\n1.5,10\n-2,20\n3,30\n", "names = ['a', 'b']", ab, &VALUES);
    check("1,2\n1.5,10\n-2,20\n3,30\n", "header = true", &["1", "2"], &VALUES);
    check("a:b\n1.5:10\n-2:20\n3:30\n", "delimiter = ':'", ab, &VALUES);
}

#[test]
fn understands_habits_of_exporters() {
    let ab = &["a", "b"];
    check("a;b\n1,5;10\n-2,0;20\n3;30\n", "", ab, &VALUES);
    check("a,b\n1.5,10,\n-2,20\n3,30,\n", "", ab, &VALUES);
    check("a,b,\n1.5,10,\n-2,20,\n3,30,\n", "", ab, &VALUES);
    check("\"a\",\"b\"\n\"1\",1.5,10\n\"2\",-2,20\n\"3\",3,30\n", "", ab, &VALUES);
    check(",a,b\n7,1.5,10\n9,-2,20\n8,3,30\n", "columns = ['a', 'b']", ab, &VALUES);
    check("index,a,b\n0,1.5,10\n1,-2,20\n2,3,30\n", "", ab, &VALUES);
    check("{\"a\":1.5,\"b\":10}\n\n{\"b\":20,\"a\":-2}\n{\"a\":3,\"b\":30}\n", "", ab, &VALUES);
    check(
        "{\"m\":{\"a\":1}}\n{\"m\":{\"a\":true}}\n{\"m\":{\"a\":3}}",
        "",
        &["m.a"],
        &[1.0, 1.0, 3.0],
    );
}

#[test]
fn missing_values_are_zero_and_masked() {
    let (_, series) = load("a,b\n1,\nNA,5\n3,null\n4,6\n", &toml(""));
    assert_eq!(series.values(), [1.0, 0.0, 0.0, 5.0, 3.0, 0.0, 4.0, 6.0]);
    assert_eq!(series.mask(), [1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0]);
    let (_, series) = load("a\n-9999\n1\n2\n?\n", &toml("missing = ['-9999', '?']"));
    assert_eq!(series.mask(), [0.0, 1.0, 1.0, 0.0]);
}

#[test]
fn words_become_one_feature_a_level() {
    let text = "mode,x\nidle,1\nrun,2\n,3\nidle,4\n";
    let values = [1.0, 0.0, 1.0, 0.0, 1.0, 2.0, 0.0, 0.0, 3.0, 1.0, 0.0, 4.0];
    check(text, "", &["mode=idle", "mode=run", "x"], &values);
    check("m\n1\n2\n1\n", "categorical = ['m']", &["m=1", "m=2"], &[1.0, 0.0, 0.0, 1.0, 1.0, 0.0]);
    let (_, series) = load(text, &toml(""));
    assert_eq!(&series.mask()[6..9], [0.0, 0.0, 1.0], "a missing word is missing in all levels");
}

#[test]
fn unknown_words_set_no_level_and_are_not_missing() {
    let overrides = Overrides::default();
    let table = |t: &str| Table::parse("t", t.into(), &overrides, &Limits::default()).unwrap();
    let plan = Plan::of(&[table("m,x\na,1\nb,2\na,3\n")], &overrides).unwrap();
    let other = [table("x,m\n5,c\n6,a\n")];
    let runs = Runs::from_tables(&other, &plan.schema, plan.rules, &overrides).unwrap();
    assert_eq!(runs.series()[0].values(), [0.0, 0.0, 5.0, 1.0, 0.0, 6.0]);
    assert!(runs.series()[0].mask().iter().all(|&m| m == 1.0));
}

#[track_caller]
fn check_time(first: &str, second: &str, settings: &str, format: &str, ns: i64, period_s: f64) {
    let text = format!("when;x\n{first};1\n{second};2\n");
    let overrides = Overrides { time: Some("when".into()), ..toml(settings) };
    let (plan, series) = load(text, &overrides);
    let Role::Time(found) = &plan.decisions[0].role else { panic!("{:?}", plan.decisions) };
    assert_eq!(found.as_ref().map(ToString::to_string).as_deref(), Some(format));
    assert_eq!(series.times().unwrap()[0].0, ns);
    assert_eq!(plan.schema.period_s, Some(period_s));
}

#[test]
fn reads_times_as_people_write_them() {
    // 2024-05-06T07:08:09Z, by `date -u -d @1714979289`.
    let ns = 1_714_979_289_000_000_000;
    check_time("2024-05-06 07:08:09", "2024-05-06 07:08:10", "", "iso", ns, 1.0);
    check_time("2024-05-06T07:08:09Z", "2024-05-06T07:09:09Z", "", "iso", ns, 60.0);
    check_time("2024-05-06T09:08:09+02:00", "2024-05-06T09:08:10+02:00", "", "iso", ns, 1.0);
    check_time("2024-05-06 07:08:09.5", "2024-05-06 07:08:10", "", "iso", ns + 500_000_000, 0.5);
    check_time("2024.05.06_07.08.09", "2024.05.06_07.08.10", "", "iso", ns, 1.0);
    check_time(
        "24/05/2024 07:08",
        "25/05/2024 07:08",
        "",
        "day_first",
        1_716_534_480_000_000_000,
        86_400.0,
    );
    check_time(
        "05/24/2024 7:08 AM",
        "05/24/2024 7:08 PM",
        "",
        "month_first",
        1_716_534_480_000_000_000,
        43_200.0,
    );
    check_time(
        "05/06/2024 07:08:09",
        "05/06/2024 07:08:10",
        "time_format = 'month_first'",
        "month_first",
        ns,
        1.0,
    );
    check_time("1714979289", "1714979290", "", "seconds", ns, 1.0);
    check_time("1714979289.25", "1714979289.5", "", "seconds", ns + 250_000_000, 0.25);
    check_time("1714979289000", "1714979289100", "", "milliseconds", ns, 0.1);
    check_time("1714979289000000", "1714979289000100", "", "microseconds", ns, 0.0001);
    check_time("1714979289000000001", "1714979289000001001", "", "nanoseconds", ns + 1, 1e-6);
    check_time("0", "0.5", "", "seconds", 0, 0.5);
    check_time(
        "06-May-24 07:08:09",
        "06-May-24 07:08:10",
        "time_format = '%d-%b-%y %H:%M:%S'",
        "%d-%b-%y %H:%M:%S",
        ns,
        1.0,
    );
    check_time("2024-05-06", "2024-05-07", "", "iso", 1_714_953_600_000_000_000, 86_400.0);
}

#[test]
fn a_coarse_time_is_not_taken() {
    let (plan, series) = load("date,x\n25/04/2019,1\n25/04/2019,2\n25/04/2019,3\n", &toml(""));
    assert_eq!(plan.decisions[0].role, Role::Ignored, "{}", plan.decisions[0]);
    assert_eq!(series.len(), 3);
}

#[test]
fn labels_are_found_by_name_only() {
    let text = "x,valve,anomaly,changepoint\n1,0,0.0,0\n2,1,1.0,1\n3,0,1.0,0\n";
    let (plan, series) = load(text, &toml(""));
    assert_eq!(plan.schema.feature_names(), ["x", "valve"]);
    assert_eq!(series.row_labels(), Some(&[false, true, true][..]));
    let (plan, series) =
        load("x,type\n1,normal\n2,dos\n", &toml("label='type'\nnormal=['normal']"));
    assert_eq!(plan.schema.feature_names(), ["x"]);
    assert_eq!(series.row_labels(), Some(&[false, true][..]));
    let settings = toml("label='type'\nnormal=['normal', '']");
    let (_, series) = load("x,type\n1,normal\n2,dos\n3,\n", &settings);
    assert_eq!(series.row_labels(), Some(&[false, true, false][..]), "nothing may be normal too");
    let (plan, series) = load("x,anomaly\n1,0\n2,1\n", &toml("label = ''"));
    assert_eq!(plan.schema.feature_names(), ["x"], "what tells the label is no input");
    assert_eq!(series.row_labels(), None);
}

#[test]
fn every_decision_has_a_reason() {
    let mut text = String::from("time,id,name,mode,x\n");
    for i in 0..100 {
        let mode = if i % 2 == 0 { "on" } else { "off" };
        text += &format!("2024-01-01 00:00:{:02},{i},n{i},{mode},{}\n", i % 60, i * i);
    }
    let (plan, _) = load(text, &toml(""));
    let said: Vec<String> = plan.decisions.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "time: time (iso), because of its name and content",
            "id: not used, because it only numbers the rows",
            "name: not used, because it has more than 64 different words, as names or notes do",
            "mode: one of 2 words, because most of its values are words",
            "x: number, because 100 of its 100 values are numbers",
        ]
    );
}

fn typed() -> RecordBatch {
    let us = |s: i64| s * 1_000_000;
    let columns: [(&str, ArrayRef); 5] = [
        ("at", Arc::new(TimestampMicrosecondArray::from(vec![us(10), us(12), us(13)]))),
        ("x", Arc::new(Float32Array::from(vec![Some(1.0), None, Some(3.0)]))),
        ("n", Arc::new(Int64Array::from(vec![7, 8, 9]))),
        ("mode", Arc::new(DictionaryArray::<Int32Type>::from_iter(["a", "b", "a"]))),
        ("label", Arc::new(BooleanArray::from(vec![false, true, false]))),
    ];
    let text: ArrayRef = Arc::new(StringArray::from(vec!["u", "v", "u"]));
    RecordBatch::try_from_iter(columns.into_iter().chain([("word", text)])).unwrap()
}

#[track_caller]
fn check_typed(bytes: Vec<u8>) {
    let (plan, series) = load(bytes, &toml(""));
    let names = ["x", "n", "mode=a", "mode=b", "word=u", "word=v"];
    assert_eq!(plan.schema.feature_names(), names);
    assert_eq!(series.len(), 4, "second 11 was filled in");
    assert_eq!(series.sample_of_row(), [Some(0), Some(2), Some(3)]);
    assert_eq!(&series.values()[..6], [1.0, 7.0, 1.0, 0.0, 1.0, 0.0]);
    assert_eq!(&series.mask()[6..13], [0.0; 7]);
    assert_eq!(series.labels(), Some(&[false, false, true, false][..]));
}

#[test]
fn reads_parquet_with_each_compression_and_arrow() {
    use parquet::{arrow::ArrowWriter, basic::Compression, file::properties::WriterProperties};
    for compression in [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::ZSTD(Default::default()),
        Compression::GZIP(Default::default()),
        Compression::LZ4,
        Compression::LZ4_RAW,
    ] {
        let properties = WriterProperties::builder().set_compression(compression).build();
        let mut bytes = Vec::new();
        let mut writer =
            ArrowWriter::try_new(&mut bytes, typed().schema(), Some(properties)).unwrap();
        writer.write(&typed()).unwrap();
        writer.close().unwrap();
        check_typed(bytes);
    }
    let mut bytes = Vec::new();
    let mut writer = arrow_ipc::writer::FileWriter::try_new(&mut bytes, &typed().schema()).unwrap();
    writer.write(&typed().slice(0, 1)).unwrap();
    writer.write(&typed().slice(1, 2)).unwrap();
    writer.finish().unwrap();
    drop(writer);
    check_typed(bytes);
}

#[test]
fn reads_compressed_files_from_disk() {
    use std::io::Write as _;
    let folder = tempfile::tempdir().unwrap();
    let text = b"a,b\n1,2\n3,5\n";
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(text).unwrap();
    let two_members = [gz.finish().unwrap(), {
        let mut more = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        more.write_all(b"4,6\n").unwrap();
        more.finish().unwrap()
    }]
    .concat();
    let zst = zstd::encode_all(&text[..], 1).unwrap();
    for (bytes, length) in [(text.to_vec(), 12), (two_members, 16), (zst, 12)] {
        // The name says nothing about the format: only the bytes do.
        let path = folder.path().join("data");
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(source::read(&path, &Limits::default()).unwrap().len(), length);
    }
    let error = source::read(folder.path(), &Limits::default()).unwrap_err();
    assert!(error.to_string().contains("found a folder"), "{error}");
}

#[test]
fn the_first_rows_decide_alone() {
    let overrides = toml("");
    let text = "x,mode\n1,a\n2,b\n3,c\n";
    let table = Table::parse("t", text.into(), &overrides, &Limits::default()).unwrap();
    let plan = Plan::of(&[table.head(2)], &overrides).unwrap();
    assert_eq!(plan.schema.feature_names(), ["x", "mode=a", "mode=b"]);
    let runs = Runs::from_tables(&[table], &plan.schema, plan.rules, &overrides).unwrap();
    assert_eq!(runs.samples(), 3);
}

#[test]
fn other_public_files_load_without_settings_of_their_own() {
    let Some(folder) = shared_data::folder() else { return };
    for (file, settings, rows, columns) in [
        ("occupancy/datatraining.txt.gz", "", 8143, 6),
        ("occupancy/datatest.txt.gz", "", 2665, 6),
        ("cmapss/train_FD001.txt.gz", "constant = 'drop'", 20_631, 19),
        ("car_obd/drive5.csv.gz", "constant = 'drop'", 627, 22),
        ("car_obd/live12.csv.gz", "constant = 'drop'", 1151, 22),
        ("timegan/stock_data.csv.gz", "", 3685, 6),
        ("timegan/energydata_complete.csv.gz", "", 19_735, 28),
        (
            "mobile_5g/Download/Static/B_2020.02.14_13.21.26.csv.gz",
            "missing = ['-']\nconstant = 'drop'",
            1013,
            14,
        ),
        ("ton_iot/Train_Test_IoT_Fridge.csv.gz", "drop = ['type']", 39_944, 2),
        ("ton_iot/Train_Test_IoT_Thermostat.csv.gz", "drop = ['type']", 32_774, 2),
    ] {
        let overrides = toml(settings);
        let bytes = std::fs::read(folder.join(file)).unwrap();
        let (plan, series) = load(bytes, &overrides);
        let found = (series.sample_of_row().len(), plan.schema.columns.len());
        assert_eq!(found, (rows, columns), "{file}: {:#?} {:?}", plan.decisions, plan.notes);
    }
}

#[test]
fn decimal_commas_may_have_exponents() {
    let text = "a;b\n1,5;2\n-7,39E-3;3\n2,5e1;4\n";
    check(text, "", &["a", "b"], &[1.5, 2.0, -7.39e-3, 3.0, 25.0, 4.0]);
}

#[test]
fn a_sign_that_may_stand_for_a_missing_value_says_how_to_tell() {
    let text = "a,b\n1,2\n-,3\n2,4\n";
    let settings = toml("numeric = [\"a\"]");
    let tables = [Table::parse("t", text.into(), &settings, &Limits::default()).unwrap()];
    let error = Plan::of(&tables, &settings).unwrap_err().to_string();
    assert!(error.contains("t:3") && error.contains("`--missing -`"), "{error}");
    let (_, series) = load(text, &toml("numeric = [\"a\"]\nmissing = [\"-\"]"));
    assert_eq!(series.mask(), &[1.0, 1.0, 0.0, 1.0, 1.0, 1.0]);
}
