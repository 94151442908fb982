//! One step of AdamW with gradients clipped by their common norm.
//!
//! Burn clips each tensor by itself, which bends the direction of the step; the common norm
//! (Pascanu et al. 2013) does not.

use burn::{
    module::{Module, ModuleVisitor, Param},
    optim::{AdamWConfig, GradientsParams, ModuleOptimizer},
    tensor::{Bytes, Tensor},
};

use super::TrainConfig;

/// AdamW and its moments.
#[derive(Clone)]
pub(super) struct Optimizer {
    adam: ModuleOptimizer,
    clip_norm: f32,
}

impl Optimizer {
    pub(super) fn new(config: &TrainConfig) -> Self {
        let [first, second] = config.moments;
        let adam = AdamWConfig::new()
            .with_beta_1(first)
            .with_beta_2(second)
            .with_weight_decay(config.weight_decay)
            .with_epsilon(1e-8);
        Self { adam: adam.init(), clip_norm: config.clip_norm }
    }

    /// Moves the weights of `model` against the gradient of `loss`.
    pub(super) fn step<M: Module>(&mut self, model: M, loss: Tensor<1>, rate: f64) -> M {
        let mut gradients = GradientsParams::from_grads(loss.backward(), &model);
        let mut norm = Norm { gradients: &gradients, squares: 0.0 };
        model.visit(&mut norm);
        let norm = norm.squares.sqrt();
        if norm > f64::from(self.clip_norm) {
            let scale = f64::from(self.clip_norm) / norm;
            model.visit(&mut Scale { gradients: &mut gradients, scale });
        }
        self.adam.step(rate, model, gradients)
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        self.adam.into_bytes().map(|b| b.to_vec()).unwrap_or_default()
    }

    pub(super) fn restore(&mut self, bytes: Vec<u8>) -> Result<(), String> {
        let restored = self.adam.clone().from_bytes(Bytes::from_bytes_vec(bytes));
        self.adam = restored.map_err(|e| e.to_string())?;
        Ok(())
    }
}

/// Linear warm-up, then a cosine to a hundredth of the peak.
pub(super) fn learning_rate(config: &TrainConfig, step: u64) -> f64 {
    let done = (step as f64 + 1.0) / config.steps as f64;
    let rate = if done < config.warm_up {
        done / config.warm_up
    } else {
        let decayed = (done - config.warm_up) / (1.0 - config.warm_up);
        0.01 + 0.99 * 0.5 * (1.0 + (std::f64::consts::PI * decayed).cos())
    };
    config.learning_rate * rate
}

struct Norm<'g> {
    gradients: &'g GradientsParams,
    squares: f64,
}

impl ModuleVisitor for Norm<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(g) = self.gradients.get::<D>(param.id) {
            self.squares += f64::from((g.clone() * g).sum().into_scalar::<f32>());
        }
    }
}

struct Scale<'g> {
    gradients: &'g mut GradientsParams,
    scale: f64,
}

impl ModuleVisitor for Scale<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(g) = self.gradients.remove::<D>(param.id) {
            self.gradients.register(param.id, g.mul_scalar(self.scale));
        }
    }
}
