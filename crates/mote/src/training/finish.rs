//! From what was learned to a model file.

use std::collections::BTreeMap;

use mote_data::{Runs, Scaling, split::split};
use mote_format::{
    Array, Manifest, Program, Tensors, Verified,
    manifest::{Density, Generator, Lineage, Window},
    model,
};
use mote_learn::{
    compile::CompileError,
    entries::{Entries, entries},
    families::{Diffusion, Distilled, Family},
    layout::Layout,
    parts::Standardize,
    roused,
    train::End,
};

use super::{
    Finished, Model, Observer, Recipe, Report,
    attempt::Outcome,
    build::{Visit, build},
    health::{self, Sign},
    window,
};
use crate::{
    Error,
    calibration::{Calibration, calibrate},
    completion,
    source::Source,
};

/// The model file of what was learned: its entry points, threshold and margins, measured on `held`.
pub(super) fn finish(
    source: &Source,
    recipe: &Recipe,
    model: Model,
    outcome: Outcome,
    [train, held]: [&Runs; 2],
    observe: Observer<'_>,
) -> Result<Finished, Error> {
    let Outcome { entries, outline, history, best, mut end, posterior, codebook } = outcome;
    let mut metrics =
        BTreeMap::from([("steps".to_owned(), history.last().map_or(0.0, |l| l.step as f64))]);
    if let Some(look) = history.get(best) {
        // What has no likelihood has no nats.
        let implicit = entries.density == Density::Implicit;
        let name = if implicit { "validation_objective" } else { "validation_nats" };
        metrics.insert(name.into(), look.validation);
    }
    if let Some(posterior) = &posterior {
        metrics.insert("active_units".into(), posterior.active as f64);
        metrics.insert("posterior_nats".into(), posterior.kl);
    }
    if let Some(codebook) = &codebook {
        metrics.insert("codes_used".into(), codebook.used as f64);
        metrics.insert("code_perplexity".into(), codebook.perplexity);
    }
    metrics.retain(|_, v| v.is_finite());
    let done = Recipe { model, history: history.clone(), ..recipe.clone() };
    let mut manifest = manifest(source, &done, &entries, outline.window);
    manifest.lineage.metrics = metrics;
    let tensors = entries.arrays();
    manifest.programs.extend(stepping(&manifest.programs, &tensors));
    let bare = model::write(&manifest, &tensors);
    let opened = mote_format::Model::open(&bare).expect("written a moment ago");
    let calibration = calibrated(&opened, [train, held], recipe)?;
    manifest.detector = calibration.as_ref().map(|c| c.detector.clone());
    if forecasts(recipe) && manifest.generator.is_some() && end != End::Interrupted {
        let progress = &mut |done, of| observe(Report::Margins(done, of));
        match completion::measure(&opened, held, progress) {
            Ok(margins) => manifest.margins = margins,
            // What was learned is not lost: the model is whole but for its promise.
            Err(Error::Interrupted(_)) => end = End::Interrupted,
            Err(e) => return Err(e),
        }
    }
    let mut signs: Vec<Sign> =
        posterior.as_ref().and_then(health::of_posterior).into_iter().collect();
    let mut resemblance = None;
    // Sample by sample, drawing is what is learned; all others learn it from hidden windows.
    let draws = recipe.train.hide_all > 0.0 || manifest.generator == Some(Generator::Sequential);
    if draws && end != End::Interrupted {
        let (found, against) = health::of_draws(&opened, train, held)?;
        resemblance = found;
        signs.extend(against);
    }
    let file = model::write(&manifest, &tensors);
    Ok(Finished {
        resemblance,
        signs,
        file,
        manifest,
        outline,
        history,
        best,
        end,
        posterior,
        codebook,
        calibration,
    })
}

/// The threshold, of a family that says how improbable windows are. A model that is only asked to complete
/// some does without where too few are held back.
fn calibrated(
    model: &mote_format::Model<'_>,
    data: [&Runs; 2],
    recipe: &Recipe,
) -> Result<Option<Calibration>, Error> {
    if model.manifest.density == Density::Implicit {
        return Ok(None);
    }
    match calibrate(model, data, recipe.false_alarm_rate, recipe.alarm) {
        Err(Error::Evaluate { source: mote_eval::Error::TooFew { .. }, .. })
            if !recipe.tasks.is_empty() =>
        {
            Ok(None)
        }
        calibrated => calibrated.map(Some),
    }
}

