//! Distances between sets of windows, against scikit-learn, SciPy, prdc and vendi-score.

use mote_eval::{
    Error, Windows,
    generation::{
        Closeness, autocorrelation_error, birthday, cross_correlation_error, frechet_distance,
        marginal_distance, mean_discrepancy, memorization, sliced_wasserstein, support,
        vendi_score, wasserstein,
    },
};

use crate::golden::{cases, check_close, check_within, count, number, numbers};
use crate::sampling::Draw;

/// Distances are summed in `f32`.
const SINGLE: f64 = 2e-5;

fn floats(value: &serde_json::Value) -> Vec<f32> {
    numbers(value).into_iter().map(|v| v as f32).collect()
}

fn normal(count: usize, seed: u64, scale: f64) -> Vec<f32> {
    let mut draw = Draw::new(seed);
    (0..count).map(|_| (scale * draw.normal()) as f32).collect()
}

#[test]
fn distances_equal_their_references() {
    for case in cases(include_str!("../golden/distances.json")) {
        let (real, generated) = (floats(&case["real"]), floats(&case["generated"]));
        let (length, features) = (count(&case["length"]), count(&case["features"]));
        let real = Windows::new(&real, length, features).unwrap();
        let generated = Windows::new(&generated, length, features).unwrap();

        let mmd = mean_discrepancy(real, generated, None).unwrap();
        check_within("bandwidth", mmd.bandwidth, number(&case["bandwidth"]), SINGLE);
        check_within("mmd", mmd.squared, number(&case["mmd2"]), SINGLE);
        let vendi = vendi_score(real, number(&case["bandwidth"])).unwrap();
        check_within("vendi", vendi, number(&case["vendi"]), 1e-4);

        let prdc = support(real, generated, 3).unwrap();
        for (name, ours) in [
            ("precision", prdc.precision),
            ("recall", prdc.recall),
            ("density", prdc.density),
            ("coverage", prdc.coverage),
        ] {
            check_close(name, ours, number(&case["prdc"][name]));
        }
        let cross = cross_correlation_error(real, generated).unwrap();
        check_within("cross correlation", cross.error, number(&case["ccf"]), SINGLE);
        if length > 1 {
            let auto = autocorrelation_error(real, generated).unwrap();
            for (ours, golden) in auto.features.iter().zip(numbers(&case["acf"])) {
                check_close("autocorrelation", *ours, golden);
            }
        }
        let marginals = marginal_distance(real, generated).unwrap();
        let (w, ks) = (numbers(&case["wasserstein"]), numbers(&case["ks"]));
        for (j, marginal) in marginals.features.iter().enumerate() {
            let column: Vec<f64> =
                real.data().iter().skip(j).step_by(features).map(|v| f64::from(*v)).collect();
            let mean = column.iter().sum::<f64>() / column.len() as f64;
            let variance = column.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
            let deviation = (variance / column.len() as f64).sqrt();
            check_close("wasserstein", marginal.wasserstein * deviation, w[j]);
            check_close("largest gap", marginal.largest_gap, ks[j]);
        }
    }
}

#[test]
fn frechet_distance_equals_scipy() {
    for case in cases(include_str!("../golden/frechet.json")) {
        let (real, generated) = (numbers(&case["real"]), numbers(&case["generated"]));
        let ours = frechet_distance(&real, &generated, count(&case["width"])).unwrap();
        check_within("distance", ours.distance / number(&case["distance"]), 1.0, 1e-9);
        check_close("mean part", ours.mean_part, number(&case["mean"]));
        let same = frechet_distance(&real, &real, count(&case["width"])).unwrap();
        check_within("to itself", same.distance, 0.0, 1e-9 * number(&case["distance"]));
    }
}

#[test]
fn frechet_distance_of_known_gaussians_and_singular_ones() {
    // Points at ±a along an axis have variance 2 a² (unbiased, two points).
    let ours = frechet_distance(&[1.0, -1.0], &[3.0, -3.0], 1).unwrap();
    check_close("variances 2 and 18", ours.distance, (18.0f64.sqrt() - 2.0f64.sqrt()).powi(2));
    let line = [0.0, 0.0, 1.0, 1.0, 2.0, 2.0];
    let across = [0.0, 0.0, 1.0, -1.0, 2.0, -2.0];
    let ours = frechet_distance(&line, &across, 2).unwrap();
    check_close("orthogonal lines", ours.spread_part, 4.0);
    assert!(matches!(frechet_distance(&line, &[1.0, 2.0], 2), Err(Error::TooFew { .. })));
    assert!(matches!(frechet_distance(&line, &[f64::NAN; 4], 2), Err(Error::BadValue { .. })));
}

#[test]
fn wasserstein_distances_equal_quantile_integrals() {
    for case in cases(include_str!("../golden/wasserstein.json")) {
        let (a, b) = (numbers(&case["a"]), numbers(&case["b"]));
        check_close("order 1", wasserstein(&a, &b, 1.0).unwrap(), number(&case["order_1"]));
        check_close("order 2", wasserstein(&a, &b, 2.0).unwrap(), number(&case["order_2"]));
        check_close(
            "order 2 by powers",
            wasserstein(&b, &a, 2.000_000_01).unwrap(),
            number(&case["order_2"]),
        );
    }
    assert!(matches!(wasserstein(&[1.0], &[], 1.0), Err(Error::Empty { .. })));
    assert!(matches!(wasserstein(&[1.0], &[1.0], 0.5), Err(Error::OutOfRange { .. })));
}

