//! The simulated testbed from outside: repeatable, labelled, and readable by the CSV reader.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use mote_data::{
    Overrides, Plan, Runs, Table,
    pump::{self, Config, Fault, FaultKind, Sensor},
    source::Limits,
};

fn quiet(samples: usize, faults: Vec<Fault>) -> Config {
    Config { samples, noise: 0.0, wander: false, faults, ..Config::default() }
}

fn column(simulation: &pump::Simulation, sensor: Sensor) -> Vec<f32> {
    simulation.records.iter().map(|r| r.values[sensor as usize]).collect()
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let config = Config { samples: 200, seed: 7, ..Config::default() }.with_random_faults(2);
    assert_eq!(pump::simulate(&config).csv(), pump::simulate(&config).csv());
    let other = Config { seed: 8, ..config.clone() };
    assert_ne!(pump::simulate(&config).csv(), pump::simulate(&other).csv());
}

#[test]
fn a_run_is_its_own_twin_until_the_fault() {
    let base = Config { samples: 120, seed: 3, ..Config::default() };
    let fault = Fault { kind: FaultKind::Leak, start: 60, end: 100, severity: 0.8 };
    let well = pump::simulate(&base);
    let ill = pump::simulate(&Config { faults: vec![fault], ..base });
    for (i, (a, b)) in well.records.iter().zip(&ill.records).enumerate() {
        assert_eq!(a.values == b.values, i < 60, "sample {i}");
        assert_eq!(b.label, Some((60..100).contains(&i)), "sample {i}");
    }
}

#[test]
fn without_noise_and_faults_a_settled_run_stands_still() {
    let simulation = pump::simulate(&quiet(60, Vec::new()));
    for sensor in [Sensor::Flow, Sensor::Speed, Sensor::Pressure, Sensor::TemperatureMotor] {
        let values = column(&simulation, sensor);
        let (first, last) = (values[0], values[59]);
        assert!((first - last).abs() < 2e-3 * first, "{}: {first} to {last}", sensor.name());
    }
    // The make of the default machine: some 60 l/min at some 2 bar and 2 A.
    assert!((40.0..90.0).contains(&column(&simulation, Sensor::Flow)[0]));
    assert!((1.0..3.0).contains(&column(&simulation, Sensor::Pressure)[0]));
    assert!((1.5..3.0).contains(&column(&simulation, Sensor::Current)[0]));
}

#[test]
fn sensor_faults_touch_only_their_sensor() {
    let sensor = Sensor::Pressure;
    let well = pump::simulate(&Config { samples: 60, ..Config::default() });
    for kind in [
        FaultKind::SensorDrift(sensor),
        FaultKind::SensorStuck(sensor),
        FaultKind::SensorDropout(sensor),
    ] {
        let fault = Fault { kind, start: 20, end: 50, severity: 1.0 };
        let config = Config { samples: 60, faults: vec![fault], ..Config::default() };
        let ill = pump::simulate(&config);
        assert_eq!(kind.sensors(), [sensor]);
        for other in Sensor::ALL.into_iter().filter(|s| *s != sensor) {
            assert_eq!(column(&well, other), column(&ill, other), "{kind:?} {}", other.name());
        }
        let values = column(&ill, sensor);
        match kind {
            FaultKind::SensorDrift(_) => assert!(values[49] - column(&well, sensor)[49] > 0.9),
            FaultKind::SensorStuck(_) => assert!(values[20..50].iter().all(|v| *v == values[19])),
            _ => assert!(values[20..50].iter().all(|v| v.is_nan())),
        }
    }
}

#[test]
fn every_fault_shows_in_a_sensor_that_it_names() {
    for kind in [
        FaultKind::ValveClosing,
        FaultKind::Leak,
        FaultKind::BearingWear,
        FaultKind::Cavitation,
        FaultKind::Imbalance,
        FaultKind::PowerSag,
    ] {
        let fault = Fault { kind, start: 0, end: 90, severity: 0.9 };
        let well = pump::simulate(&quiet(90, Vec::new()));
        let ill = pump::simulate(&quiet(90, vec![fault]));
        for &sensor in kind.sensors() {
            let (a, b) = (column(&well, sensor)[89], column(&ill, sensor)[89]);
            assert!((a - b).abs() > 0.01 * a.abs(), "{kind:?} in {}: {a} and {b}", sensor.name());
        }
    }
}

#[test]
fn a_stuck_valve_shows_when_the_set_point_moves() {
    let base = Config { samples: 900, noise: 0.0, ..Config::default() };
    let fault = Fault { kind: FaultKind::ValveStuck, start: 60, end: 900, severity: 1.0 };
    let well = column(&pump::simulate(&base), Sensor::Flow);
    let ill = column(&pump::simulate(&Config { faults: vec![fault], ..base }), Sensor::Flow);
    let off = well.iter().zip(&ill).map(|(a, b)| (a - b).abs() / a).fold(0.0, f32::max);
    assert!(off > 0.05, "flow is off by {off}");
}

#[test]
fn the_csv_text_reads_back_to_the_records() {
    let dropout = FaultKind::SensorDropout(Sensor::Flow);
    let fault = Fault { kind: dropout, start: 30, end: 40, severity: 1.0 };
    let config = Config { samples: 120, faults: vec![fault], ..Config::default() };
    let simulation = pump::simulate(&config);
    let overrides = Overrides::default();
    let bytes = simulation.csv().into_bytes();
    let table = Table::parse("pump.csv", bytes, &overrides, &Limits::default()).unwrap();
    let tables = [table];
    let plan = Plan::of(&tables, &overrides).unwrap();
    assert_eq!(plan.schema, simulation.schema());
    let runs = Runs::from_tables(&tables, &plan.schema, plan.rules, &overrides).unwrap();
    let series = &runs.series()[0];
    for (i, record) in simulation.records.iter().enumerate() {
        assert_eq!(series.times().unwrap()[i], record.time.unwrap());
        assert_eq!(series.labels().unwrap()[i], record.label.unwrap());
        for (j, &value) in record.values.iter().enumerate() {
            let at = i * series.features() + j;
            assert_eq!(series.mask()[at] == 1.0, value.is_finite());
            assert_eq!(series.values()[at], if value.is_finite() { value } else { 0.0 });
        }
    }
}
