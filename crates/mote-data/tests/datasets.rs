//! Public data sets load by their TOML files, with the counts that other tools find.
//!
//! Rows, labels and constant columns were counted in the files by a few lines of Python.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use mote_data::{Plan, Runs, source::Limits, split::split};

mod shared_data;

/// What is known about one file.
struct Facts {
    rows: usize,
    /// Columns that become inputs.
    columns: usize,
    features: usize,
    /// Rows labelled as anomalies; `None` for a file without labels.
    anomalies: Option<usize>,
    period_s: Option<f64>,
    duplicates: u64,
}

#[track_caller]
fn check(dataset: &str, file: &str, wanted: &Facts) {
    let Some(folder) = shared_data::folder() else { return };
    let settings = shared_data::dataset(dataset);
    let path = folder.join(dataset).join(file);
    let table = settings.read(&path, &Limits::default()).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(table.rows(), wanted.rows, "{file}: rows");

    let tables = [table];
    let plan = Plan::of(&tables, &settings.read).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(plan.schema.columns.len(), wanted.columns, "{file}: {:#?}", plan.decisions);
    assert_eq!(plan.schema.features(), wanted.features, "{file}: features");
    assert_eq!(plan.schema.period_s, wanted.period_s, "{file}: {:?}", plan.notes);

    let runs = Runs::from_tables(&tables, &plan.schema, plan.rules, &settings.read)
        .unwrap_or_else(|e| panic!("{e}"));
    let series = &runs.series()[0];
    assert_eq!(series.sample_of_row().len(), wanted.rows);
    assert!(series.sample_of_row().iter().all(Option::is_some), "{file}: every row has a sample");
    let anomalies = series.row_labels().map(|l| l.iter().filter(|&&l| l).count());
    assert_eq!(anomalies, wanted.anomalies, "{file}: anomalies");
    assert_eq!(series.gaps().duplicates, wanted.duplicates, "{file}: duplicates");
    assert_eq!(series.gaps().late, 0, "a file is sorted, so nothing is late");
    let parts = split(&runs, &settings.split).unwrap_or_else(|e| panic!("{e}"));
    assert!(parts.train.samples() > 0);
}

#[test]
fn skab_has_eight_sensors_and_a_label() {
    let facts = |rows, anomalies| Facts {
        rows,
        columns: 8,
        features: 8,
        anomalies,
        period_s: Some(1.0),
        duplicates: 0,
    };
    check("skab", "anomaly-free/anomaly-free.csv.gz", &facts(9405, None));
    for (file, rows, anomalies) in [
        ("valve1/0", 1147, 401),
        ("valve1/1", 1145, 402),
        ("valve1/2", 1075, 337),
        ("valve1/3", 1148, 404),
        ("valve1/4", 1095, 349),
        ("valve1/5", 1154, 403),
        ("valve1/6", 1154, 405),
        ("valve1/7", 1094, 405),
        ("valve2/0", 1125, 394),
        ("valve2/1", 1063, 333),
        ("other/1", 745, 188),
        ("other/2", 780, 384),
        ("other/3", 1137, 398),
        ("other/4", 1191, 395),
        ("other/5", 1155, 410),
        ("other/6", 1147, 402),
        ("other/7", 1090, 347),
    ] {
        check("skab", &format!("{file}.csv.gz"), &facts(rows, Some(anomalies)));
    }
}

#[test]
fn nab_has_one_value_and_windows_of_anomalies() {
    for (file, rows, anomalies, period_s, duplicates) in [
        ("realAWSCloudwatch/ec2_cpu_utilization_24ae8d.csv.gz", 4032, 402, 300.0, 0),
        ("realAWSCloudwatch/ec2_cpu_utilization_53ea38.csv.gz", 4032, 402, 300.0, 0),
        ("realAWSCloudwatch/ec2_cpu_utilization_5f5533.csv.gz", 4032, 402, 300.0, 0),
        ("realAWSCloudwatch/ec2_disk_write_bytes_1ef3de.csv.gz", 4730, 473, 300.0, 11),
        ("realAWSCloudwatch/ec2_network_in_257a54.csv.gz", 4032, 403, 300.0, 0),
        ("realAWSCloudwatch/elb_request_count_8c0756.csv.gz", 4032, 402, 300.0, 0),
        ("realAWSCloudwatch/grok_asg_anomaly.csv.gz", 4621, 465, 300.0, 0),
        ("realAWSCloudwatch/rds_cpu_utilization_cc0c53.csv.gz", 4032, 402, 300.0, 0),
        ("realAdExchange/exchange-2_cpc_results.csv", 1624, 163, 3600.0, 1),
        ("realAdExchange/exchange-3_cpm_results.csv", 1538, 153, 3600.0, 0),
        ("realKnownCause/ambient_temperature_system_failure.csv.gz", 7267, 726, 3600.0, 0),
        ("realKnownCause/ec2_request_latency_system_failure.csv.gz", 4032, 346, 300.0, 11),
        ("realKnownCause/machine_temperature_system_failure.csv.gz", 22695, 2268, 300.0, 12),
        ("realKnownCause/nyc_taxi.csv.gz", 10320, 1035, 1800.0, 0),
        ("realTraffic/TravelTime_387.csv", 2500, 249, 600.0, 0),
        ("realTraffic/occupancy_6005.csv", 2380, 239, 300.0, 0),
        ("realTraffic/speed_6005.csv", 2500, 239, 300.0, 0),
        ("realTraffic/speed_t4013.csv", 2495, 250, 300.0, 1),
    ] {
        let facts = Facts {
            rows,
            columns: 1,
            features: 1,
            anomalies: Some(anomalies),
            period_s: Some(period_s),
            duplicates,
        };
        check("nab", file, &facts);
    }
}

