//! A plain classifier of windows, to measure what generated data is worth to it.
//!
//! Three convolutions of stride two, the mean over time, one layer: the fully convolutional baseline of
//! Wang, Yan and Oates (*Time series classification from scratch*, 2017), made small.

use burn::{
    module::Module,
    optim::{AdamWConfig, GradientsParams},
    tensor::{
        Device, Int, Tensor, TensorData,
        activation::{log_softmax, relu},
    },
};

use crate::{
    parts::{Dense, PatchConv},
    random::{Purpose, Random},
};

/// How it is made and trained.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassifierConfig {
    /// Channels of the first convolution; the others have twice as many.
    pub channels: usize,
    /// Steps, however much data there is, so that trainings on more of it are no longer.
    pub steps: u64,
    /// Windows of a step, drawn with replacement.
    pub batch: usize,
    /// Peak of the learning rate of AdamW, which falls along half a cosine.
    pub learning_rate: f64,
}

impl Default for ClassifierConfig {
    fn default() -> Self {
        Self { channels: 24, steps: 600, batch: 64, learning_rate: 3e-3 }
    }
}

/// Windows of `[length, features]`, row major, and the class of each, counted from 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Labelled {
    /// `(windows, length, features)`
    pub windows: Vec<f32>,
    /// `(windows,)`
    pub classes: Vec<usize>,
}

/// What is done to a window each time that it is shown: noise, say.
pub type Disturb<'d> = &'d mut dyn FnMut(&mut [f32], &mut Random);

/// A trained classifier.
#[derive(Module, Debug)]
pub struct Classifier {
    first: PatchConv,
    second: PatchConv,
    third: PatchConv,
    head: Dense,
    #[module(skip)]
    shape: [usize; 2],
}

/// Halvings of the time.
const HALVINGS: u32 = 3;

impl Classifier {
    /// Trains on `data` of windows of `shape`, which should be in standard units.
    ///
    /// # Panics
    ///
    /// Without a window, if the length is no multiple of eight, or if a class is not below `classes`.
    #[must_use]
    pub fn fit(
        data: &Labelled,
        shape: [usize; 2],
        classes: usize,
        config: &ClassifierConfig,
        seed: u64,
        disturb: Disturb<'_>,
    ) -> Self {
        let [length, features] = shape;
        let width = length * features;
        assert!(length.is_multiple_of(1 << HALVINGS), "a length of a multiple of eight");
        assert_eq!(data.windows.len(), data.classes.len() * width, "windows of one shape");
        assert!(!data.classes.is_empty() && data.classes.iter().all(|&c| c < classes), "classes");
        let device = Device::flex().autodiff();
        let mut rng = Random::new(seed, Purpose::Weights, 0);
        let wide = 2 * config.channels;
        let mut model = Self {
            first: PatchConv::new(features, config.channels, 2, &mut rng, &device),
            second: PatchConv::new(config.channels, wide, 2, &mut rng, &device),
            third: PatchConv::new(wide, wide, 2, &mut rng, &device),
            head: Dense::new(wide, classes, &mut rng, &device),
            shape,
        };
        let mut optimizer = AdamWConfig::new().with_weight_decay(0.01).with_epsilon(1e-8).init();
        let mut rng = Random::new(seed, Purpose::Order, 0);
        for step in 0..config.steps {
            let (mut x, mut y) = (Vec::with_capacity(config.batch * width), Vec::new());
            for _ in 0..config.batch {
                let drawn = (rng.unit() * data.classes.len() as f32) as usize;
                let drawn = drawn.min(data.classes.len() - 1);
                x.extend_from_slice(&data.windows[drawn * width..][..width]);
                y.push(data.classes[drawn] as i64);
                let from = x.len() - width;
                disturb(&mut x[from..], &mut rng);
            }
            let x = TensorData::new(x, [config.batch, length, features]);
            let logits = model.logits(Tensor::from_data(x, &device));
            let y = Tensor::<1, Int>::from_data(TensorData::new(y, [config.batch]), &device);
            let right = log_softmax(logits, 1).gather(1, y.unsqueeze_dim(1));
            let gradients = GradientsParams::from_grads(right.mean().neg().backward(), &model);
            let done = step as f64 / config.steps as f64;
            let rate = 0.5 * config.learning_rate * (1.0 + (std::f64::consts::PI * done).cos());
            model = optimizer.step(rate, model, gradients);
        }
        model.valid().to_device(&Device::flex())
    }

    /// The most probable class of each window.
    ///
    /// # Panics
    ///
    /// If the windows are not of the shape that it was trained on.
    #[must_use]
    pub fn predict(&self, windows: &[f32]) -> Vec<usize> {
        let [length, features] = self.shape;
        let width = length * features;
        assert!(windows.len().is_multiple_of(width), "windows of the same shape");
        let mut found = Vec::with_capacity(windows.len() / width);
        for chunk in windows.chunks(256 * width) {
            let x = TensorData::new(chunk.to_vec(), [chunk.len() / width, length, features]);
            let best = self.logits(Tensor::from_data(x, &Device::flex())).argmax(1).into_data();
            found.extend(best.iter::<i64>().map(|c| c as usize));
        }
        found
    }

    /// `(batch, length, features)` to `(batch, classes)`.
    fn logits(&self, x: Tensor<3>) -> Tensor<2> {
        let layers = [&self.first, &self.second, &self.third];
        let h = layers.into_iter().fold(x, |h, layer| relu(layer.forward(h)));
        let [batch, _, wide] = h.dims();
        self.head.forward(h.mean_dim(1).reshape([batch, wide]))
    }
}
