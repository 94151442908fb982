//! The grid of 25 Gaussians as windows of one sample, and how many of them a model finds.

use mote_eval::generation::{ModeCoverage, Modes};
use mote_learn::{
    random::{Purpose, Random},
    train::Windows,
};

/// Points of [`Modes::grid_of_25`] as windows `(1, 2)`, brought near unit variance.
pub(crate) struct Grid;

/// The deviation of a coordinate of the grid.
const SCALE: f32 = 2.828_427;

impl Windows for Grid {
    fn len(&self) -> usize {
        20_000
    }

    fn shape(&self) -> [usize; 2] {
        [1, 2]
    }

    fn fill(&self, i: usize, values: &mut [f32], mask: &mut [f32]) {
        let mut rng = Random::new(1, Purpose::Order, i as u64);
        for v in values.iter_mut() {
            let centre = 2.0 * ((5.0 * rng.unit()).floor() - 2.0);
            *v = (centre + 0.05 * rng.normal(1)[0]) / SCALE;
        }
        mask.fill(1.0);
    }
}

/// What of the grid `points` `(n, 2)` in standard units cover.
pub(crate) fn coverage(points: &[f32]) -> ModeCoverage {
    let raw: Vec<f32> = points.iter().map(|p| p * SCALE).collect();
    Modes::grid_of_25().coverage(mote_eval::Windows::new(&raw, 1, 2).unwrap()).unwrap()
}
