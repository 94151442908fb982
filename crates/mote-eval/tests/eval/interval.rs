//! Means, quantiles and latencies.

use mote_eval::{Error, Latency, mean_interval, median, quantile};

use crate::golden::{cases, check_close, number, numbers};

#[test]
fn intervals_and_quantiles_equal_scipy_and_numpy() {
    for case in cases(include_str!("../golden/interval.json")) {
        let values = numbers(&case["values"]);
        let ours = mean_interval(&values, number(&case["confidence"])).unwrap();
        check_close("low", ours.low, number(&case["interval"][0]));
        check_close("high", ours.high, number(&case["interval"][1]));
        check_close("std_dev", ours.std_dev, number(&case["std_dev"]));
        for pair in case["quantiles"].as_array().unwrap() {
            let ours = quantile(&values, number(&pair[0])).unwrap();
            check_close("quantile", ours, number(&pair[1]));
        }
    }
}

#[test]
fn one_seed_gives_no_interval() {
    let wanted = Error::TooFew { what: "values", found: 1, wanted: 2 };
    assert_eq!(mean_interval(&[0.5], 0.95), Err(wanted));
    assert!(mean_interval(&[0.5, f64::INFINITY], 0.95).is_err());
    assert!(mean_interval(&[0.5, 0.6], 1.0).is_err());
}

#[test]
fn equal_seeds_give_a_point() {
    let ours = mean_interval(&[0.25; 4], 0.95).unwrap();
    assert_eq!((ours.low, ours.mean, ours.high), (0.25, 0.25, 0.25));
}

#[test]
fn quantiles_of_odd_input() {
    assert_eq!(median(&[3.0]), Ok(3.0));
    assert_eq!(median(&[4.0, 1.0]), Ok(2.5));
    assert_eq!(quantile(&[f64::INFINITY, f64::INFINITY, 0.0], 0.9), Ok(f64::INFINITY));
    assert_eq!(median(&[]), Err(Error::Empty { what: "values" }));
    assert!(median(&[f64::NAN]).is_err());
    assert!(quantile(&[1.0], 1.5).is_err());
    assert!(quantile(&[1.0], f64::NAN).is_err());
}

#[test]
fn latency_of_one_to_a_hundred() {
    let calls: Vec<f64> = (1..=100).rev().map(f64::from).collect();
    let ours = Latency::of(&calls).unwrap();
    assert_eq!((ours.count, ours.us_mean, ours.us_p50, ours.us_max), (100, 50.5, 50.5, 100.0));
    check_close("p95", ours.us_p95, 95.05);
    check_close("p99", ours.us_p99, 99.01);
    assert_eq!(Latency::of(&[]), Err(Error::Empty { what: "values" }));
    assert!(Latency::of(&[1.0, f64::INFINITY]).is_err());
}
