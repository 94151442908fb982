//! From what was learned to a model file.

use std::collections::BTreeMap;

use mote_data::Runs;
use mote_format::{
    Array, Manifest, Program, Tensors, Verified,
    manifest::{Density, Lineage},
    model,
};
use mote_learn::train::End;

use super::{Finished, Model, Observer, Recipe, Report, attempt::Outcome};
use crate::{Error, calibration::calibrate, completion, source::Source};

/// The model file of what was learned: its entry points, threshold and margins, measured on `held`.
pub(super) fn finish(
    source: &Source,
    recipe: &Recipe,
    model: Model,
    outcome: Outcome,
    held: &Runs,
    observe: Observer<'_>,
) -> Result<Finished, Error> {
    let Outcome { entries, outline, history, best, mut end, posterior, codebook } = outcome;
    let mut metrics =
        BTreeMap::from([("steps".to_owned(), history.last().map_or(0.0, |l| l.step as f64))]);
    if let Some(look) = history.get(best) {
        metrics.insert("validation_nats".into(), look.validation);
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
    let done = Recipe { model: model.clone(), history: history.clone(), ..recipe.clone() };
    let mut manifest = Manifest {
        family: model.family().into(),
        density: entries.density,
        schema: source.plan.schema.clone(),
        window: outline.window,
        detector: None,
        generator: entries.generator,
        margins: None,
        programs: entries.programs.clone(),
        lineage: Lineage {
            made_by: format!("mote {}", env!("CARGO_PKG_VERSION")),
            data_digest: source.digest.clone(),
            files: source.names.clone(),
            config: serde_json::to_value(done).expect("recipes have no maps with keys but strings"),
            seed: recipe.train.seed,
            metrics,
        },
    };
    let tensors = entries.arrays();
    manifest.programs.extend(stepping(&manifest.programs, &tensors));
    let bare = model::write(&manifest, &tensors);
    let opened = mote_format::Model::open(&bare).expect("written a moment ago");
    let calibration = match entries.density {
        Density::Implicit => None,
        _ => Some(calibrate(&opened, held, recipe.false_alarm_rate, recipe.alarm)?),
    };
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
    let file = model::write(&manifest, &tensors);
    Ok(Finished { file, manifest, outline, history, best, end, posterior, codebook, calibration })
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
