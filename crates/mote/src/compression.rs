//! From a model file to a smaller one: apply passes to its programs, measure what they cost, choose the
//! threshold again with the programs that will run.

mod ground;
mod search;
mod shown;

use std::{collections::BTreeMap, ops::ControlFlow};

use mote_compress::{Bits, Fidelity, Stack, Stacked, split};
use mote_data::Runs;
use mote_format::{Array, Manifest, Model, Tensors, Verified, model};
use serde::Serialize;

use crate::{
    Error,
    calibration::{Calibration, calibrate},
    completion,
    training::stepping,
};
use ground::{Ground, Half};
pub use search::{Budget, Candidate, Found, search};

/// A smaller model.
#[derive(Clone, Debug)]
pub struct Compressed {
    /// The bytes of the model file.
    pub file: Vec<u8>,
    /// What became of each program.
    pub programs: Vec<Change>,
    /// For each repair, how far outputs were off on samples that it did not see, as its loss tells: before,
    /// and after.
    pub repairs: Vec<[f64; 2]>,
    /// The mean score of held-back windows, in nats per observed value: before, and after. Of a model that
    /// scores.
    pub nats: Option<[f64; 2]>,
    /// Bytes of all tensors before, and after.
    pub tensor_bytes: [usize; 2],
    /// The new threshold, where there was one.
    pub calibration: Option<Calibration>,
}

/// What became of a program.
#[derive(Clone, Debug, Serialize)]
pub struct Change {
    /// Its name.
    pub program: String,
    /// How near each output comes to what it was, on held-back windows: signal to noise in decibels.
    pub signal_to_noise_db: Vec<(String, f64)>,
    /// Bytes of the arena before, and after.
    pub arena_bytes: [usize; 2],
    /// Multiplications of one run before, and after.
    pub multiply_adds: [u64; 2],
}

/// What takes a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Stacks, of how many, where one is searched for.
    Trying(usize, usize),
    /// Steps of a repair, of how many.
    Repairing(usize, usize),
    /// Samples forecast, of how many, where the intervals of forecasts are measured again.
    Forecasting(usize, usize),
}

/// Applies `stack` to the programs of `model` together, with samples from the training part of `runs`
/// and everything that is measured from its held-back part: the data that it was trained on, or more of
/// the same kind. `progress` may break off.
///
/// # Errors
///
/// [`Error::Interrupted`] if it was broken off, [`Error::Compress`], [`Error::Usage`] if the model does
/// not say how its data was read or nothing is held back, [`Error::Data`] if there is no whole window.
pub fn compress(
    model: &Model<'_>,
    runs: &Runs,
    stack: &Stack,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Compressed, Error> {
    let ground = Ground::new(model, runs)?;
    let made = ground.apply(stack, progress)?;
    finish(&ground, stack, made, progress)
}

/// The model file of what a stack made, with everything that is measured of it.
fn finish(
    ground: &Ground<'_>,
    stack: &Stack,
    made: Stacked,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Compressed, Error> {
    let nats = ground.nats(&made, Half::Second)?;
    let near = ground.fidelity(&made, Half::Second)?;
    let small = split(&made.program);
    let changes = ground.programs.iter().zip(&small).map(|(before, after)| {
        let stored = |name: &str| made.tensors.get(name).map(Array::stored);
        let after = Verified::new(after.clone(), stored).expect("a part of what was verified");
        change(before, &after, &near)
    });
    let changes: Vec<Change> = changes.collect();

    let mut manifest = ground.model.manifest.clone();
    manifest.programs = small;
    manifest.programs.extend(stepping(&manifest.programs, &made.tensors));
    note(&mut manifest.lineage.metrics, stack, &changes);
    let tensor_bytes = [ground.model.tensor_bytes(), tensor_bytes(&made.tensors)];
    let progress = &mut |done, of| progress(Progress::Forecasting(done, of));
    let calibration = measured(&mut manifest, &made.tensors, ground, progress)?;
    Ok(Compressed {
        file: model::write(&manifest, &made.tensors),
        programs: changes,
        repairs: made.repairs.iter().map(|r| [r.before, r.after]).collect(),
        nats,
        tensor_bytes,
        calibration,
    })
}

fn tensor_bytes(tensors: &Tensors) -> usize {
    tensors.values().map(|array| array.tensor().bytes.len()).sum()
}

/// What is known of the smaller model without running it as a whole.
fn note(metrics: &mut BTreeMap<String, f64>, stack: &Stack, changes: &[Change]) {
    if let Some(scheme) = stack.scheme {
        metrics.insert("weight_bits".into(), if scheme.bits == Bits::Four { 4.0 } else { 8.0 });
    }
    for (output, db) in changes.iter().flat_map(|c| &c.signal_to_noise_db) {
        if db.is_finite() {
            metrics.insert(format!("compressed_{output}_db"), *db);
        }
    }
}

/// Threshold and margins with the programs that will run, where there were some.
fn measured(
    manifest: &mut Manifest,
    tensors: &Tensors,
    ground: &Ground<'_>,
    progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
) -> Result<Option<Calibration>, Error> {
    let calibration = match &manifest.detector {
        Some(detector) => {
            let bare = model::write(manifest, tensors);
            let opened = Model::open(&bare).expect("written a moment ago");
            let data = [&ground.train, &ground.held];
            Some(calibrate(&opened, data, detector.false_alarm_rate, ground.recipe.alarm)?)
        }
        None => None,
    };
    manifest.detector = calibration.as_ref().map(|c| c.detector.clone());
    if manifest.margins.take().is_some() {
        let bare = model::write(manifest, tensors);
        let opened = Model::open(&bare).expect("written a moment ago");
        manifest.margins = completion::measure(&opened, &ground.held, progress)?;
    }
    Ok(calibration)
}

fn change(before: &Verified, after: &Verified, near: &[Fidelity]) -> Change {
    let arena = |program| mote_runtime::Plan::new(program).bytes();
    let own = |f: &Fidelity| {
        let output = f.name.strip_prefix(&before.name)?.strip_prefix('/')?;
        Some((output.to_owned(), f.signal_to_noise_db))
    };
    Change {
        program: before.name.clone(),
        signal_to_noise_db: near.iter().filter_map(own).collect(),
        arena_bytes: [arena(before), arena(after)],
        multiply_adds: [before.multiply_adds(), after.multiply_adds()],
    }
}
