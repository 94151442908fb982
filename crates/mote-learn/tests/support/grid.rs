//! Five by five narrow Gaussians: what a model that misses modes misses.

use std::f32::consts::SQRT_2;

use mote_learn::{
    random::{Purpose, Random},
    train::Windows,
};

/// Points of a grid of five by five Gaussians, each a window of one sample.
pub(crate) struct Grid;

const SPREAD: f32 = 0.05;

fn grid_point(rng: &mut Random) -> [f32; 2] {
    let axis = |rng: &mut Random| ((5.0 * rng.unit()) as i32 - 2) as f32;
    let (a, b) = (axis(rng), axis(rng));
    let noise = rng.normal(2);
    // Near unit variance, as standard units have it.
    [(a + SPREAD * noise[0]) / SQRT_2, (b + SPREAD * noise[1]) / SQRT_2]
}

impl Windows for Grid {
    fn len(&self) -> usize {
        20_000
    }

    fn shape(&self) -> [usize; 2] {
        [1, 2]
    }

    fn fill(&self, i: usize, values: &mut [f32], mask: &mut [f32]) {
        values.copy_from_slice(&grid_point(&mut Random::new(1, Purpose::Order, i as u64)));
        mask.fill(1.0);
    }
}

/// What points are of the grid.
#[derive(Debug)]
pub(crate) struct Found {
    /// Gaussians that at least one point in a hundred is on.
    pub(crate) modes: usize,
    /// The share of points that are on any.
    pub(crate) share: f64,
}

impl Found {
    pub(crate) fn of(points: &[f32]) -> Self {
        let n = points.len() / 2;
        let (mut counts, mut on_a_mode) = ([0usize; 25], 0);
        for p in points.chunks_exact(2) {
            let at = |v: f32| ((v * SQRT_2).round().clamp(-2.0, 2.0), v * SQRT_2);
            let ((i, a), (j, b)) = (at(p[0]), at(p[1]));
            if (a - i).hypot(b - j) < 4.0 * SPREAD {
                counts[(i + 2.0) as usize * 5 + (j + 2.0) as usize] += 1;
                on_a_mode += 1;
            }
        }
        let modes = counts.iter().filter(|&&c| c * 100 >= n).count();
        Self { modes, share: on_a_mode as f64 / n as f64 }
    }
}
