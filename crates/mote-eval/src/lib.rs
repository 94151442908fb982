//! Is it good? Metrics of detection, generation and forecasts; rank tests, diagnostics.
//!
//! Everything here is a pure function from slices to a small struct that can be serialized. It
//! knows nothing of files, models or clocks; randomness enters as a seed. Scores are `f64`, higher
//! meaning more anomalous (negate a log-density), one for each sample in time order. There are no
//! plots and no significance stars here, and no training but that of the small judges in
//! [`generation`] and the baselines in [`forecast`].
//!
//! Three questions are kept apart. *Does the score order anomalies above the rest?* needs no
//! threshold: [`auroc`], [`average_precision`], [`volume_under_surface`], and [`rank`] for whether
//! that is more than chance. *Where should the alarm be?* is answered from normal scores alone:
//! [`Tail`]. *How good are the alarms?* needs a decision for each sample: [`events`] and [`nab`].
//! Numbers that use the labels to choose a threshold ([`best_f1`], [`nab::optimize`]) say so,
//! because no deployed detector can reach them.
//!
//! Generated windows, a checked [`Windows`] of real and one of generated ones, are judged in
//! [`generation`], generated tables in [`table`], forecasts and imputations in [`forecast`].
//!
//! Definitions follow the packages whose numbers are published: scikit-learn, SciPy, TSB-AD, NAB,
//! SKAB, TimeGAN, prdc, SDMetrics and statsmodels; the tests hold this crate to their values within 1e-6.
//!
//! ```
//! use mote_eval::{Tail, auroc, events::Confusion};
//!
//! let normal: Vec<f64> = (0..1000).map(|i| (f64::from(i) * 0.7).sin()).collect();
//! let alarm_above = Tail::fit(&normal, 0.95)?.threshold(0.01)?;
//!
//! let scores = [0.1, 0.3, 4.0, 5.0, -0.2, 0.4];
//! let labels = [false, false, true, true, true, false];
//! let alarms: Vec<bool> = scores.iter().map(|&score| score > alarm_above).collect();
//! let counts = Confusion::of(&labels, &alarms)?;
//!
//! assert_eq!(counts.true_positives, 2);
//! assert_eq!(counts.false_alarm_percent(), Some(0.0));
//! assert!((auroc(&scores, &labels)? - 2.0 / 3.0).abs() < 1e-12);
//! # Ok::<(), mote_eval::Error>(())
//! ```

mod autocorrelation;
mod curve;
mod error;
mod input;
mod lanes;
mod random;
mod ranking;
pub mod symmetric;
mod volume;
mod windows;

pub mod density;
pub mod events;
pub mod extreme;
pub mod forecast;
pub mod generation;
pub mod interval;
pub mod nab;
pub mod posterior;
pub mod rank;
pub mod table;

pub use autocorrelation::{autocorrelation, effective_sample_size, sliding_window};
pub use curve::{PrecisionRecallPoint, RocPoint, precision_recall_curve, roc_curve, thin};
pub use error::{Error, Result};
pub use extreme::Tail;
pub use interval::{Latency, MeanInterval, mean_interval, median, quantile};
pub use posterior::{Posterior, Verdict};
pub use ranking::{BestF1, auroc, average_precision, best_f1};
pub use volume::{MAX_THRESHOLDS, MAX_WINDOW, Volume, VolumeConfig, volume_under_surface};
pub use windows::Windows;
