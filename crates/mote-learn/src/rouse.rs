//! Layers that have no effect before they learn, made to have hardly any: then a zero among captured weights is one
//! that is never to be there.

use burn::{
    module::{Module, ModuleMapper, Param},
    tensor::{Tensor, TensorData},
};

use crate::random::{Purpose, Random};

/// The same model, with weights of `±1e-3` in layers whose weights are all zero. What a mask hides stays hidden.
#[must_use]
pub fn roused<M: Module>(model: M, seed: u64) -> M {
    let rng = Random::new(seed, Purpose::Weights, u64::from(u32::MAX));
    model.map(&mut Rouse { rng, path: Vec::new() })
}

struct Rouse {
    rng: Random,
    /// The fields that led here.
    path: Vec<String>,
}

impl ModuleMapper for Rouse {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let is_weight = self.path.last().is_some_and(|name| name == "weight");
        let silent = |w: Tensor<D>| w.abs().max().into_scalar::<f32>() == 0.0;
        if !is_weight || D < 2 || !silent(param.val()) {
            return param;
        }
        param.map(|w| {
            let (shape, device) = (w.shape(), w.device());
            let values = self.rng.uniform(shape.num_elements(), 1e-3);
            Tensor::from_data(TensorData::new(values, shape), &device)
        })
    }
}
