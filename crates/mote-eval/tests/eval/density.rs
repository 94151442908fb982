//! Histograms, kernel densities and principal axes.

use mote_eval::Error;
use mote_eval::density::{Histogram, KernelDensity, MAX_WIDTH, Principal, density_curve};

use crate::golden::{cases, check_close, check_within, count, numbers};
use crate::sampling::Draw;

#[test]
fn kernel_density_equals_scipy() {
    for case in cases(include_str!("../golden/density.json")) {
        let width = count(&case["width"]);
        let density = KernelDensity::fit(&numbers(&case["points"]), width).unwrap();
        let ours = density.log_density(&numbers(&case["queries"])).unwrap();
        let golden = numbers(&case["log_density"]);
        assert_eq!(ours.len(), golden.len());
        for (ours, golden) in ours.iter().zip(golden) {
            // Far points reach −10⁴ nats, where a millionth absolute is the last digits.
            check_within("log density", *ours, golden, 1e-6 * golden.abs().max(1.0));
        }
    }
}

#[test]
fn principal_axes_equal_scikit_learn() {
    for case in cases(include_str!("../golden/density.json")) {
        if case.get("axes").is_none() {
            continue;
        }
        let points = numbers(&case["points"]);
        let ours = Principal::fit(&points, count(&case["width"])).unwrap();
        for k in 0..2 {
            for (ours, golden) in ours.axes[k].iter().zip(numbers(&case["axes"][k])) {
                check_close("axis", *ours, golden);
            }
            check_close("share", ours.variance_share[k], numbers(&case["variance_share"])[k]);
        }
        let projected = ours.project(&points).unwrap();
        for (ours, golden) in projected.iter().zip(case["projected"].as_array().unwrap()) {
            let golden = numbers(golden);
            check_close("x", ours[0], golden[0]);
            check_close("y", ours[1], golden[1]);
        }
    }
}

#[test]
fn leaving_one_out_is_the_density_of_the_others() {
    let mut draw = Draw::new(5);
    let points: Vec<f64> = (0..400).map(|_| draw.normal()).collect();
    let density = KernelDensity::fit(&points, 2).unwrap();
    let with = density.log_density(&points).unwrap();
    let without = density.leave_one_out();
    // n · p(x) = (n − 1) · p₋ᵢ(x) + peak, and the peak is the same for each point.
    let peaks: Vec<f64> =
        with.iter().zip(&without).map(|(w, o)| 200.0 * w.exp() - 199.0 * o.exp()).collect();
    assert!(peaks[0] > 0.0);
    peaks.iter().for_each(|peak| check_within("peak", peak / peaks[0], 1.0, 1e-9));
}

#[test]
fn density_curve_integrates_to_one() {
    let mut draw = Draw::new(6);
    let values: Vec<f64> = (0..300).map(|_| draw.exponential()).collect();
    let curve = density_curve(&values, 400).unwrap();
    let step = curve[1].x - curve[0].x;
    check_within("area", curve.iter().map(|point| point.density * step).sum(), 1.0, 0.01);
}

#[test]
fn points_without_spread_are_refused() {
    #[track_caller]
    fn check(points: &[f64], width: usize, wanted: Error) {
        assert_eq!(KernelDensity::fit(points, width).unwrap_err(), wanted);
    }
    check(&[1.0; 5], 1, Error::Singular { what: "points", column: 0 });
    // The second column is twice the first.
    let twice = [1.0, 2.0, 3.0, 6.0, -1.0, -2.0, 0.5, 1.0];
    check(&twice, 2, Error::Singular { what: "points", column: 1 });
    check(&[1.0, 2.0], 2, Error::TooFew { what: "rows", found: 1, wanted: 3 });
    check(&[], 2, Error::Empty { what: "points" });
    check(&[1.0, 2.0, 3.0], 2, Error::Ragged { what: "points", len: 3, width: 2 });
    assert!(KernelDensity::fit(&[1.0, f64::NAN, 2.0], 1).is_err());
}

#[test]
fn histogram_counts_every_value_once() {
    let ours = Histogram::of(&[0.0, 0.1, 0.5, 0.99, 1.0], 2).unwrap();
    assert_eq!((ours.low, ours.high, ours.bin_width()), (0.0, 1.0, 0.5));
    assert_eq!(ours.counts, [2, 3]);
    let ours = Histogram::of(&[3.0, 3.0], 4).unwrap();
    assert_eq!((ours.low, ours.high), (2.5, 3.5));
    assert_eq!(ours.counts.iter().sum::<usize>(), 2);
    assert!(Histogram::of(&[], 4).is_err());
    assert!(Histogram::of(&[1.0], 0).is_err());
    assert!(Histogram::of(&[f64::INFINITY], 3).is_err());
}

#[test]
fn principal_axes_of_odd_shapes() {
    // One column: a line, the second coordinate is zero.
    let line = Principal::fit(&[1.0, 3.0, 5.0], 1).unwrap();
    assert_eq!(line.variance_share, [1.0, 0.0]);
    assert_eq!(line.project(&[1.0]).unwrap(), [[-2.0, 0.0]]);
    // No spread at all.
    let point = Principal::fit(&[2.0; 8], 2).unwrap();
    assert_eq!(point.variance_share, [0.0, 0.0]);
    assert_eq!(point.project(&[2.0, 2.0]).unwrap(), [[0.0, 0.0]]);
    let wide = vec![0.0; 2 * (MAX_WIDTH + 1)];
    assert!(matches!(Principal::fit(&wide, MAX_WIDTH + 1), Err(Error::TooMany { .. })));
    assert!(line.project(&[]).is_err());
}

#[test]
fn wide_latent_is_turned_onto_its_two_loud_columns() {
    let mut draw = Draw::new(9);
    let width = 64;
    let points: Vec<f64> = (0..500 * width)
        .map(|i| match i % width {
            17 => 9.0 * draw.normal(),
            40 => 4.0 * draw.normal(),
            _ => 0.1 * draw.normal(),
        })
        .collect();
    let ours = Principal::fit(&points, width).unwrap();
    assert!(ours.axes[0][17] > 0.999 && ours.axes[1][40] > 0.999);
    assert!(ours.variance_share[0] + ours.variance_share[1] > 0.99);
    let dot: f64 = ours.axes[0].iter().zip(&ours.axes[1]).map(|(a, b)| a * b).sum();
    check_within("right angle", dot, 0.0, 1e-12);
}
