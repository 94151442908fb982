//! How the programs of a model are run to complete a window of which a part is known, or nothing.

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
}
