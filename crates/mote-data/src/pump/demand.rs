//! What the operator asks for, second by second, and the mains that must deliver it.

use rand_chacha::ChaCha8Rng;

use super::{
    Config,
    random::{normal, uniform},
};

/// The set-points of one second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Demand {
    /// Share of the supply's voltage, 0 to 1
    pub(super) drive: f64,
    /// Opening of the valve, 0 to 1
    pub(super) valve: f64,
}

impl Default for Demand {
    fn default() -> Self {
        Self { drive: 0.95, valve: 0.7 }
    }
}

/// One demand a second. Wandering set-points hold for two to six minutes and then ramp within
/// twenty seconds to the next.
pub(super) fn plan(config: &Config, rng: &mut ChaCha8Rng) -> Vec<Demand> {
    const RAMP_S: f64 = 20.0;
    let mut demands = Vec::with_capacity(config.samples);
    let mut from = Demand::default();
    while demands.len() < config.samples {
        let to = match config.wander && !demands.is_empty() {
            true => Demand { drive: uniform(rng, 0.75, 1.0), valve: uniform(rng, 0.5, 0.95) },
            false => from,
        };
        let hold = uniform(rng, 120.0, 360.0) as usize;
        demands.extend((0..hold.min(config.samples - demands.len())).map(|second| {
            let share = (second as f64 / RAMP_S).min(1.0);
            let between = |a: f64, b: f64| a + (b - a) * share;
            Demand { drive: between(from.drive, to.drive), valve: between(from.valve, to.valve) }
        }));
        from = to;
    }
    demands
}

/// The mains: they wander by about one per cent, slowly.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Supply {
    offset: f64,
}

impl Supply {
    /// The factor on the nominal voltage for the next second.
    pub(super) fn step(&mut self, noise: f64, rng: &mut ChaCha8Rng) -> f64 {
        const MEMORY: f64 = 0.9;
        const DEVIATION: f64 = 0.01;
        // Keeps the stationary deviation whatever the memory.
        let fresh = (1.0 - MEMORY * MEMORY).sqrt() * DEVIATION * normal(rng);
        self.offset = MEMORY * self.offset + fresh;
        1.0 + noise * self.offset
    }
}
