//! Models with random weights, and the ways between tensors and numbers.

#![allow(clippy::unwrap_used, dead_code, reason = "tests share this file, and may panic")]

pub(crate) mod data;
pub(crate) mod grid;

use burn::{
    module::{Module, ModuleMapper, Param},
    tensor::{Device, Tensor, TensorData},
};
use mote_format::{Column, Kind, Schema};
use mote_learn::{
    families::{Maf, MafConfig},
    layout::Layout,
    random::{Purpose, Random},
};

pub(crate) fn rng(index: u64) -> Random {
    Random::new(11, Purpose::Weights, index)
}

pub(crate) fn tensor(data: Vec<f32>, shape: [usize; 3], device: &Device) -> Tensor<3> {
    Tensor::from_data(TensorData::new(data, shape), device)
}

pub(crate) fn matrix(data: Vec<f32>, shape: [usize; 2], device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(data, shape), device)
}

pub(crate) fn numbers<const D: usize>(t: Tensor<D>) -> Vec<f32> {
    t.into_data().try_to_vec::<f32>().unwrap()
}

/// The model with random numbers added to all of its weights: fresh models often answer nothing.
pub(crate) fn shaken<M: Module>(model: M, by: f32) -> M {
    model.map(&mut Shake { by, rng: rng(2), path: Vec::new() })
}

struct Shake {
    by: f32,
    rng: Random,
    /// The names of the fields that lead to where it is.
    path: Vec<String>,
}

impl ModuleMapper for Shake {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        // Masks are no weights, and off a training device nothing but their name says so.
        if self.path.last().is_some_and(|name| name == "mask") {
            return param;
        }
        param.map(|t| {
            let noise = self.rng.uniform(t.shape().num_elements(), self.by);
            let shape = t.shape();
            t.clone() + Tensor::from_data(TensorData::new(noise, shape), &t.device())
        })
    }
}

/// A flow whose weights are all random.
pub(crate) fn random_maf(features: usize, layers: usize, device: &Device) -> Maf {
    let config = MafConfig { hidden: 8, layers, convolutions: 2, scale_bound: 2.0 };
    shaken(Maf::new(&config, features, &mut rng(1), device), 0.3)
}

/// Words of three levels between two numbers, and words of one level behind them: six features.
pub(crate) fn mixed() -> Layout {
    layout([Kind::Numeric, word(3), Kind::Numeric, word(1)])
}

/// Two columns of words and no number: five features.
pub(crate) fn words_only() -> Layout {
    layout([word(2), word(3)])
}

fn word(n: usize) -> Kind {
    Kind::Categorical { levels: (0..n).map(|i| i.to_string()).collect() }
}

fn layout<const N: usize>(kinds: [Kind; N]) -> Layout {
    let columns = kinds.into_iter().enumerate();
    let columns = columns.map(|(i, kind)| Column { name: i.to_string(), kind }).collect();
    Layout::of(&Schema { columns, period_s: None })
}
