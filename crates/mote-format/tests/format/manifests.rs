//! Rules of the manifest: what contradicts itself is refused with a sentence.

use mote_format::{
    Column, Error, Kind, Manifest, Model, container, limits,
    manifest::{Density, Detector, Generator, Margins, Path, Solver, Tracking},
    model,
};

use crate::sample;

#[track_caller]
fn check(edit: impl Fn(&mut Manifest), wanted: &str) {
    let mut manifest = sample::manifest();
    edit(&mut manifest);
    let file = model::write(&manifest, &sample::tensors());
    let error = Model::open(&file).unwrap_err();
    assert!(matches!(error, Error::Manifest { .. } | Error::Limit { .. }), "{error}");
    assert_eq!(error.to_string(), wanted);
}

fn accepted(edit: impl Fn(&mut Manifest)) -> bool {
    let mut manifest = sample::manifest();
    edit(&mut manifest);
    Model::open(&model::write(&manifest, &sample::tensors())).is_ok()
}

fn detector(manifest: &mut Manifest) -> &mut Detector {
    manifest.detector.as_mut().unwrap()
}

#[test]
fn the_tail_lies_within_the_window() {
    check(|m| m.window.tail = 0, "manifest: a tail of 0 samples in a window of 3");
    check(|m| m.window.tail = 4, "manifest: a tail of 4 samples in a window of 3");
    check(|m| m.window.length = 0, "manifest: a tail of 1 samples in a window of 0");
    check(
        |m| (m.window.length, m.window.tail) = (0, 0),
        "manifest: a tail of 0 samples in a window of 0",
    );
    assert!((1..=3).all(|tail| accepted(|m| m.window.tail = tail)));
}

#[test]
fn tracking_is_a_computation_that_cannot_fail() {
    let rejected =
        |edit: fn(&mut Tracking)| !accepted(|m| edit(detector(m).tracking.as_mut().unwrap()));
    assert!(rejected(|t| t.memory = 0.5));
    assert!(rejected(|t| t.clip = 0.0));
    assert!(rejected(|t| t.unit = 0.0));
    assert!(rejected(|t| t.deviation = -1.0));
    assert!(accepted(|m| detector(m).tracking.as_mut().unwrap().memory = 1.0));
    assert!(accepted(|m| detector(m).tracking = None), "as files before it was known");
}

#[test]
fn columns_have_names_of_their_own() {
    let wanted = "manifest: two columns have one name";
    check(|m| m.schema.columns[1].name = m.schema.columns[0].name.clone(), wanted);
    check(
        |m| {
            let kind = Kind::Categorical { levels: vec!["on".into()] };
            m.schema.columns[1] = Column { name: m.schema.columns[0].name.clone(), kind };
        },
        wanted,
    );
    let many = limits::COLUMNS + 1;
    check(
        |m| {
            let column = |i| Column { name: format!("c{i}"), kind: Kind::Numeric };
            m.schema.columns = (0..many).map(column).collect();
        },
        "wanted at most 16384 columns, found 16385",
    );
}

#[test]
fn time_goes_forward() {
    check(|m| m.schema.period_s = Some(0.0), "manifest: a period of 0 s");
    check(|m| m.schema.period_s = Some(-0.1), "manifest: a period of -0.1 s");
    assert!(accepted(|m| m.schema.period_s = Some(f64::MIN_POSITIVE)));
    assert!(accepted(|m| m.schema.period_s = None));
}

#[test]
fn a_detector_needs_a_density_that_can_be_computed() {
    check(|m| m.density = Density::Implicit, "manifest: a detector without a density");
    for density in [Density::Exact, Density::Bound, Density::Energy] {
        assert!(accepted(|m| m.density = density));
    }
    assert!(accepted(|m| (m.density, m.detector) = (Density::Implicit, None)));
}

#[test]
fn a_detector_knows_every_feature() {
    check(
        |m| detector(m).feature_mean.truncate(1),
        "manifest: baselines for [1, 2] features, the schema has 2",
    );
    check(
        |m| detector(m).feature_deviation.push(1.0),
        "manifest: baselines for [2, 3] features, the schema has 2",
    );
    check(
        |m| {
            let levels = vec!["on".into(), "off".into(), "fault".into()];
            m.schema.columns[0].kind = Kind::Categorical { levels };
            m.margins = None;
        },
        "manifest: baselines for [2, 2] features, the schema has 4",
    );
}

#[test]
fn a_detector_divides_by_no_zero() {
    let wanted = "manifest: a deviation that is not positive";
    check(|m| detector(m).feature_deviation[1] = 0.0, wanted);
    check(|m| detector(m).feature_deviation[0] = -0.0, wanted);
    check(|m| detector(m).feature_deviation[0] = -1.0, wanted);
    assert!(accepted(|m| detector(m).feature_deviation[0] = f32::MIN_POSITIVE));
}

