//! From a choice to a model that knows nothing yet: the only place where families meet.

use mote_learn::{
    families::{
        Autoregressive, Diffusion, EnergyModel, Family, Gan, LatentDiffusion, Maf, SplineFlow,
        TimeVae, Transformer, VqVae,
    },
    layout::Layout,
    random::{Purpose, Random},
};

use super::Model;

/// What is done with a model, whatever its family.
pub(super) trait Visit: Sized {
    /// What comes of it.
    type Out;

    /// Does it.
    fn visit<M: Family>(self, model: M) -> Self::Out;

    /// A diffusion model may become a student.
    fn diffusion(self, model: Diffusion) -> Self::Out {
        self.visit(model)
    }
}

/// A model with the random weights of `seed`, for windows of `[length, features]`.
pub(super) fn build<V: Visit>(
    model: &Model,
    layout: &Layout,
    [length, features]: [usize; 2],
    seed: u64,
    then: V,
) -> V::Out {
    let (rng, cpu) = (&mut Random::new(seed, Purpose::Weights, 0), &mote_learn::cpu());
    match model {
        Model::Vae(config) => then.visit(TimeVae::new(config, length, features, rng, cpu)),
        Model::Flow(config) => then.visit(Maf::new(config, features, rng, cpu)),
        Model::Diffusion(config) => {
            then.diffusion(Diffusion::new(config, length, features, rng, cpu))
        }
        Model::Autoregressive(config) => then.visit(Autoregressive::new(config, layout, rng, cpu)),
        Model::SplineFlow(config) => {
            then.visit(SplineFlow::new(config, length, features, rng, cpu))
        }
        Model::Transformer(config) => then.visit(Transformer::new(config, layout, rng, cpu)),
        Model::VqVae(config) => then.visit(VqVae::new(config, length, features, rng, cpu)),
        Model::LatentDiffusion(config) => {
            then.visit(LatentDiffusion::new(config, length, features, rng, cpu))
        }
        Model::Gan(config) => then.visit(Gan::new(config, length, features, rng, cpu)),
        Model::Energy(config) => then.visit(EnergyModel::new(config, length, features, rng, cpu)),
    }
}
