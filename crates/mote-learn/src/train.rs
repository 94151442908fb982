//! The training loop that all families share.
//!
//! AdamW with a warm-up and a cosine decay, gradients clipped by their common norm, early stopping
//! on held-back data, and checkpoints from which an interrupted training goes on to the same end,
//! bit for bit: order, noise and hidden values of each step come from the seed and the number of
//! the step, never from what was drawn before.

mod average;
mod checkpoint;
mod hiding;
mod optimize;
mod threads;

use std::ops::ControlFlow;

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

pub use checkpoint::{Checkpoint, CheckpointError};

use crate::{
    device,
    families::{Batch, Family},
    random::{Purpose, Random},
};
use optimize::Optimizer;
use threads::Threads;

/// Windows of data in standard units.
pub trait Windows {
    /// How many there are.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Samples and features of one window.
    fn shape(&self) -> [usize; 2];

    /// Writes window `i`: values (zero where missing) and mask, both `(length, features)`.
    fn fill(&self, i: usize, values: &mut [f32], mask: &mut [f32]);
}

/// How to train.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    /// What all randomness is drawn from.
    pub seed: u64,
    /// Windows in a step. 128 keeps the products of small layers large enough for a CPU.
    pub batch: usize,
    /// Steps at most.
    pub steps: u64,
    /// Peak of the learning rate; AdamW's usual one.
    pub learning_rate: f64,
    /// Share of the steps in which the learning rate rises: early gradients are large and wrong.
    pub warm_up: f64,
    /// How much of AdamW's first and second moments a step leaves. The usual ones suit losses that
    /// only fall; games want a short memory.
    pub moments: [f32; 2],
    /// Decoupled weight decay.
    pub weight_decay: f32,
    /// The common norm of all gradients is at most this.
    pub clip_norm: f32,
    /// Steps between two looks at the held-back data.
    pub evaluate_every: u64,
    /// Looks without improvement after which training ends.
    pub patience: u32,
    /// Held-back windows looked at; a fixed, even choice where there are more.
    pub validation_windows: usize,
    /// Share of windows of which a part is hidden, so that the model can do without it later.
    pub hide: f32,
    /// The largest share of the single values of such a window that is hidden.
    pub hide_share: f32,
    /// Share of windows of which everything is hidden: what a model learns to generate from.
    pub hide_all: f32,
    /// Columns, as the first of their features and the one behind the last, of which some stay shown in
    /// half of the windows that are hidden otherwise: what a model learns to generate for.
    #[serde(default)]
    pub given: Vec<[usize; 2]>,
    /// Share of windows whose future is hidden, from a sample on that is drawn.
    pub hide_future: f32,
    /// How much of the mean of the weights a step leaves, if the model that is kept is such a mean.
    pub average: Option<f32>,
}

impl TrainConfig {
    /// The usual configuration for data of so many samples: about 40 times through, but at least 300
    /// and at most 2,000 steps. Fewer leave the model untrained, more only cost time.
    #[must_use]
    pub fn for_samples(samples: usize) -> Self {
        let config = Self::default();
        let steps = (40 * samples / config.batch) as u64;
        let steps = steps.clamp(300, 2000);
        Self { steps, evaluate_every: (steps / 20).max(10), ..config }
    }
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            batch: 128,
            steps: 2000,
            learning_rate: 2e-3,
            warm_up: 0.05,
            moments: [0.9, 0.999],
            weight_decay: 1e-4,
            clip_norm: 1.0,
            evaluate_every: 100,
            patience: 8,
            validation_windows: 512,
            hide: 0.25,
            hide_share: 0.3,
            hide_all: 0.0,
            given: Vec::new(),
            hide_future: 0.0,
            average: None,
        }
    }
}

/// A look at the held-back data.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Look {
    /// Steps done.
    pub step: u64,
    /// Mean objective of the steps since the look before, in nats per observed value.
    pub training: f64,
    /// The bound on held-back data, likewise.
    pub validation: f64,
}

/// Why training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// All steps were done.
    Steps,
    /// The held-back data saw no improvement any more.
    Patience,
    /// The observer asked for it.
    Interrupted,
}

/// What the observer of a training is told.
pub enum Progress<'a> {
    /// A step is done.
    Step {
        /// Steps done, of how many.
        step: u64,
        /// The objective of this step.
        loss: f64,
        /// Learning rate of this step.
        learning_rate: f64,
    },
    /// The held-back data was looked at; a good moment to save a checkpoint.
    Look {
        /// What was seen.
        look: Look,
        /// Whether it was the best so far.
        best: bool,
        /// The state to save.
        checkpoint: &'a dyn Fn() -> Checkpoint,
    },
}

