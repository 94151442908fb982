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
    /// Follows `path` in so many evaluations, evenly spaced in time; by Langevin dynamics at levels of
    /// noise that fall by one factor.
    ///
    /// # Panics
    ///
    /// If there is no evaluation.
    #[must_use]
    pub fn new(path: Path, solver: Solver, evaluations: usize) -> Self {
        assert!(evaluations > 0, "a path in no moments");
        if solver == Solver::Langevin {
            return Self(langevin(path, evaluations));
        }
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

/// Signal and noise of the state at `time`, from 0 to 1: how often it holds the data, in standard units, and
/// normal noise.
#[must_use]
pub fn mixture(path: Path, time: f32) -> [f32; 2] {
    mixed(path, f64::from(time)).map(|share| share as f32)
}

fn mixed(path: Path, time: f64) -> [f64; 2] {
    match path {
        Path::Straight => [time, 1.0 - time],
        Path::Cosine => {
            let angle = core::f64::consts::FRAC_PI_2 * time;
            [libm::sin(angle), if time < 1.0 { libm::cos(angle) } else { 0.0 }]
        }
    }
}

/// The time at which the state has so much noise, as a share of the data, and its signal then.
pub(super) fn moment_of(path: Path, level: f32) -> (f32, f32) {
    let level = f64::from(level);
    let time = match path {
        Path::Straight => 1.0 / (1.0 + level),
        Path::Cosine => 1.0 - libm::atan(level) / core::f64::consts::FRAC_PI_2,
    };
    (time as f32, mixed(path, time)[0] as f32)
}

fn moment(path: Path, solver: Solver, now: f64, next: f64, first: bool) -> Moment {
    let ([signal, noise], [next_signal, next_noise]) = (mixed(path, now), mixed(path, next));
    let fresh = match solver {
        Solver::Ancestral => {
            // The variance that the chain of Ho et al. loses from one time to the next.
            let kept = signal * next_noise / (next_signal * noise);
            next_noise * libm::sqrt((1.0 - kept * kept).max(0.0))
        }
        _ => 0.0,
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

/// The highest and the lowest level of noise in Langevin dynamics, in deviations of the data: with ten,
/// data is no more than where the noise is, with a twentieth, noise is hardly more than rounding.
const LEVELS: [f64; 2] = [10.0, 0.055];

/// The length of a step, in squared deviations of its level's noise. Longer ones leave more noise than
/// the level has, shorter ones keep too much of the level before: a normal distribution comes out 6 %
/// too wide after 100 steps of this length, 11 % after as many of 0.3.
const STEP: f64 = 0.5;

/// At a level of noise `σ` the gradient of the log-density is `(α · E - state) / σ²`, and a step of
/// `STEP · σ²` along it with the noise that belongs to it is one more mixture of state, estimate and
/// noise. The next level has more signal: the state is brought to that. One step at each of many levels
/// ends as near to the data as many steps at each of few.
fn langevin(path: Path, evaluations: usize) -> Vec<Moment> {
    let levels = (evaluations - 1).max(1);
    let time = |level: usize| {
        let along = level.min(levels - 1) as f64 / (levels - 1).max(1) as f64;
        let noise = LEVELS[0] * libm::pow(LEVELS[1] / LEVELS[0], along);
        match path {
            Path::Straight => 1.0 / (1.0 + noise),
            Path::Cosine => 1.0 - libm::atan(noise) / core::f64::consts::FRAC_PI_2,
        }
    };
    let moments = (0..evaluations - 1).map(|level| {
        let (now, next) = (time(level), time(level + 1));
        let [signal, noise] = mixed(path, now);
        let onwards = mixed(path, next)[0] / signal;
        Moment {
            time: now as f32,
            state: ((1.0 - STEP) * onwards) as f32,
            estimate: (STEP * signal * onwards) as f32,
            before: 0.0,
            fresh: (libm::sqrt(2.0 * STEP) * noise * onwards) as f32,
        }
    });
    let end = time(levels - 1) as f32;
    let last = Moment { time: end, state: 0.0, estimate: 1.0, before: 0.0, fresh: 0.0 };
    moments.chain([last]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Data of which every value is normal with this mean and deviation: then the best estimate is known
    /// in closed form, and so is where a state has to end.
    const MEAN: f64 = 0.7;
    const DEVIATION: f64 = 0.5;

    fn best_estimate(path: Path, time: f64, state: f64) -> f64 {
        let [signal, noise] = mixed(path, time);
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

    /// Mean and deviation of where noise is led, followed exactly: everything is linear and normal.
    fn end_of_noise(path: Path, schedule: &Schedule) -> (f64, f64) {
        let (mut mean, mut variance) = (0.0, 1.0);
        for m in schedule.moments() {
            let offset = best_estimate(path, m.time.into(), 0.0);
            let slope = best_estimate(path, m.time.into(), 1.0) - offset;
            let factor = f64::from(m.state) + f64::from(m.estimate) * slope;
            mean = factor * mean + f64::from(m.estimate) * offset;
            variance = factor * factor * variance + f64::from(m.fresh * m.fresh);
        }
        (mean, libm::sqrt(variance))
    }

    #[test]
    fn fresh_noise_keeps_the_variance() {
        for path in [Path::Straight, Path::Cosine] {
            let schedule = Schedule::new(path, Solver::Ancestral, 2000);
            let (mean, deviation) = end_of_noise(path, &schedule);
            assert!((mean - MEAN).abs() < 2e-3, "{path:?}: {mean}");
            assert!((deviation - DEVIATION).abs() < 2e-3, "{path:?}: {deviation}");
        }
    }

    #[test]
    fn a_level_of_noise_is_a_time_of_the_path() {
        for path in [Path::Straight, Path::Cosine] {
            for level in [0.0f32, 0.1, 0.5, 3.0] {
                let (time, found) = moment_of(path, level);
                let [signal, noise] = mixed(path, time.into());
                assert!((noise / signal - f64::from(level)).abs() < 1e-6, "{path:?} {level}");
                assert!((signal - f64::from(found)).abs() < 1e-6, "{path:?} {level}");
            }
        }
    }

    #[test]
    fn langevin_dynamics_end_as_data() {
        for path in [Path::Straight, Path::Cosine] {
            for (evaluations, tolerance) in [(100, 0.07), (1000, 0.005)] {
                let schedule = Schedule::new(path, Solver::Langevin, evaluations);
                assert_eq!(schedule.moments().len(), evaluations);
                let (mean, deviation) = end_of_noise(path, &schedule);
                assert!((mean - MEAN).abs() < 2e-3, "{path:?}: {mean}");
                let off = (deviation / DEVIATION - 1.0).abs();
                assert!(off < tolerance, "{path:?} in {evaluations}: {deviation}");
            }
        }
    }

    #[test]
    fn one_evaluation_by_langevin_dynamics_gives_the_estimate() {
        let moments = Schedule::new(Path::Straight, Solver::Langevin, 1);
        let m = moments.moments()[0];
        assert_eq!((moments.moments().len(), m.state, m.estimate, m.fresh), (1, 0.0, 1.0, 0.0));
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
