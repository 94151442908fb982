//! Data that functions draw.

use mote_learn::{
    random::{Purpose, Random},
    train::Windows,
};

/// Windows without holes, each drawn from a seed of its own.
pub(crate) struct Drawn {
    pub(crate) seed: u64,
    pub(crate) count: usize,
    pub(crate) shape: [usize; 2],
    /// Fills a window `(time, features)`.
    pub(crate) draw: fn(&mut Random, &mut [f32]),
}

impl Windows for Drawn {
    fn len(&self) -> usize {
        self.count
    }

    fn shape(&self) -> [usize; 2] {
        self.shape
    }

    fn fill(&self, i: usize, values: &mut [f32], mask: &mut [f32]) {
        (self.draw)(&mut Random::new(self.seed, Purpose::Order, i as u64), values);
        mask.fill(1.0);
    }
}

pub(crate) const CENTRES: [[f32; 2]; 2] = [[-1.2, 0.9], [0.6, -0.5]];
pub(crate) const SPREAD: f32 = 0.25;
pub(crate) const SHARE: f32 = 0.3;

/// Two sensors that are together near one of two [`CENTRES`], the first one three times in ten.
pub(crate) const PAIR: Drawn = Drawn {
    seed: 1,
    count: 20_000,
    shape: [1, 2],
    draw: |rng, values| {
        let centre = CENTRES[usize::from(rng.unit() >= SHARE)];
        let noise = rng.normal(2);
        values.copy_from_slice(&[centre[0] + SPREAD * noise[0], centre[1] + SPREAD * noise[1]]);
    },
};