#[test]
fn sliced_distance_of_a_shift_is_its_length_over_the_root_of_the_width() {
    let real = normal(6 * 300, 1, 1.0);
    let shifted: Vec<f32> =
        real.iter().enumerate().map(|(i, v)| if i % 6 == 2 { v + 3.0 } else { *v }).collect();
    let (real, shifted) =
        (Windows::new(&real, 3, 2).unwrap(), Windows::new(&shifted, 3, 2).unwrap());
    let ours = sliced_wasserstein(real, shifted, 4000, 5).unwrap();
    check_within("shift", ours, 3.0 / 6.0f64.sqrt(), 0.05);
    assert_eq!(ours, sliced_wasserstein(real, shifted, 4000, 5).unwrap());
    assert_eq!(sliced_wasserstein(real, real, 10, 5).unwrap(), 0.0);
    assert!(matches!(sliced_wasserstein(real, real, 0, 5), Err(Error::TooFew { .. })));
}

#[test]
fn memorization_tells_copies_from_fresh_windows() {
    let width = 8;
    let set = |seed| normal(200 * width, seed, 1.0);
    let (training, held_back) = (set(1), set(2));
    #[track_caller]
    fn check(
        generated: &[f32],
        training: &[f32],
        held_back: &[f32],
        wanted: Closeness,
        word: &str,
    ) {
        let of = |data| Windows::new(data, 4, 2).unwrap();
        let ours = memorization(of(generated), of(training), of(held_back)).unwrap();
        assert_eq!(ours.verdict, wanted, "{ours:?}");
        assert!(ours.explanation().contains(word), "{}", ours.explanation());
    }
    let near: Vec<f32> =
        training.iter().zip(normal(200 * width, 3, 0.05)).map(|(t, n)| t + n).collect();
    let leaning: Vec<f32> =
        training.iter().zip(normal(200 * width, 3, 0.6)).map(|(t, n)| 0.85 * t + n).collect();
    let far: Vec<f32> = set(4).iter().map(|v| 3.0 * v).collect();
    check(&training, &training, &held_back, Closeness::Copies, "repeats");
    check(&near, &training, &held_back, Closeness::Copies, "repeats");
    check(&leaning, &training, &held_back, Closeness::Leans, "lean towards");
    check(&set(4), &training, &held_back, Closeness::Fresh, "No sign");
    check(&far, &training, &held_back, Closeness::Far, "little is matched");

    let of = |data| Windows::new(data, 4, 2).unwrap();
    let copies = memorization(of(&training), of(&training), of(&held_back)).unwrap();
    assert_eq!((copies.ratio, copies.duplicate_share), (Some(0.0), 1.0));
    let repeated = memorization(of(&held_back), of(&training), of(&training)).unwrap();
    assert_eq!(repeated.ratio, None, "nothing is nearer than a repetition");
    let few = of(&training[..8 * width]);
    assert!(matches!(
        memorization(few, of(&training), of(&held_back)),
        Err(Error::TooFew { found: 8, .. })
    ));
}

#[test]
fn few_kinds_of_windows_are_noticed() {
    let kinds = normal(10 * 4, 1, 1.0);
    let mut draw = Draw::new(2);
    let generated: Vec<f32> = (0..300)
        .flat_map(|_| {
            let kind = (draw.uniform() * 10.0) as usize;
            kinds[4 * kind..4 * kind + 4].to_vec()
        })
        .collect();
    let (real, generated, fresh) = (normal(300 * 4, 3, 1.0), generated, normal(300 * 4, 4, 1.0));
    let of = |data| Windows::new(data, 2, 2).unwrap();
    let variety = birthday(of(&real), of(&generated)).unwrap().variety.unwrap();
    check_within("ten kinds", variety, 10.0, 1.0);
    let fresh_twins = birthday(of(&real), of(&fresh)).unwrap().twins;
    assert!(fresh_twins < 10, "{fresh_twins}");
    let few = vendi_score(of(&generated), 0.5).unwrap();
    assert!(few <= 10.0 + 1e-6 && vendi_score(of(&fresh), 0.5).unwrap() > 30.0, "{few}");
    let same = [1.0f32; 40];
    check_close("all the same", vendi_score(of(&same), 1.0).unwrap(), 1.0);
}

#[test]
fn edges_of_distances() {
    let one = [0.5f32, 1.0];
    let constant = [2.0f32; 40];
    let some = normal(40, 9, 1.0);
    let of = |data| Windows::new(data, 2, 1).unwrap();
    let (one, constant, some) = (of(&one), of(&constant), of(&some));
    assert!(matches!(mean_discrepancy(one, some, None), Err(Error::TooFew { .. })));
    assert!(matches!(mean_discrepancy(constant, constant, None), Err(Error::Constant { .. })));
    assert!(matches!(mean_discrepancy(some, some, Some(0.0)), Err(Error::OutOfRange { .. })));
    assert!(matches!(support(some, some, 0), Err(Error::OutOfRange { .. })));
    assert!(matches!(support(one, some, 1), Err(Error::TooFew { .. })));
    assert!(matches!(birthday(one, some), Err(Error::TooFew { .. })));
    // Nothing varies: no correlation, and no distance between two constants but their difference.
    assert_eq!(autocorrelation_error(constant, constant).unwrap().error, 0.0);
    let cross = cross_correlation_error(constant, some).unwrap();
    assert!(cross.error.is_finite() && cross.mean == 0.0);
    let marginal = marginal_distance(constant, some).unwrap();
    assert!(marginal.distance > 1.0 && marginal.features[0].deviation_ratio > 0.0);
    assert_eq!(marginal_distance(one, one).unwrap().distance, 0.0);
    let single = Windows::points(&[1.0, 2.0], 1).unwrap();
    assert!(matches!(autocorrelation_error(single, single), Err(Error::TooFew { .. })));
}
