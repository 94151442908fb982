//! From a model file to a smaller one: apply passes to its programs, measure what they cost, choose the
//! threshold again with the programs that will run.

mod shown;

use std::{collections::BTreeMap, ops::ControlFlow};

use mote_compress::{
    Bits, Fidelity, Found, Ports, Sample, Stack, fidelity, join, side_by_side, split,
};
use mote_data::{Runs, Windows, split::split as split_data, windows::Cut};
use mote_format::{Array, Manifest, Model, Tensors, Verified, container::Tensor, model};
use mote_runtime::{Level, Loaded};
use serde::Serialize;

use crate::{
    Error,
    calibration::{Calibration, calibrate},
    completion,
    training::{Recipe, STEP, stepping},
};

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

/// Windows that passes look at, at most: more teach a repair little.
const OBSERVED: usize = 4096;
/// Numbers of all samples together, at most.
const NUMBERS: usize = 1 << 25;
/// Held-back windows on which programs are compared, at most.
const COMPARED: usize = 256;

/// What takes a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
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
    let recipe = Recipe::of(&model.manifest)?;
    let parts = split_data(runs, &recipe.reading.dataset.split)?;
    let held = parts.validation.as_ref().ok_or_else(|| {
        Error::Usage(
            "what is smaller is measured on held-back data: the validation share is 0".into(),
        )
    })?;
    let programs: Vec<&Verified> = model.programs.values().filter(|p| p.name != STEP).collect();
    let observed = samples(model, &programs, &parts.train, OBSERVED)?;
    let compared = samples(model, &programs, held, COMPARED)?;
    let arrays = |(name, tensor): (&String, &Tensor<'_>)| (name.clone(), tensor.to_array());
    let joined = join(programs.iter().map(|p| &***p), &model.tensors.iter().map(arrays).collect())?;
    let mut stopped = false;
    let made = stack.apply(&joined, &model.tensors, &observed, &mut |done, of| {
        let flow = progress(Progress::Repairing(done, of));
        stopped |= flow.is_break();
        flow
    })?;
    if stopped {
        return Err(Error::Interrupted(": nothing was written".into()));
    }
    let found: Found<'_> = made.tensors.iter().map(|(n, a)| (n.clone(), a.tensor())).collect();
    let nats = mean_score(&joined, &model.tensors, &compared, None)?.zip(mean_score(
        &made.program,
        &found,
        &compared,
        Some(&made.ports),
    )?);
    let near =
        fidelity((&joined, &model.tensors), (&made.program, &found), &compared, &made.ports)?;
    let small = split(&made.program);
    let changes = programs.iter().zip(&small).map(|(before, after)| {
        let stored = |name: &str| made.tensors.get(name).map(Array::stored);
        let after = Verified::new(after.clone(), stored).expect("a part of what was verified");
        change(before, &after, &near)
    });
    let changes: Vec<Change> = changes.collect();

    let mut manifest = model.manifest.clone();
    manifest.programs = small;
    manifest.programs.extend(stepping(&manifest.programs, &made.tensors));
    note(&mut manifest.lineage.metrics, stack, &changes);
    let tensors = made.tensors;
    let progress = &mut |done, of| progress(Progress::Forecasting(done, of));
    let calibration = measured(&mut manifest, &tensors, [&parts.train, held], &recipe, progress)?;
    let bytes = |tensor: &Array| tensor.tensor().bytes.len();
    Ok(Compressed {
        file: model::write(&manifest, &tensors),
        programs: changes,
        repairs: made.repairs.iter().map(|r| [r.before, r.after]).collect(),
        nats: nats.map(|(before, after)| [before, after]),
        tensor_bytes: [model.tensor_bytes(), tensors.values().map(bytes).sum()],
        calibration,
    })
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
    [train, held]: [&Runs; 2],
    recipe: &Recipe,
    progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
) -> Result<Option<Calibration>, Error> {
    let calibration = match &manifest.detector {
        Some(detector) => {
            let bare = model::write(manifest, tensors);
            let opened = Model::open(&bare).expect("written a moment ago");
            Some(calibrate(&opened, [train, held], detector.false_alarm_rate, recipe.alarm)?)
        }
        None => None,
    };
    manifest.detector = calibration.as_ref().map(|c| c.detector.clone());
    if manifest.margins.take().is_some() {
        let bare = model::write(manifest, tensors);
        let opened = Model::open(&bare).expect("written a moment ago");
        manifest.margins = completion::measure(&opened, held, progress)?;
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

/// The mean of `score` over samples of the joined programs: nats per observed value.
fn mean_score(
    program: &Verified,
    tensors: &Found<'_>,
    samples: &[Sample],
    ports: Option<&Ports>,
) -> Result<Option<f64>, Error> {
    let (Some(nll), Some(mask)) = (program.output("score/nll"), program.input("score/mask")) else {
        return Ok(None);
    };
    let mut instance = Loaded::from_parts(Level::best(), program, tensors)?.instance();
    let (mut sum, mut observed) = (0.0, 0.0);
    for sample in samples {
        let left = ports.map_or_else(|| sample.clone(), |ports| ports.of_inputs(sample));
        for (port, x) in program.inputs.iter().zip(&left) {
            instance.input(port.value).copy_from_slice(x);
            if port.value == mask {
                observed += x.iter().map(|m| f64::from(*m)).sum::<f64>();
            }
        }
        instance.run();
        let all = [Some(nll), program.output("score/kl")].into_iter().flatten();
        sum += all.flat_map(|id| instance.output(id)).map(|x| f64::from(*x)).sum::<f64>();
    }
    Ok(Some(sum / observed.max(1.0)))
}

/// What `programs` read in at most `most` windows, evenly chosen, side by side.
fn samples(
    model: &Model<'_>,
    programs: &[&Verified],
    runs: &Runs,
    most: usize,
) -> Result<Vec<Sample>, Error> {
    let windows = Windows::new(runs, Cut::new(model.manifest.window.length))?;
    let read = |program: &&Verified| -> usize {
        program.inputs.iter().map(|port| program.elements(port.value)).sum()
    };
    let numbers: usize = programs.iter().map(read).sum();
    let count = windows.len().min(most).min((NUMBERS / numbers.max(1)).max(COMPARED));
    let one = |i: usize| {
        let window = windows.get(i * windows.len() / count);
        [window.values.to_vec(), window.mask.to_vec()]
    };
    let windows: Vec<_> = (0..count).map(one).collect();
    let each: Result<Vec<_>, _> =
        programs.iter().map(|program| shown::samples(model, program, &windows)).collect();
    Ok(side_by_side(&each?))
}
