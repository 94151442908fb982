//! Posterior collapse is told from a healthy latent.

use mote_eval::posterior::{MAX_INFORMATION_ROWS, mutual_information};
use mote_eval::{Error, Posterior, Verdict};

use crate::golden::{check_close, check_within};
use crate::sampling::Draw;

/// Rows of a latent in which the first `active` of `width` dimensions follow the data.
fn latent(rows: usize, width: usize, active: usize) -> (Vec<f64>, Vec<f64>) {
    let mut draw = Draw::new(11);
    let mut mean = Vec::new();
    let mut log_variance = Vec::new();
    for _ in 0..rows {
        for j in 0..width {
            let used = j < active;
            mean.push(if used { 0.95 * draw.normal() } else { 0.001 * draw.normal() });
            log_variance.push(if used { (0.1_f64).ln() } else { 0.0 });
        }
    }
    (mean, log_variance)
}

#[test]
fn verdict_follows_the_share_of_active_units() {
    #[track_caller]
    fn check(width: usize, active: usize, wanted: Verdict, words: &str) {
        let (mean, log_variance) = latent(500, width, active);
        let ours = Posterior::of(&mean, &log_variance, width).unwrap();
        assert_eq!((ours.active, ours.verdict), (active, wanted));
        assert!(ours.explanation().contains(words), "{}", ours.explanation());
    }
    check(8, 0, Verdict::Collapsed, "ignores the latent");
    check(8, 1, Verdict::Partial, "Only 1 of 8");
    check(8, 3, Verdict::Partial, "Only 3 of 8");
    check(8, 4, Verdict::Healthy, "4 of 8");
    check(1, 1, Verdict::Healthy, "1 of 1");
}

#[test]
fn kl_is_that_of_the_closed_form() {
    // KL(N(2, e) ‖ N(0, 1)) = (4 + e − 1 − 1) / 2; the prior itself has none.
    let ours = Posterior::of(&[2.0, 0.0, 2.0, 0.0], &[1.0, 0.0, 1.0, 0.0], 2).unwrap();
    check_close("kl", ours.units[0].kl, (2.0 + std::f64::consts::E) / 2.0);
    assert_eq!((ours.units[1].kl, ours.units[0].mean_variance), (0.0, 0.0));
    check_close("sum", ours.kl, ours.units[0].kl);
    // A code that is the same for each input costs bits and carries nothing.
    assert_eq!(ours.verdict, Verdict::Collapsed);
}

#[test]
fn variance_of_the_mean_is_over_rows() {
    let ours = Posterior::of(&[0.0, 0.2], &[0.0, 0.0], 1).unwrap();
    check_close("variance", ours.units[0].mean_variance, 0.01);
}

#[test]
fn information_is_none_when_collapsed_and_bounded_by_the_rows() {
    let (mean, log_variance) = latent(1000, 4, 0);
    check_within("none", mutual_information(&mean, &log_variance, 4, 1).unwrap(), 0.0, 0.01);

    // One Gaussian channel: I = ½ ln(1 + signal / noise), signal 0.9025 and noise 0.1.
    let (mean, log_variance) = latent(2000, 1, 1);
    let ours = mutual_information(&mean, &log_variance, 1, 1).unwrap();
    check_within("channel", ours, 0.5 * 10.025_f64.ln(), 0.08);
    assert_eq!(ours, mutual_information(&mean, &log_variance, 1, 1).unwrap());

    let (mean, log_variance) = latent(100, 20, 20);
    let ours = mutual_information(&mean, &log_variance, 20, 1).unwrap();
    check_within("saturated", ours, 100.0_f64.ln(), 1e-3);
}

#[test]
fn bad_latents_are_refused() {
    let one_row = Posterior::of(&[0.0; 2], &[0.0; 2], 2);
    assert_eq!(one_row, Err(Error::TooFew { what: "rows", found: 1, wanted: 2 }));
    let ragged = Posterior::of(&[0.0; 5], &[0.0; 5], 2);
    assert_eq!(ragged, Err(Error::Ragged { what: "mean", len: 5, width: 2 }));
    assert!(Posterior::of(&[0.0; 4], &[0.0; 2], 2).is_err());
    assert!(Posterior::of(&[0.0; 4], &[f64::NAN; 4], 2).is_err());
    assert!(Posterior::of(&[], &[], 0).is_err());
    assert!(Posterior::of(&[0.0], &[0.0], 0).is_err());
    let many = vec![0.0; MAX_INFORMATION_ROWS + 1];
    assert!(matches!(mutual_information(&many, &many, 1, 0), Err(Error::TooMany { .. })));
}
