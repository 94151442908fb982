//! The way from noise to data in a few moments: at each, how much of the state stays.

use alloc::vec::Vec;

use mote_format::manifest::{Path, Solver};

/// One evaluation of the network, and what is made of it.
///
/// The next state is `state · current + estimate · E + before · E' + fresh · ε`, where `E` is the
/// estimate of the clean window, `E'` that of the moment before, and `ε` new noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// Where on the path the current state is, from 0, noise, to 1, data.
    pub time: f32,
    /// Factor of the current state.
    pub state: f32,
    /// Factor of the estimate.
    pub estimate: f32,
    /// Factor of the estimate before.
    pub before: f32,
    /// Factor of the new noise.
    pub fresh: f32,
}

/// The moments of a path, first to last. Behind the last the state is data.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule(Vec<Moment>);

impl Schedule {
    /// Follows `path` in so many evaluations, evenly spaced in time.
    ///
    /// # Panics
    ///
    /// If there is no evaluation.
    #[must_use]
    pub fn new(path: Path, solver: Solver, evaluations: usize) -> Self {
        assert!(evaluations > 0, "a path in no moments");
        let n = evaluations as f64;
        let moments = (0..evaluations).map(|i| {
            let (now, next) = (i as f64 / n, (i + 1) as f64 / n);
            let first = i == 0;
            moment(path, solver, now, next, first)
        });
        Self(moments.collect())
    }

    /// The moments.
    #[must_use]
    pub fn moments(&self) -> &[Moment] {
        &self.0
    }
}

/// Signal and noise of the state at `time`.
fn mixture(path: Path, time: f64) -> [f64; 2] {
    match path {
        Path::Straight => [time, 1.0 - time],
        Path::Cosine => {
            let angle = core::f64::consts::FRAC_PI_2 * time;
            [libm::sin(angle), if time < 1.0 { libm::cos(angle) } else { 0.0 }]
        }
    }
}

fn moment(path: Path, solver: Solver, now: f64, next: f64, first: bool) -> Moment {
    let ([signal, noise], [next_signal, next_noise]) = (mixture(path, now), mixture(path, next));
    let fresh = match solver {
        Solver::Ancestral => {
            // The variance that the chain of Ho et al. loses from one time to the next.
            let kept = signal * next_noise / (next_signal * noise);
            next_noise * libm::sqrt((1.0 - kept * kept).max(0.0))
        }
        Solver::Ddim | Solver::Distilled | Solver::Multistep => 0.0,
    };
    let state = libm::sqrt((next_noise * next_noise - fresh * fresh).max(0.0)) / noise;
    let estimate = next_signal - signal * state;
    // The estimate in the middle of the step, on the line through this one and the one before: both
    // steps are equally long.
    let ahead = if solver == Solver::Multistep && !first { 0.5 * estimate } else { 0.0 };
    Moment {
        time: now as f32,
        state: state as f32,
        estimate: (estimate + ahead) as f32,
        before: -ahead as f32,
        fresh: fresh as f32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Data of which every value is normal with this mean and deviation: then the best estimate is known
    /// in closed form, and so is where a state has to end.
    const MEAN: f64 = 0.7;
    const DEVIATION: f64 = 0.5;

    fn best_estimate(path: Path, time: f64, state: f64) -> f64 {
        let [signal, noise] = mixture(path, time);
        let variance = DEVIATION * DEVIATION;
        let gain = signal * variance / (signal * signal * variance + noise * noise);
        MEAN + gain * (state - signal * MEAN)
    }

    /// Where the path leads from a state of noise, without fresh noise.
    fn end(path: Path, solver: Solver, evaluations: usize, start: f64) -> f64 {
        let (mut state, mut before) = (start, 0.0);
        for m in Schedule::new(path, solver, evaluations).moments() {
            let estimate = best_estimate(path, m.time.into(), state);
            state = f64::from(m.state) * state
                + f64::from(m.estimate) * estimate
                + f64::from(m.before) * before;
            before = estimate;
        }
        state
    }

    #[test]
    fn noise_ends_as_data() {
        for path in [Path::Straight, Path::Cosine] {
            for start in [-2.0, 0.0, 1.3] {
                let wanted = MEAN + DEVIATION * start;
                let found = end(path, Solver::Ddim, 1000, start);
                assert!((found - wanted).abs() < 2e-3, "{path:?} {start}: {found}");
            }
        }
    }

    #[test]
    fn the_second_order_needs_fewer_evaluations() {
        for path in [Path::Straight, Path::Cosine] {
            let error = |solver| (end(path, solver, 10, 1.5) - (MEAN + DEVIATION * 1.5)).abs();
            let (ddim, multistep) = (error(Solver::Ddim), error(Solver::Multistep));
            assert!(multistep < 0.5 * ddim, "{path:?}: {ddim} and {multistep}");
        }
    }

    #[test]
    fn fresh_noise_keeps_the_variance() {
        for path in [Path::Straight, Path::Cosine] {
            // The variance of the state, followed exactly: everything is linear and normal.
            let (mut mean, mut variance) = (0.0, 1.0);
            for m in Schedule::new(path, Solver::Ancestral, 2000).moments() {
                let offset = best_estimate(path, m.time.into(), 0.0);
                let slope = best_estimate(path, m.time.into(), 1.0) - offset;
                let factor = f64::from(m.state) + f64::from(m.estimate) * slope;
                mean = factor * mean + f64::from(m.estimate) * offset;
                variance = factor * factor * variance + f64::from(m.fresh * m.fresh);
            }
            assert!((mean - MEAN).abs() < 2e-3, "{path:?}: {mean}");
            assert!((libm::sqrt(variance) - DEVIATION).abs() < 2e-3, "{path:?}: {variance}");
        }
    }

    #[test]
    fn one_evaluation_gives_the_estimate() {
        for solver in [Solver::Ddim, Solver::Multistep, Solver::Ancestral] {
            let schedule = Schedule::new(Path::Straight, solver, 1);
            let wanted = Moment { time: 0.0, state: 0.0, estimate: 1.0, before: 0.0, fresh: 0.0 };
            assert_eq!(schedule.moments(), [wanted]);
        }
    }
}
