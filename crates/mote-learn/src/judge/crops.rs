//! Two overlapping crops of each window of a batch, what is hidden of them, and dropout.

use burn::tensor::{Device, Tensor, TensorData};
use mote_eval::Windows;

use crate::random::{Purpose, Random};

/// Share of samples that stay, and of outputs.
const SHOWN: f32 = 0.5;
const KEPT: f32 = 0.9;

/// One view of a batch.
pub(super) struct Crop {
    /// `(batch, time, features)`
    pub(super) x: Tensor<3>,
    /// `(batch, time, 1)`: 0 where a sample is hidden, 1 elsewhere.
    pub(super) shown: Tensor<3>,
    /// `(batch, time, outputs)`: what dropout multiplies with.
    pub(super) kept: Tensor<3>,
    /// Where the stretch that both views share begins.
    pub(super) from: usize,
    /// How long it is.
    pub(super) shared: usize,
}

/// Makes the crops of each step; they depend on the seed and the number of the step alone.
pub(super) struct Crops<'w> {
    windows: Windows<'w>,
    batch: usize,
    outputs: usize,
    seed: u64,
    step: u64,
    order: Vec<usize>,
}

impl<'w> Crops<'w> {
    pub(super) fn new(windows: Windows<'w>, batch: usize, outputs: usize, seed: u64) -> Self {
        let batch = batch.min(windows.count());
        Self { windows, batch, outputs, seed, step: 0, order: Vec::new() }
    }

    /// Two views of the next batch, whose windows are shifted against one another in time.
    pub(super) fn next(&mut self, device: &Device) -> (Crop, Crop) {
        let per_epoch = (self.windows.count() / self.batch) as u64;
        let (epoch, at) = (self.step / per_epoch, (self.step % per_epoch) as usize * self.batch);
        if at == 0 {
            self.order = Random::new(self.seed, Purpose::Order, epoch).order(self.windows.count());
        }
        let chosen = self.order[at..at + self.batch].to_vec();
        let rng = &mut Random::new(self.seed, Purpose::Noise, self.step);
        self.step += 1;

        let length = self.windows.length();
        let shared = between(2, length, rng);
        let left = between(0, length - shared, rng);
        let right = left + shared;
        let (outer_left, outer_right) = (between(0, left, rng), between(right, length, rng));
        let shifts = chosen.iter().map(|_| between(0, length - (outer_right - outer_left), rng));
        let starts: Vec<(usize, usize)> =
            chosen.iter().copied().zip(shifts.collect::<Vec<_>>()).collect();
        let first = self.crop(&starts, 0, right - outer_left, rng, device);
        let second = self.crop(&starts, left - outer_left, outer_right - left, rng, device);
        (Crop { from: left - outer_left, shared, ..first }, Crop { from: 0, shared, ..second })
    }

    /// `time` samples of each window from its start plus `offset`.
    fn crop(
        &self,
        starts: &[(usize, usize)],
        offset: usize,
        time: usize,
        rng: &mut Random,
        device: &Device,
    ) -> Crop {
        let (batch, features) = (starts.len(), self.windows.features());
        let rows = starts.iter().flat_map(|&(window, start)| {
            self.windows.window(window)[(start + offset) * features..][..time * features].iter()
        });
        let x: Vec<f32> = rows.copied().collect();
        let shown = (0..batch * time).map(|_| f32::from(u8::from(rng.unit() < SHOWN)));
        let shown: Vec<f32> = shown.collect();
        let kept = (0..batch * time * self.outputs)
            .map(|_| if rng.unit() < KEPT { 1.0 / KEPT } else { 0.0 });
        let kept: Vec<f32> = kept.collect();
        let tensor = |data: Vec<f32>, width: usize| {
            Tensor::from_data(TensorData::new(data, [batch, time, width]), device)
        };
        Crop {
            x: tensor(x, features),
            shown: tensor(shown, 1),
            kept: tensor(kept, self.outputs),
            from: 0,
            shared: time,
        }
    }
}

/// A whole number from `low` to `high`, both included.
fn between(low: usize, high: usize, rng: &mut Random) -> usize {
    low + ((rng.unit() * (high - low + 1) as f32) as usize).min(high - low)
}
