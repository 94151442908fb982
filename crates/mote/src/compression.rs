//! From a model file to a smaller one: quantize every program, measure what it cost, choose the
//! threshold again with the programs that will run.

use std::ops::ControlFlow;

use mote_compress::{Bits, Fidelity, Found, Sample, Scheme, fidelity, merge, quantize};
use mote_data::{Runs, Windows, split::split, windows::Cut};
use mote_format::{Array, Model, Program, Tensors, Verified, model, program::Port};
use mote_runtime::Noise;
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
}

/// Windows whose ranges are observed, at most: more hardly widen them.
const OBSERVED: usize = 512;
/// Held-back windows on which programs are compared, at most.
const COMPARED: usize = 256;

/// Quantizes the programs of `model` as `scheme` says, with ranges from the training part of
/// `runs` and everything that is measured from its held-back part: the data that it was trained on,
/// or more of the same kind. Programs that read more than windows and noise, as those of diffusion do,
/// stay as they are. `progress` is told how many samples have been forecast, of how many, where the
/// intervals of forecasts are measured again, and may break off.
///
/// # Errors
///
/// [`Error::Interrupted`] if it was broken off, [`Error::Compress`], [`Error::Usage`] if the model does not say how its data was read or nothing
/// is held back, [`Error::Data`] if there is no whole window.
pub fn compress(
    model: &Model<'_>,
    runs: &Runs,
    scheme: Scheme,
    progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
) -> Result<Compressed, Error> {
    let recipe = Recipe::of(&model.manifest)?;
    let parts = split(runs, &recipe.reading.dataset.split)?;
    let held = parts.validation.as_ref().ok_or_else(|| {
        Error::Usage(
            "what is smaller is measured on held-back data: the validation share is 0".into(),
        )
    })?;
    let length = model.manifest.window.length;
    let observed = samples(&parts.train, length, OBSERVED)?;
    let compared = samples(held, length, COMPARED)?;

    let mut manifest = model.manifest.clone();
    let (mut programs, mut tensors, mut changes) = (Vec::new(), Tensors::new(), Vec::new());
    for program in model.programs.values().filter(|p| p.name != STEP) {
        let (Some(observed), Some(compared)) =
            (shown(program, &observed), shown(program, &compared))
        else {
            let mut same = Program::clone(program);
            merge(&mut same, tensors_of(program, model), &mut tensors);
            programs.push(same);
            continue;
        };
        let (small, made) = quantize(program, &model.tensors, &observed, scheme)?;
        let found: Found<'_> = made.iter().map(|(n, a)| (n.clone(), a.tensor())).collect();
        let near = fidelity((program, &model.tensors), (&small, &found), &compared)?;
        changes.push(change(program, &small, near));
        let mut small = small.into_inner();
        merge(&mut small, made, &mut tensors);
        programs.push(small);
    }
    programs.extend(stepping(&programs, &tensors));
    manifest.programs = programs;
    let width = if scheme.bits == Bits::Four { 4.0 } else { 8.0 };
    manifest.lineage.metrics.insert("weight_bits".into(), width);
    for (output, db) in changes.iter().flat_map(|c| &c.signal_to_noise_db) {
        if db.is_finite() {
            manifest.lineage.metrics.insert(format!("quantized_{output}_db"), *db);
        }
    }
    let calibration = match &manifest.detector {
        Some(detector) => {
            let bare = model::write(&manifest, &tensors);
            let opened = Model::open(&bare).expect("written a moment ago");
            Some(calibrate(&opened, [&parts.train, held], detector.false_alarm_rate, recipe.alarm)?)
        }
        None => None,
    };
    manifest.detector = calibration.as_ref().map(|c| c.detector.clone());
    if manifest.margins.take().is_some() {
        let bare = model::write(&manifest, &tensors);
        let opened = Model::open(&bare).expect("written a moment ago");
        manifest.margins = completion::measure(&opened, held, progress)?;
    }
    let bytes = |tensor: &Array| tensor.tensor().bytes.len();
    Ok(Compressed {
        file: model::write(&manifest, &tensors),
        programs: changes,
        tensor_bytes: [model.tensor_bytes(), tensors.values().map(bytes).sum()],
        calibration,
    })
}

fn change(before: &Verified, after: &Verified, near: Vec<Fidelity>) -> Change {
    let arena = |program| mote_runtime::Plan::new(program).bytes();
    Change {
        program: before.name.clone(),
        signal_to_noise_db: near.into_iter().map(|f| (f.name, f.signal_to_noise_db)).collect(),
        arena_bytes: [arena(before), arena(after)],
    }
}

/// `windows` as the inputs of a program, or nothing if it reads more than windows and noise. What
/// draws is shown windows of which nothing is known, the first half, and everything.
fn shown(program: &Program, windows: &[Sample]) -> Option<Vec<Sample>> {
    let draws = program.inputs.iter().any(|port| port.name == "noise");
    let sample = |(i, window): (usize, &Sample)| {
        let input = |port: &Port| match port.name.as_str() {
            "x" => Some(window[0].clone()),
            "mask" if draws => {
                let known = window[1].len() * (i % 3) / 2;
                let known = |(at, &mask): (usize, &f32)| if at < known { mask } else { 0.0 };
                Some(window[1].iter().enumerate().map(known).collect())
            }
            "mask" => Some(window[1].clone()),
            "noise" => {
                let mut noise = vec![0.0; program.elements(port.value)];
                Noise::new(0, i as u64).fill(&mut noise);
                Some(noise)
            }
            _ => None,
        };
        program.inputs.iter().map(input).collect()
    };
    windows.iter().enumerate().map(sample).collect()
}

/// The tensors that a program reads.
fn tensors_of(program: &Program, model: &Model<'_>) -> Tensors {
    let names = program.values.iter().filter_map(|value| value.tensor.as_ref());
    names.map(|name| (name.clone(), model.tensors[name].to_array())).collect()
}

/// At most `most` windows, evenly chosen: values in their own units, and masks.
fn samples(runs: &Runs, length: usize, most: usize) -> Result<Vec<Sample>, Error> {
    let windows = Windows::new(runs, Cut::new(length))?;
    let count = windows.len().min(most);
    let sample = |i: usize| {
        let window = windows.get(i * windows.len() / count);
        vec![window.values.to_vec(), window.mask.to_vec()]
    };
    Ok((0..count).map(sample).collect())
}