#[test]
fn calmness_can_be_computed() {
    let wanted = "manifest: a calmness that cannot be computed: below 0.25, times 0";
    check(|m| detector(m).typical.as_mut().unwrap().slope = 0.0, wanted);
    assert!(accepted(|m| detector(m).typical.as_mut().unwrap().least = -1.0));
    assert!(accepted(|m| detector(m).typical = None));
}

/// JSON has no infinity, but it has numbers that would be infinite as `f32`.
#[test]
fn a_detector_has_no_number_that_is_too_large() {
    for (from, to) in [("3.5", "3.5e39"), ("-0.2", "-2e39")] {
        let json = serde_json::to_string(&sample::manifest()).unwrap().replacen(from, to, 1);
        let metadata = [("mote.manifest", json.as_str()), ("mote.version", "1")];
        let metadata = metadata.map(|(k, v)| (k.into(), v.into())).into();
        let error = Model::open(&container::write(&sample::tensors(), &metadata)).unwrap_err();
        assert!(error.to_string().starts_with("manifest: number out of range"), "{error}");
    }
}

#[test]
fn programs_have_names_of_their_own_and_are_few() {
    check(|m| m.programs.push(sample::program()), "manifest: two programs are named `score`");
    check(
        |m| m.programs = vec![sample::program(); limits::PROGRAMS + 1],
        "wanted at most 64 programs, found 65",
    );
}

#[test]
fn features_are_counted_and_named_by_column_and_level() {
    let mut schema = sample::manifest().schema;
    let levels = vec!["off".into(), "on".into()];
    schema.columns.insert(1, Column { name: "valve".into(), kind: Kind::Categorical { levels } });
    assert_eq!(schema.features(), 4);
    let names = ["flow \"l/s\" µ", "valve=off", "valve=on", "pressure"];
    assert_eq!(schema.feature_names(), names);
    assert_eq!(schema.feature_columns(), [0, 1, 1, 2]);
}

#[test]
fn a_generator_takes_at_least_one_evaluation_and_not_too_many() {
    fn of(manifest: &mut Manifest, evaluations: usize) {
        let (path, solver) = (Path::Straight, Solver::Multistep);
        manifest.generator = Some(Generator::Iterative { path, solver, evaluations });
    }
    assert!(accepted(|m| of(m, 1)));
    assert!(accepted(|m| m.generator = Some(Generator::Direct)));
    assert!(accepted(|m| m.generator = Some(Generator::Sequential)));
    assert!(accepted(|m| m.generator = None), "as files before it was known");
    assert!(!accepted(|m| of(m, 0)));
    assert!(!accepted(|m| of(m, limits::EVALUATIONS + 1)));
}

#[test]
fn margins_are_finite_numbers_for_each_coverage_sample_and_feature() {
    fn of(manifest: &mut Manifest, coverages: &[f64], horizon: usize, values: &[f32]) {
        let (coverages, values) = (coverages.to_vec(), values.to_vec());
        manifest.margins = Some(Margins { coverages, horizon, values });
    }
    assert!(accepted(|m| m.margins = None), "as files before they were known");
    assert!(accepted(|m| of(m, &[0.9], 1, &[0.5, -0.5])));
    assert!(accepted(|m| of(m, &[0.5, 0.9], 1, &[0.5, -0.5, 1.0, 2.0])));
    assert!(!accepted(|m| of(m, &[], 1, &[])));
    assert!(!accepted(|m| of(m, &[0.9], 0, &[])));
    assert!(!accepted(|m| of(m, &[0.9], 2, &[0.5, -0.5])));
    assert!(!accepted(|m| of(m, &[0.9], usize::MAX, &[0.5, -0.5])));
    assert!(!accepted(|m| of(m, &[0.9, 0.5], 1, &[0.5, -0.5, 1.0, 2.0])));
    assert!(!accepted(|m| of(m, &[1.0], 1, &[0.5, -0.5])));
    assert!(!accepted(|m| of(m, &[f64::NAN], 1, &[0.5, -0.5])));
    assert!(!accepted(|m| of(m, &[0.9], 1, &[0.5, f32::INFINITY])));
}

#[test]
fn margins_are_found_by_the_coverage_that_they_promise() {
    let margins = sample::manifest().margins.unwrap();
    assert_eq!(margins.of(0.95 - 0.05), Some(&[1.5, 2.5, 1e-7, 4.0][..]));
    assert_eq!(margins.of(0.5), Some(&[0.25, -0.1, 0.3, 0.0][..]));
    assert_eq!(margins.of(0.8), None);
}
