//! One training of one model, and what is left of it.

use mote_eval::Posterior;
use mote_format::manifest::Window;
use mote_learn::{
    device::Device,
    diagnose::{self, Codebook},
    entries::{Entries, entries},
    families::{Diffusion, Distilled, Family},
    layout::Layout,
    parts::Standardize,
    train::{Checkpoint, End, Look, Progress, TrainConfig, Trained, Windows, train},
};

use super::{
    Model, Observer, Outline, Recipe, Report, Stage,
    build::{Visit, build},
    window::Standardized,
};
use crate::Error;

/// One training of one model.
pub(super) struct Attempt<'t> {
    pub(super) recipe: &'t Recipe,
    pub(super) model: &'t Model,
    pub(super) layout: &'t Layout,
    pub(super) window: Window,
    pub(super) device: Device,
    pub(super) stage: Stage,
    pub(super) training: &'t Standardized<'t>,
    pub(super) validation: &'t Standardized<'t>,
    pub(super) standardize: &'t Standardize,
}

/// What is left of a training once nobody needs to know the family any more.
pub(super) struct Outcome {
    pub(super) entries: Entries,
    pub(super) outline: Outline,
    pub(super) history: Vec<Look>,
    pub(super) best: usize,
    pub(super) end: End,
    pub(super) posterior: Option<Posterior>,
    pub(super) codebook: Option<Codebook>,
}

/// A model that is about to learn.
struct Learning<'l, 'o> {
    attempt: &'l Attempt<'l>,
    resume: Option<Checkpoint>,
    observe: Observer<'o>,
}

impl Visit for Learning<'_, '_> {
    type Out = Result<Outcome, Error>;

    fn visit<M: Family>(self, model: M) -> Self::Out {
        let Self { attempt, resume, observe } = self;
        let config = &attempt.recipe.train;
        attempt.outcome(attempt.learn(model, config, attempt.stage, resume, observe)?)
    }

    fn diffusion(self, model: Diffusion) -> Self::Out {
        let Self { attempt, resume, observe } = self;
        let model = model.around(attempt.training);
        match attempt.model.distillation(&attempt.recipe.train) {
            None => Self { attempt, resume, observe }.visit(model),
            Some((strides, second)) => attempt.distill(model, strides, &second, resume, observe),
        }
    }
}

impl Attempt<'_> {
    pub(super) fn train(
        &self,
        resume: Option<Checkpoint>,
        observe: Observer<'_>,
    ) -> Result<Outcome, Error> {
        let seed = self.recipe.train.seed;
        let visit = Learning { attempt: self, resume, observe };
        build(self.model, self.layout, self.training.shape(), seed, visit)
    }

    /// Trains a diffusion model, and then a student of it.
    fn distill(
        &self,
        model: Diffusion,
        strides: usize,
        second: &TrainConfig,
        resume: Option<Checkpoint>,
        observe: Observer<'_>,
    ) -> Result<Outcome, Error> {
        let (teacher, resume) = match resume {
            // The teacher is in there too.
            Some(checkpoint) if checkpoint.config() == second => (model, Some(checkpoint)),
            resume => {
                let trained = self.learn(model, &self.recipe.train, self.stage, resume, observe)?;
                if trained.1.end == End::Interrupted {
                    return self.outcome(trained);
                }
                (trained.1.model, None)
            }
        };
        let student = Distilled::new(teacher, strides);
        self.outcome(self.learn(student, second, Stage::Distillation, resume, observe)?)
    }

    fn learn<M: Family>(
        &self,
        model: M,
        config: &TrainConfig,
        stage: Stage,
        resume: Option<Checkpoint>,
        observe: Observer<'_>,
    ) -> Result<(Outline, Trained<M>), Error> {
        let outline = Outline {
            window: self.window,
            training_windows: self.training.len(),
            validation_windows: self.validation.len(),
            parameters: model.num_params(),
            steps: config.steps,
            stage,
        };
        let _ = observe(Report::Begin(&outline));
        let (training, validation) = (self.training, self.validation);
        let watch = |progress: Progress<'_>| observe(Report::Progress(progress));
        let trained = train(model, self.device, training, validation, config, resume, watch)?;
        if trained.end == End::Interrupted && trained.history.is_empty() {
            return Err(Error::Interrupted(" before anything was learned".into()));
        }
        Ok((outline, trained))
    }

    fn outcome<M: Family>(&self, trained: (Outline, Trained<M>)) -> Result<Outcome, Error> {
        let (outline, Trained { model, history, best, end }) = trained;
        Ok(Outcome {
            entries: entries(&model, self.standardize, self.training.shape())?,
            posterior: diagnose::posterior(&model, self.validation),
            codebook: diagnose::codebook(&model, self.validation),
            outline,
            history,
            best,
            end,
        })
    }
}