#[test]
fn smd_and_asd_have_labels_in_files_of_their_own() {
    let facts = |rows, columns, anomalies, period_s| Facts {
        rows,
        columns,
        features: columns,
        anomalies,
        period_s: Some(period_s),
        duplicates: 0,
    };
    check("smd", "train/machine-2-1.txt.gz", &facts(23_693, 38, None, 60.0));
    check("smd", "test/machine-2-1.txt.gz", &facts(23_694, 38, Some(1170), 60.0));
    for (machine, anomalies) in [("omi-1", 441), ("omi-4", 151)] {
        check("asd", &format!("{machine}_train.csv.gz"), &facts(8640, 19, None, 300.0));
        check("asd", &format!("{machine}_test.csv.gz"), &facts(4320, 19, Some(anomalies), 300.0));
    }
}

#[test]
fn ett_is_regular_and_without_labels() {
    for (file, rows, period_s) in
        [("ETTh1.csv.gz", 17_420, 3600.0), ("ETTm1.csv.gz", 69_680, 900.0)]
    {
        let facts = Facts {
            rows,
            columns: 7,
            features: 7,
            anomalies: None,
            period_s: Some(period_s),
            duplicates: 0,
        };
        check("ett", file, &facts);
    }
}

#[test]
fn nsl_kdd_has_words_and_numbers() {
    // 40 columns: 37 numbers, 3 protocols, 66 services and 11 flags in the training file.
    for (file, rows, features, anomalies) in [
        ("KDDTrain+_20Percent.txt.gz", 25_192, 37 + 3 + 66 + 11, 11_743),
        ("KDDTest+.even.txt.gz", 11_272, 37 + 3 + 63 + 10, 6375),
    ] {
        let facts = Facts {
            rows,
            columns: 40,
            features,
            anomalies: Some(anomalies),
            period_s: None,
            duplicates: 0,
        };
        check("nsl_kdd", file, &facts);
    }
}

#[test]
fn a_model_of_one_file_reads_another() {
    let Some(folder) = shared_data::folder() else { return };
    let settings = shared_data::dataset("nsl_kdd");
    let read =
        |file: &str| settings.read(&folder.join("nsl_kdd").join(file), &Limits::default()).unwrap();
    let plan = Plan::of(&[read("KDDTrain+_20Percent.txt.gz")], &settings.read).unwrap();
    let test = [read("KDDTest+.even.txt.gz")];
    let runs = Runs::from_tables(&test, &plan.schema, plan.rules, &settings.read).unwrap();
    assert_eq!(runs.series()[0].features(), plan.schema.features());
    assert_eq!(runs.samples(), 11_272);
}

/// What is known about a file of several recordings.
#[track_caller]
fn check_recordings(dataset: &str, file: &str, recordings: usize, wanted: &Facts) {
    check(dataset, file, wanted);
    let Some(folder) = shared_data::folder() else { return };
    let settings = shared_data::dataset(dataset);
    let table = settings.read(&folder.join(dataset).join(file), &Limits::default()).unwrap();
    let found = table.recordings(&settings.read).unwrap().unwrap();
    assert_eq!(found.iter().max(), Some(&(recordings - 1)), "{file}: recordings");
}

#[test]
fn recordings_of_one_file_are_told_apart() {
    let facts = |rows, columns, features, anomalies| Facts {
        rows,
        columns,
        features,
        anomalies,
        period_s: None,
        duplicates: 0,
    };
    let beats = facts(500 * 140, 1, 1, Some(208 * 140));
    check_recordings("ecg5000", "ECG5000_TRAIN.csv.gz", 500, &beats);
    check_recordings("cmapss", "train_FD001.txt.gz", 100, &facts(20_631, 17, 17, None));
    check_recordings("robot_failures", "lp1.data", 88, &facts(88 * 15, 7, 10, None));
    let motions = facts(40 * 100, 7, 10, None);
    check_recordings("uea_basicmotions", "BasicMotions_TRAIN.ts.gz", 40, &motions);
}

#[test]
fn logs_of_a_can_bus_have_an_identifier_and_bytes() {
    let facts = |features, anomalies| Facts {
        rows: 17_935,
        columns: 9,
        features,
        anomalies,
        period_s: None,
        duplicates: 0,
    };
    check("can_crysys", "S-1-1-benign.log.gz", &facts(18 + 8, None));
    let attacked = "S-1-1-malicious-CONST-msg-mod-0x410-0.4-0.6.log.gz";
    check("can_crysys", attacked, &facts(18 + 8, Some(60)));
}

#[test]
fn a_recording_of_physionet_is_read_by_its_header() {
    let hertz = Facts {
        rows: 650_000,
        columns: 2,
        features: 2,
        anomalies: None,
        period_s: Some(0.002_777_778),
        duplicates: 0,
    };
    check("mitdb", "119.hea", &hertz);
}
