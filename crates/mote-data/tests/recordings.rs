//! Files that hold several recordings, and the formats that do.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::{fs, path::Path};

use mote_data::{
    ErrorKind, Overrides, Plan, Runs, Table, Windows, source::Limits, split::*, windows::Cut,
};

fn toml(text: &str) -> Overrides {
    Overrides::from_toml(text).unwrap_or_else(|e| panic!("{e}"))
}

fn parse(text: &str, settings: &str) -> Result<(Plan, Runs), mote_data::Error> {
    let overrides = toml(settings);
    let table = Table::parse("t", text.into(), &overrides, &Limits::default())?;
    runs(table, &overrides)
}

fn runs(table: Table, overrides: &Overrides) -> Result<(Plan, Runs), mote_data::Error> {
    let tables = [table];
    let plan = Plan::of(&tables, overrides)?;
    let runs = Runs::from_tables(&tables, &plan.schema, plan.rules, overrides)?;
    Ok((plan, runs))
}

/// The values of each recording.
#[track_caller]
fn check(text: &str, settings: &str, features: &[&str], wanted: &[&[f32]]) {
    let (plan, runs) = parse(text, settings).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(plan.schema.feature_names(), features, "{:#?}", plan.decisions);
    let series = &runs.series()[0];
    let found: Vec<&[f32]> = series
        .recordings()
        .map(|r| &series.values()[r.start * features.len()..r.end * features.len()])
        .collect();
    assert_eq!(found, wanted);
}

#[track_caller]
fn refused(text: &str, settings: &str, kind: ErrorKind, says: &str) {
    let error = parse(text, settings).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(says), "{error}");
}

#[test]
fn rows_of_one_value_are_a_recording_in_whatever_order() {
    let text = "unit,x\nb,1\na,10\nb,2\na,20\nb,3\n";
    check(text, "recording = 'unit'", &["x"], &[&[1., 2., 3.], &[10., 20.]]);
    let (_, runs) = parse(text, "recording = 'unit'").unwrap();
    // No window crosses from one into the other, and rows find their way back.
    assert_eq!(Windows::new(&runs, Cut::new(2)).unwrap().len(), 3);
    let series = &runs.series()[0];
    let back = series.to_rows(series.values());
    assert_eq!(back, [1., 10., 2., 20., 3.].map(Some));
    refused(text, "recording = 'engine'", ErrorKind::Columns, "`engine`");
}

#[test]
fn each_recording_has_its_own_clock() {
    let text = "id,time,x\n1,0,1\n1,1,2\n1,2,3\n2,0,10\n2,1,20\n2,3,30\n";
    let (plan, runs) = parse(text, "recording = 'id'").unwrap();
    assert_eq!(plan.schema.period_s, Some(1.0));
    let series = &runs.series()[0];
    assert_eq!(series.values(), [1., 2., 3., 10., 20., 0., 30.], "the gap was filled");
    assert_eq!(series.recordings().collect::<Vec<_>>(), [0..3, 3..7]);
    assert_eq!((series.gaps().segments, series.gaps().late, series.gaps().inserted), (2, 0, 1));
}

#[test]
fn whole_recordings_of_one_file_are_held_out() {
    let mut text = String::from("id,x\n");
    for id in 0..40 {
        (0..30).for_each(|i| text.push_str(&format!("{id},{i}\n")));
    }
    let (_, runs) = parse(&text, "recording = 'id'\nnumeric = ['x']").unwrap();
    let parts = split(&runs, &Split::default()).unwrap();
    let held = parts.validation.unwrap();
    let lengths = |r: &Runs| r.series()[0].recordings().map(|r| r.len()).collect::<Vec<_>>();
    assert_eq!(lengths(&parts.train), [30; 32]);
    assert_eq!(lengths(&held), [30; 8]);
    let from = held.series()[0].sample_of_row().iter().position(Option::is_some);
    assert_eq!(from, Some(4 * 30), "every fifth");
}

#[test]
fn rows_that_are_recordings_are_unfolded() {
    let text = "1,0.5,0.6,0.7\n2,5.5,5.6,5.7\n";
    let settings = "header = false\nwide = true\nlabel = 'c0'\nnormal = ['1']";
    check(text, settings, &["value"], &[&[0.5, 0.6, 0.7], &[5.5, 5.6, 5.7]]);
    let (_, runs) = parse(text, settings).unwrap();
    let labels = runs.series()[0].labels().unwrap();
    assert_eq!(labels, [false, false, false, true, true, true]);
    check(
        "kind,a,b\nx,1,2\ny,3,4\n",
        "wide = true\ncategorical = ['kind']",
        &["value", "kind=x", "kind=y"],
        &[&[1., 1., 0., 2., 1., 0.], &[3., 0., 1., 4., 0., 1.]],
    );
    refused(
        "1,2,x\n3,4,y\n",
        "header = false\nwide = true\nnumeric = ['value']",
        ErrorKind::NotANumber,
        "`x`",
    );
}

#[test]
fn blocks_between_empty_lines_are_recordings() {
    let text = "normal\n\t1\t2\n\t3\t4\n\n\nfault\n\t5\t6\n\t7\t8\n";
    check(
        text,
        "blocks = 'class'\ncategorical = ['class']",
        &["c0", "c1", "class=fault", "class=normal"],
        &[&[1., 2., 0., 1., 3., 4., 0., 1.], &[5., 6., 1., 0., 7., 8., 1., 0.]],
    );
    check("1 2\n3 4\n\n5 6\n", "blocks = 'class'", &["c0", "c1"], &[&[1., 2., 3., 4.], &[5., 6.]]);
    refused("a\n1 2\n3 4 5\n", "blocks = 'class'", ErrorKind::Ragged, "t:3: wanted 2 fields");
}

