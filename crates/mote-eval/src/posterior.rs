//! Has the latent of a variational autoencoder collapsed? KL, active units, information.

mod information;

use serde::Serialize;

pub use information::{MAX_INFORMATION_ROWS, mutual_information};

use crate::{Result, input};

/// A unit is active if its posterior mean varies by more than this over the data (Burda et al.,
/// 2016).
pub const ACTIVE_VARIANCE: f64 = 0.01;

/// One latent dimension.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Unit {
    /// Mean over rows of KL(q(z|x) ‖ N(0, 1)), in nats.
    pub kl: f64,
    /// Variance over rows of the posterior mean, `Var_x(E[z|x])`.
    pub mean_variance: f64,
    /// Whether that variance is above [`ACTIVE_VARIANCE`].
    pub active: bool,
}

/// How much of the latent is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Verdict {
    /// At least half of the units carry information.
    Healthy,
    /// Some do, but fewer than half.
    Partial,
    /// None does: the decoder works without the encoder.
    Collapsed,
}

/// Diagnostics of a latent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Posterior {
    /// `(z,)`
    pub units: Vec<Unit>,
    /// Units that are active.
    pub active: usize,
    /// Sum of the KL of all units: the mean rate of the code, in nats a row.
    pub kl: f64,
    /// The verdict.
    pub verdict: Verdict,
}

impl Posterior {
    /// Looks at posterior means and log-variances, both `(rows, width)` row major, `width` being
    /// the number of latent dimensions.
    ///
    /// Rows should come from held-out data. That some units of a wide latent fall silent is normal,
    /// a VAE prunes what it does not need; so the verdict is [`Verdict::Partial`] only below half.
    ///
    /// # Errors
    ///
    /// Empty or non-finite input, lengths that differ or are no whole number of rows, or one row
    /// only.
    pub fn of(mean: &[f64], log_variance: &[f64], width: usize) -> Result<Self> {
        let rows = input::rows("mean", mean, width)?;
        input::same_length("mean", mean, "log_variance", log_variance)?;
        input::finite("log_variance", log_variance)?;
        input::at_least("rows", rows, 2)?;
        let units: Vec<Unit> = (0..width)
            .map(|j| unit(column(mean, width, j), column(log_variance, width, j)))
            .collect();
        let active = units.iter().filter(|unit| unit.active).count();
        let kl = units.iter().map(|unit| unit.kl).sum();
        let verdict = match active {
            0 => Verdict::Collapsed,
            some if 2 * some < width => Verdict::Partial,
            _ => Verdict::Healthy,
        };
        Ok(Self { units, active, kl, verdict })
    }

    /// The verdict and what to do about it, in plain words.
    pub fn explanation(&self) -> String {
        let width = self.units.len();
        let (active, kl) = (self.active, self.kl);
        match self.verdict {
            Verdict::Healthy => format!(
                "{active} of {width} latent dimensions carry information ({kl:.3} nats in all)."
            ),
            Verdict::Partial => format!(
                "Only {active} of {width} latent dimensions carry information ({kl:.3} nats in all). \
                 A narrower latent would do as well; to use more, lower beta or allow free bits."
            ),
            Verdict::Collapsed => format!(
                "None of {width} latent dimensions carries information ({kl:.3} nats in all): \
                 the decoder ignores the latent. Warm up the KL term, allow free bits, or weaken the decoder."
            ),
        }
    }
}

fn unit<'a>(
    mean: impl Iterator<Item = f64> + Clone + 'a,
    log_variance: impl Iterator<Item = f64> + 'a,
) -> Unit {
    let rows = mean.clone().count() as f64;
    let centre = mean.clone().sum::<f64>() / rows;
    let mean_variance = mean.clone().map(|m| (m - centre) * (m - centre)).sum::<f64>() / rows;
    // exp_m1 keeps the difference exp(v) − 1 − v exact where the posterior is close to the prior.
    let kl =
        mean.zip(log_variance).map(|(m, v)| 0.5 * (m * m + v.exp_m1() - v)).sum::<f64>() / rows;
    Unit { kl, mean_variance, active: mean_variance > ACTIVE_VARIANCE }
}

fn column(values: &[f64], width: usize, j: usize) -> impl Iterator<Item = f64> + Clone + '_ {
    values.iter().skip(j).step_by(width).copied()
}
