//! How the programs of a model are run to complete a window of which a part is known, or nothing.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// How a model completes windows. Generation is completion of a window of which nothing is known,
/// forecasting of one whose past is, imputation of one with holes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Generator {
    /// One run of the program `complete`: `x` and `mask` `(length, features)` and `noise` `(1, n)` to
    /// `y` `(length, features)`, in raw units.
    Direct,
    /// Many runs of the program `denoise`, along a path from noise to data. `state`, `x` and `mask`
    /// `(length, features)` and `time` `(1, 1)` to `estimate` `(length, features)`: the mean of all
    /// windows from which the state may have come, in standard units as the state. `x` is raw.
    /// `restore` then brings `state` to `y` in raw units.
    Iterative {
        /// The path.
        path: Path,
        /// How it is followed.
        solver: Solver,
        /// Runs of `denoise` for a window; 1 or more.
        evaluations: usize,
    },
    /// One run of the program `next` for each sample, first to last: `x` and `mask` `(1, features)` and
    /// `noise` `(1, n)` to `y` `(1, features)`, in raw units, with all that it remembers as states. What
    /// is known of a sample bears on the rest of it and on all later ones, never on earlier ones: holes
    /// are filled from the past.
    Sequential,
}

/// By how much the intervals of forecasts have to be widened to cover what they promise, as measured on
/// held-back data by split conformal prediction (Romano, Patterson and Candès 2019).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Margins {
    /// The promised coverages, ascending, each between 0 and 1: a half of each lies on both sides of the
    /// median.
    pub coverages: Vec<f64>,
    /// Samples ahead that were measured; 1 or more.
    pub horizon: usize,
    /// `(coverages, horizon, features)`, in raw units: so far the lower end moves down and the upper one
    /// up, and towards each other where it is negative. 0 for features of words.
    pub values: Vec<f32>,
}

impl Margins {
    /// Margins `(horizon, features)` of the intervals that promise `coverage`, where that was measured.
    #[must_use]
    pub fn of(&self, coverage: f64) -> Option<&[f32]> {
        // Coverages are differences of levels, and those are off by their last digit.
        let at = self.coverages.iter().position(|c| (c - coverage).abs() < 1e-9)?;
        self.values.chunks_exact(self.values.len() / self.coverages.len()).nth(at)
    }
}

/// How much of the data and of the noise there is at each time from 0 to 1: the state is
/// `signal · x + noise · ε`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Path {
    /// `t` and `1 - t`: flow matching (Lipman et al. 2023).
    #[default]
    Straight,
    /// `sin(π/2 · t)` and `cos(π/2 · t)`: diffusion whose variance stays (Nichol and Dhariwal 2021).
    Cosine,
}

/// How a path is followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Solver {
    /// Straight to the next time with the estimate of this one: DDIM (Song et al. 2021), and Euler's
    /// method where the path is straight.
    Ddim,
    /// With an estimate continued from this time and the one before: DPM-Solver++ of second order
    /// (Lu et al. 2022).
    #[default]
    Multistep,
    /// As [`Self::Ddim`], by a network that was taught to go so and no other way: the number of
    /// evaluations is part of it (Salimans and Ho 2022).
    Distilled,
    /// With fresh noise at each time: the Markov chain of DDPM (Ho et al. 2020).
    Ancestral,
    /// By annealed Langevin dynamics (Song and Ermon 2019): at each of a row of falling levels of noise
    /// some steps along the gradient of the log-density, each with fresh noise, and at last an estimate
    /// without noise. It corrects its own errors, and takes many evaluations to do so.
    Langevin,
}
