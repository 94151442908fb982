//! The mean of the weights over the last steps (Polyak and Juditsky 1992), as generators want it: one
//! step's weights still swing, their mean does not.

use burn::{
    module::{Module, ModuleMapper, ModuleVisitor, Param},
    optim::GradientsParams,
    tensor::Tensor,
};

/// Moves the weights of `average` towards those of `model`: `average · decay + model · (1 - decay)`.
///
/// Early in training, after `steps` steps, the mean is over fewer: what a model begins with should
/// not stay in it.
pub(super) fn follow<M: Module>(average: M, model: &M, decay: f32, steps: u64) -> M {
    let steps = steps as f32;
    let decay = decay.min((1.0 + steps) / (10.0 + steps));
    let mut current = Current(GradientsParams::new());
    model.visit(&mut current);
    average.map(&mut Towards { current: current.0, decay })
}

/// The weights of a model by their parameters.
struct Current(GradientsParams);

impl ModuleVisitor for Current {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.register(param.id, param.val());
    }
}

struct Towards {
    current: GradientsParams,
    decay: f32,
}

impl ModuleMapper for Towards {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(current) = self.current.remove::<D>(param.id) else { return param };
        let decay = self.decay;
        param.map(|average| average * decay + current * (1.0 - decay))
    }
}
