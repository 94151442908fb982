//! What must hold for every input.

use std::cmp::Ordering;

use mote_eval::events::{event_counts, point_adjusted, ranges};
use mote_eval::rank::{Alternative, mann_whitney};
use mote_eval::{VolumeConfig, auroc, average_precision, best_f1, quantile, volume_under_surface};
use proptest::prelude::*;

/// Scores on a coarse grid, so that ties are common, with labels of both classes.
fn labelled() -> impl Strategy<Value = (Vec<f64>, Vec<bool>)> {
    prop::collection::vec((-20i32..20, any::<bool>()), 2..80)
        .prop_filter("both classes", |rows| {
            rows.iter().any(|row| row.1) && rows.iter().any(|row| !row.1)
        })
        .prop_map(|rows| rows.into_iter().map(|(s, l)| (f64::from(s) / 4.0, l)).unzip())
}

fn alarms() -> impl Strategy<Value = (Vec<bool>, Vec<bool>)> {
    prop::collection::vec(any::<(bool, bool)>(), 0..80).prop_map(|rows| rows.into_iter().unzip())
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-9
}

proptest! {
    #[test]
    fn ranking_is_invariant_under_monotone_transforms((scores, labels) in labelled()) {
        let bent: Vec<f64> = scores.iter().map(|s| s.exp() * 3.0 - 7.0).collect();
        prop_assert_eq!(auroc(&scores, &labels), auroc(&bent, &labels));
        prop_assert_eq!(average_precision(&scores, &labels), average_precision(&bent, &labels));
        let config = VolumeConfig { window: 6, thresholds: 20 };
        prop_assert_eq!(
            volume_under_surface(&scores, &labels, config),
            volume_under_surface(&bent, &labels, config)
        );
    }

    #[test]
    fn auroc_of_flipped_labels_is_the_complement((scores, labels) in labelled()) {
        let flipped: Vec<bool> = labels.iter().map(|l| !l).collect();
        let sum = auroc(&scores, &labels).unwrap() + auroc(&scores, &flipped).unwrap();
        prop_assert!(close(sum, 1.0));
    }

    #[test]
    fn auroc_of_negated_scores_is_the_complement((scores, labels) in labelled()) {
        let negated: Vec<f64> = scores.iter().map(|s| -s).collect();
        let sum = auroc(&scores, &labels).unwrap() + auroc(&negated, &labels).unwrap();
        prop_assert!(close(sum, 1.0));
    }

    #[test]
    fn auroc_is_the_share_of_pairs_in_order((scores, labels) in labelled()) {
        let (mut pairs, mut won) = (0.0, 0.0);
        for i in (0..labels.len()).filter(|&i| labels[i]) {
            for j in (0..labels.len()).filter(|&j| !labels[j]) {
                pairs += 1.0;
                won += match scores[i].total_cmp(&scores[j]) {
                    Ordering::Greater => 1.0,
                    Ordering::Equal => 0.5,
                    Ordering::Less => 0.0,
                };
            }
        }
        prop_assert!(close(auroc(&scores, &labels).unwrap(), won / pairs));
    }

    #[test]
    fn effect_size_of_the_rank_test_is_the_auroc((scores, labels) in labelled()) {
        let pick = |wanted: bool| -> Vec<f64> {
            scores.iter().zip(&labels).filter(|(_, l)| **l == wanted).map(|(s, _)| *s).collect()
        };
        let (anomalous, normal) = (pick(true), pick(false));
        let less = mann_whitney(&anomalous, &normal, Alternative::Less).unwrap();
        prop_assert!(close(less.auroc, auroc(&scores, &labels).unwrap()));
        let mirrored = mann_whitney(&normal, &anomalous, Alternative::Greater).unwrap();
        prop_assert!(close(less.p, mirrored.p));
    }

    #[test]
    fn best_f1_is_reached_and_not_beaten((scores, labels) in labelled()) {
        let best = best_f1(&scores, &labels).unwrap();
        for &threshold in &scores {
            let alarms: Vec<bool> = scores.iter().map(|&s| s >= threshold).collect();
            let f1 = point_adjusted(&labels, &alarms).unwrap().raw.f1;
            prop_assert!(f1 <= best.f1 + 1e-12);
            if threshold == best.threshold {
                prop_assert!(close(f1, best.f1));
            }
        }
    }

    #[test]
    fn areas_are_shares((scores, labels) in labelled(), window in 0usize..30) {
        let config = VolumeConfig { window, thresholds: 50 };
        let volume = volume_under_surface(&scores, &labels, config).unwrap();
        for area in [volume.vus_roc, volume.vus_pr, volume.range_auc_roc, volume.range_auc_pr] {
            prop_assert!((0.0..=1.0 + 1e-9).contains(&area), "{area}");
        }
    }

    #[test]
    fn point_adjustment_never_lowers((labels, alarms) in alarms()) {
        let both = point_adjusted(&labels, &alarms).unwrap();
        prop_assert!(both.adjusted.f1 >= both.raw.f1);
        prop_assert!(both.adjusted.recall >= both.raw.recall);
    }

    #[test]
    fn ranges_rebuild_the_labels((labels, _) in alarms()) {
        let mut rebuilt = vec![false; labels.len()];
        for range in ranges(&labels) {
            prop_assert!(!range.is_empty());
            rebuilt[range].fill(true);
        }
        prop_assert_eq!(rebuilt, labels);
    }

    #[test]
    fn event_counts_swap_with_their_arguments((labels, alarms) in alarms()) {
        let ours = event_counts(&labels, &alarms).unwrap();
        let swapped = event_counts(&alarms, &labels).unwrap();
        prop_assert!(close(ours.precision(), swapped.recall()));
        prop_assert!(close(ours.f1(), swapped.f1()));
    }

    #[test]
    fn quantiles_rise(
        values in prop::collection::vec(-1e6f64..1e6, 1..50),
        a in 0.0..=1.0,
        b in 0.0..=1.0,
    ) {
        let (low, high) = if a < b { (a, b) } else { (b, a) };
        prop_assert!(quantile(&values, low).unwrap() <= quantile(&values, high).unwrap());
    }
}