/// What a file says of a model, before anything was measured of it.
fn manifest(source: &Source, recipe: &Recipe, entries: &Entries, window: Window) -> Manifest {
    Manifest {
        family: recipe.model.family().into(),
        density: entries.density,
        schema: source.plan.schema.clone(),
        window,
        detector: None,
        generator: entries.generator,
        margins: None,
        programs: entries.programs.clone(),
        lineage: Lineage {
            made_by: format!("mote {}", env!("CARGO_PKG_VERSION")),
            data_digest: source.digest.clone(),
            files: source.names.clone(),
            config: serde_json::to_value(recipe)
                .expect("recipes have no maps with keys but strings"),
            seed: recipe.train.seed,
            metrics: BTreeMap::new(),
        },
    }
}

/// The model file that a training would write, with random weights and without a detector: as large and
/// as fast.
///
/// # Errors
///
/// [`Error::Data`] if the data cannot be divided, [`Error::Usage`] for a window that does not fit,
/// [`Error::Compile`] for a mistake of ours.
pub fn untrained(source: &Source, recipe: &Recipe) -> Result<Vec<u8>, Error> {
    let parts = split(&source.runs, &recipe.reading.dataset.split)?;
    let held = parts.validation.as_ref().unwrap_or(&parts.train);
    let window = window::window(&parts.train, held, recipe)?;
    let scaling = Scaling::fit(&parts.train, Default::default());
    let standardize = Standardize { mean: scaling.mean, scale: scaling.scale };
    let shape = [window.length, source.plan.schema.features()];
    let entries = blank(recipe, &Layout::of(&source.plan.schema), &standardize, shape)?;
    let tensors = entries.arrays();
    let mut manifest = manifest(source, recipe, &entries, window);
    manifest.programs.extend(stepping(&manifest.programs, &tensors));
    Ok(model::write(&manifest, &tensors))
}

/// The entry points of a model that has learned nothing, for windows of `shape`, in the units of
/// `standardize`. Only weights that are never to be there are zero.
pub(crate) fn blank(
    recipe: &Recipe,
    layout: &Layout,
    standardize: &Standardize,
    shape: [usize; 2],
) -> Result<Entries, CompileError> {
    struct Capture<'c> {
        recipe: &'c Recipe,
        standardize: &'c Standardize,
        shape: [usize; 2],
    }
    impl Visit for Capture<'_> {
        type Out = Result<Entries, CompileError>;

        fn visit<M: Family>(self, model: M) -> Self::Out {
            entries(&roused(model, self.recipe.train.seed), self.standardize, self.shape)
        }

        fn diffusion(self, model: Diffusion) -> Self::Out {
            match self.recipe.model.distillation(&self.recipe.train) {
                Some((strides, _)) => self.visit(Distilled::new(model, strides)),
                None => self.visit(model),
            }
        }
    }
    let capture = Capture { recipe, standardize, shape };
    build(&recipe.model, layout, shape, recipe.train.seed, capture)
}

/// Whether a model was trained to tell the future, and data was held back to see how well it does.
pub(crate) fn forecasts(recipe: &Recipe) -> bool {
    recipe.train.hide_future > 0.0 && recipe.reading.dataset.split.validation > 0.0
}

/// The program that scores one more sample, where `score` looks back only.
pub(crate) fn stepping(programs: &[Program], tensors: &Tensors) -> Option<Program> {
    let score = programs.iter().find(|p| p.name == SCORE)?.clone();
    let score = Verified::new(score, |name| tensors.get(name).map(Array::stored));
    let score = score.expect("captured a moment ago");
    mote_runtime::step(&score, STEP, |name| tensors.get(name).map(Array::tensor)).ok()
}

/// The entry point that scores a window.
pub(crate) const SCORE: &str = "score";
/// The entry point that scores one more sample.
pub(crate) const STEP: &str = "step";