#[test]
fn series_of_the_uea_archive() {
    let text = "# made up\n@problemName Two\n@classLabel true up down\n@data\n\
                1,2,3:10,20,30:up\n4,?:40,50:down\n";
    check(
        text,
        "",
        &["d0", "d1", "class=down", "class=up"],
        &[
            &[1., 10., 0., 1., 2., 20., 0., 1., 3., 30., 0., 1.],
            &[4., 40., 1., 0., 0., 50., 1., 0.],
        ],
    );
    refused(
        "@data\n1,2:3\n",
        "",
        ErrorKind::Ragged,
        "t:2: wanted 2 samples in dimension 1, found 1",
    );
    refused("@data\n1,2\n3,4:5,6\n", "", ErrorKind::Ragged, "t:3: wanted 1 dimensions, found 2");
    refused("@timeStamps true\n@data\n(0,1)\n", "", ErrorKind::Format, "t:1:");
    refused("@classLabel true\n@data\n", "", ErrorKind::Empty, "found none");
    refused("@classLabel true\n1,2:a\n", "", ErrorKind::Format, "t:2: wanted `@data`");
}

#[test]
fn logs_of_a_can_bus() {
    let text = "(0.000) can0 110#0aff 0 False\n(0.010) can0 1A0#10 1 False\n\
                (0.020) can0 110##1ff00 0 True\n(0.030) can0 1A0#R 0 False\n";
    let (plan, runs) = parse(text, "label = 'flag0'\ndrop = ['flag1']").unwrap();
    assert_eq!(plan.schema.feature_names(), ["id=0x110", "id=0x1A0", "b0", "b1"]);
    assert_eq!(plan.schema.period_s, Some(0.01));
    let series = &runs.series()[0];
    assert_eq!(
        series.values(),
        [1., 0., 10., 255., 0., 1., 16., 0., 1., 0., 255., 0., 0., 1., 0., 0.]
    );
    assert_eq!(series.mask()[..8], [1., 1., 1., 1., 1., 1., 1., 0.]);
    assert_eq!(series.labels().unwrap(), [false, true, false, false]);
    refused("(0.0) can0 110#0a\n(0.1) can0 110#0\n", "", ErrorKind::Format, "t:2: wanted a frame");
}

/// A header for two signals of the counts, and the file of samples.
fn recording(folder: &Path, format: &str, counts: &[[i16; 2]], bytes: &[u8]) -> std::path::PathBuf {
    let sum = |i: usize| counts.iter().fold(0i16, |s, c| s.wrapping_add(c[i]));
    let line = |i: usize, name: &str| {
        format!("r.dat {format} 200(10)/mV 12 0 {} {} 0 {name}\n", counts[0][i], sum(i))
    };
    let header = folder.join("r.hea");
    let text =
        format!("# a comment\nr 2 250 {}\n{}{}", counts.len(), line(0, "V 1"), line(1, "II"));
    fs::write(&header, text).unwrap();
    fs::write(folder.join("r.dat"), bytes).unwrap();
    header
}

#[test]
fn recordings_of_physionet() {
    let folder = tempfile::tempdir().unwrap();
    let counts: [[i16; 2]; 3] = [[210, -190], [10, 2047], [-2047, 11]];
    let words: Vec<u8> = counts.iter().flatten().flat_map(|c| c.to_le_bytes()).collect();
    // Two of twelve bits in three bytes: the high bits of both in the middle.
    let packed: Vec<u8> = counts
        .iter()
        .flat_map(|&[a, b]: &[i16; 2]| {
            [a as u8, ((a >> 8) & 0xf) as u8 | (((b >> 8) & 0xf) << 4) as u8, b as u8]
        })
        .collect();
    for (format, bytes) in [("16", &words), ("212", &packed)] {
        let header = recording(folder.path(), format, &counts, bytes);
        let table = Table::read(&header, &Overrides::default(), &Limits::default()).unwrap();
        let (plan, runs) = runs(table, &Overrides::default()).unwrap();
        assert_eq!(plan.schema.feature_names(), ["V 1", "II"]);
        assert_eq!(plan.schema.period_s, Some(0.004));
        let wanted = counts.as_flattened().iter().map(|&c| (f32::from(c) - 10.0) / 200.0);
        assert_eq!(runs.series()[0].values(), wanted.collect::<Vec<_>>());
    }

    let header = recording(folder.path(), "212", &counts, &packed[..6]);
    let read = |header: &Path| Table::read(header, &Overrides::default(), &Limits::default());
    let error = read(&header).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
    for (text, says) in [
        ("r\n", "wanted a name and a number of signals"),
        ("r 2 250\nr.dat 212 200\n", "wanted 2 lines of signals, found 1"),
        ("r 1 250\nr.dat 310 200\n", "r.hea:2: wanted format 16 or 212, found `310`"),
        ("r 1 250\n../r.dat 16 200\n", "beside the header"),
        ("r 1 250\nr.dat 16 200(x)\n", "wanted a gain"),
        ("r/2 1 250\n", "wanted a recording of one segment"),
        ("r 1 0\n", "wanted samples a second"),
    ] {
        fs::write(&header, text).unwrap();
        let error = read(&header).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Format, "{error}");
        assert!(error.to_string().contains(says), "{error}");
    }
    fs::write(&header, "r 1 250\ns.dat 16 200\n").unwrap();
    assert_eq!(read(&header).unwrap_err().kind(), ErrorKind::Io);
}