/// A training that has ended.
#[derive(Clone, Debug)]
pub struct Trained<M> {
    /// The weights with the best look.
    pub model: M,
    /// All looks.
    pub history: Vec<Look>,
    /// The number of the look that the weights are from.
    pub best: usize,
    /// Why it ended.
    pub end: End,
}

/// Why training cannot begin or go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// There is nothing to learn from.
    #[error("wanted at least one {0} window, found none")]
    NoWindows(&'static str),
    /// The objective stopped being a number.
    #[error("the loss is {loss} at step {step}: try a lower learning rate or look at the data")]
    Diverged {
        /// The step.
        step: u64,
        /// The loss, printed.
        loss: String,
    },
    /// The checkpoint does not fit.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

/// Trains `model` on `device` from its beginning or from a checkpoint.
///
/// `observe` is called after each step and each look and may break off; then the weights are those
/// of the best look so far.
///
/// # Errors
///
/// [`TrainError`].
pub fn train<M: Family>(
    model: M,
    device: device::Device,
    training: &dyn Windows,
    validation: &dyn Windows,
    config: &TrainConfig,
    resume: Option<Checkpoint>,
    mut observe: impl FnMut(Progress<'_>) -> ControlFlow<()>,
) -> Result<Trained<M>, TrainError> {
    for (windows, name) in [(training, "training"), (validation, "validation")] {
        if windows.is_empty() {
            return Err(TrainError::NoWindows(name));
        }
    }
    let device = device.burn().autodiff();
    let [length, _] = training.shape();
    let samples = config.batch.min(training.len()) * length;
    let threads = Threads::for_step(model.num_params(), samples);
    let mut state = State::new(model.to_device(&device).train(), config);
    if let Some(checkpoint) = resume {
        state.restore(checkpoint, config)?;
    }
    let mut feeder = Feeder::new(training, config, &device);
    let mut losses = Vec::new();
    let end = loop {
        if let Some(end) = state.ended(config) {
            break end;
        }
        let progress = state.step as f32 / config.steps as f32;
        let batch = feeder.batch(state.step, state.model.noise_width());
        let learning_rate = optimize::learning_rate(config, state.step);
        let value;
        (state, value) =
            threads.run(|| state.learn(batch, progress, learning_rate, config.average));
        if !value.is_finite() {
            return Err(TrainError::Diverged { step: state.step, loss: value.to_string() });
        }
        losses.push(value);
        let mut flow = observe(Progress::Step { step: state.step, loss: value, learning_rate });
        if state.step.is_multiple_of(config.evaluate_every) || state.step == config.steps {
            let look = Look {
                step: state.step,
                training: losses.iter().sum::<f64>() / losses.len() as f64,
                validation: bound(&state.kept(), validation, config),
            };
            losses.clear();
            let best = state.record(look);
            let checkpoint = || state.checkpoint(config);
            let after = observe(Progress::Look { look, best, checkpoint: &checkpoint });
            flow = if after.is_break() { after } else { flow };
        }
        if flow.is_break() {
            break End::Interrupted;
        }
    };
    Ok(state.finish(end))
}

/// Everything that changes while training.
struct State<M> {
    model: M,
    /// The mean of the weights, where there is one.
    average: Option<M>,
    optimizer: Optimizer,
    step: u64,
    history: Vec<Look>,
    best: Option<(usize, M)>,
}

impl<M: Family> State<M> {
    fn new(model: M, config: &TrainConfig) -> Self {
        let optimizer = Optimizer::new(config);
        let average = config.average.map(|_| model.valid());
        Self { model, average, optimizer, step: 0, history: Vec::new(), best: None }
    }

    /// The weights to judge and to keep.
    fn kept(&self) -> M {
        self.average.clone().unwrap_or_else(|| self.model.valid())
    }

    /// Takes one step and says what the objective was before it; there is no step where that is no
    /// number.
    fn learn(
        mut self,
        batch: Batch,
        progress: f32,
        rate: f64,
        average: Option<f32>,
    ) -> (Self, f64) {
        let loss = self.model.objective(batch.clone(), progress).loss;
        let value = f64::from(loss.clone().into_scalar::<f32>());
        if value.is_finite() {
            self.model =
                self.optimizer.step(self.model, loss, rate).settled(&batch, self.step, progress);
            if let (Some(mean), Some(decay)) = (self.average.take(), average) {
                self.average = Some(average::follow(mean, &self.model.valid(), decay, self.step));
            }
            self.step += 1;
        }
        (self, value)
    }

    fn ended(&self, config: &TrainConfig) -> Option<End> {
        if self.step >= config.steps {
            return Some(End::Steps);
        }
        let since = self.history.len() - self.best.as_ref().map_or(0, |(at, _)| at + 1);
        // Nothing is held against a model that is still being warmed up and annealed.
        let grown = self.step > config.steps / 3;
        (grown && since >= config.patience as usize).then_some(End::Patience)
    }

    /// Adds a look; says whether it is the best.
    fn record(&mut self, look: Look) -> bool {
        self.history.push(look);
        let best = match &self.best {
            Some((at, _)) => look.validation < self.history[*at].validation,
            None => true,
        };
        if best {
            self.best = Some((self.history.len() - 1, self.kept()));
        }
        best
    }

    fn finish(self, end: End) -> Trained<M> {
        let kept = self.kept();
        let (best, model) = self.best.unwrap_or((0, kept));
        Trained { model, history: self.history, best, end }
    }
}

/// Mean bound on held-back windows, in nats per observed value.
fn bound<M: Family>(model: &M, windows: &dyn Windows, config: &TrainConfig) -> f64 {
    let device = Device::flex();
    let [length, features] = windows.shape();
    let count = windows.len().min(config.validation_windows);
    let (mut sum, mut chunks) = (0.0, 0.0);
    for (n, chunk) in (0..count).collect::<Vec<_>>().chunks(config.batch).enumerate() {
        let rows: Vec<usize> = chunk.iter().map(|i| i * windows.len() / count).collect();
        let (x, mask) = gather(windows, &rows);
        let mut shown = mask.clone();
        if config.hide_all + config.hide_future > 0.0 {
            // Where nothing is hidden, a model that completes has nothing to do.
            let mut rng = Random::new(config.seed, Purpose::Hiding, u64::MAX >> 17 ^ n as u64);
            for shown in shown.chunks_exact_mut(length * features) {
                hiding::hide(config, shown, features, &mut rng);
            }
        }
        let shape = [rows.len(), length, features];
        let x = Tensor::from_data(TensorData::new(x, shape), &device);
        let tensor = |v| Tensor::<3>::from_data(TensorData::new(v, shape), &device);
        let (mask, shown) = (tensor(mask), tensor(shown));
        let width = model.noise_width();
        let mut rng = Random::new(config.seed, Purpose::Validation, n as u64);
        let noise = TensorData::new(rng.normal(rows.len() * width), [rows.len(), width]);
        let noise = Tensor::from_data(noise, &device);
        let batch = Batch { x, mask, shown, noise };
        let bound = model.clone().to_device(&device).objective(batch, 1.0).bound;
        sum += f64::from(bound.into_scalar::<f32>()) * rows.len() as f64;
        chunks += rows.len() as f64;
    }
    sum / chunks
}

/// Values and masks of the windows `rows`, one after the other.
pub(crate) fn gather(windows: &dyn Windows, rows: &[usize]) -> (Vec<f32>, Vec<f32>) {
    let [length, features] = windows.shape();
    let n = length * features;
    let (mut x, mut mask) = (vec![0.0; rows.len() * n], vec![0.0; rows.len() * n]);
    for (k, &i) in rows.iter().enumerate() {
        let at = k * n..(k + 1) * n;
        windows.fill(i, &mut x[at.clone()], &mut mask[at]);
    }
    (x, mask)
}

/// Makes the batch of each step.
struct Feeder<'w> {
    windows: &'w dyn Windows,
    config: &'w TrainConfig,
    device: &'w Device,
    /// The epoch that `order` is of.
    epoch: Option<u64>,
    order: Vec<usize>,
}

impl<'w> Feeder<'w> {
    fn new(windows: &'w dyn Windows, config: &'w TrainConfig, device: &'w Device) -> Self {
        Self { windows, config, device, epoch: None, order: Vec::new() }
    }

    fn batch(&mut self, step: u64, noise_width: usize) -> Batch {
        let size = self.config.batch.min(self.windows.len());
        let per_epoch = (self.windows.len() / size) as u64;
        let (epoch, at) = (step / per_epoch, (step % per_epoch) as usize * size);
        if self.epoch != Some(epoch) {
            let mut rng = Random::new(self.config.seed, Purpose::Order, epoch);
            self.order = rng.order(self.windows.len());
            self.epoch = Some(epoch);
        }
        let (x, mask) = gather(self.windows, &self.order[at..at + size]);
        let mut shown = mask.clone();
        let [length, features] = self.windows.shape();
        let mut rng = Random::new(self.config.seed, Purpose::Hiding, step);
        for shown in shown.chunks_exact_mut(length * features) {
            hiding::hide(self.config, shown, features, &mut rng);
        }
        let shape = [size, length, features];
        let tensor = |v: Vec<f32>| Tensor::<3>::from_data(TensorData::new(v, shape), self.device);
        let noise = Random::new(self.config.seed, Purpose::Noise, step).normal(size * noise_width);
        let noise = TensorData::new(noise, [size, noise_width]);
        Batch {
            x: tensor(x),
            mask: tensor(mask),
            shown: tensor(shown),
            noise: Tensor::from_data(noise, self.device),
        }
    }
}
