//! From a model file to a smaller one: apply passes to its programs, measure what they cost, choose the
//! threshold again with the programs that will run.

mod faults;
mod ground;
mod judge;
mod quality;
mod search;
mod shown;
mod student;

use std::{collections::BTreeMap, ops::ControlFlow};

use mote_compress::{Bits, Fidelity, Numbers, Scheme, Stack, Stacked, Width};
use mote_data::Runs;
use mote_format::{Manifest, Model, Tensors, Verified, model};
use serde::Serialize;

use crate::{
    Error,
    calibration::{Calibration, calibrate},
    completion,
    device::{Device, Fit},
    machine::Machine,
};
use ground::{Ground, repairing};
use judge::{Half, Judge};
pub use quality::{Metric, Purpose, Quality};
pub use search::{Budget, Candidate, Found, MULTIPLE, Search, search};
pub use student::Student;

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
    /// What it was measured by, as far as that is defined of the model.
    pub qualities: Vec<Quality>,
    /// Bytes of all tensors before, and after.
    pub tensor_bytes: [usize; 2],
    /// What its firmware takes, where a device is known.
    pub firmware: Option<Fit>,
    /// The new threshold, where there was one.
    pub calibration: Option<Calibration>,
}

/// What became of a program.
#[derive(Clone, Debug, Serialize)]
pub struct Change {
    /// Its name.
    pub program: String,
    /// How near each output comes to what it was before the passes, on held-back windows: signal to noise in
    /// decibels.
    pub signal_to_noise_db: Vec<(String, f64)>,
    /// Bytes of the arena before, and after.
    pub arena_bytes: [usize; 2],
    /// Multiplications of one run before, and after.
    pub multiply_adds: [u64; 2],
    /// Nanoseconds of one run before, and after, as predicted, where a machine is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub predicted_ns: Option<[f64; 2]>,
}

/// What takes a while.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Progress {
    /// Stacks, of how many, where one is searched for.
    Trying(usize, usize),
    /// A stack that was tried.
    Tried(Candidate),
    /// Steps of a repair, of how many.
    Repairing(usize, usize),
    /// Samples forecast, of how many, where the intervals of forecasts are measured again.
    Forecasting(usize, usize),
}

/// What is done to a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Way {
    /// A thinner model takes its place.
    pub student: Option<Student>,
    /// What is done to that, or to the model itself.
    pub stack: Stack,
    /// What is measured of the outcome: what the model was made for, where there are none.
    pub purposes: Vec<Purpose>,
    /// The machine that times are predicted for.
    pub machine: Option<Machine>,
}

/// Makes `model` smaller, with samples from the training part of `runs` and everything that is measured
/// from its held-back part: the data that it was trained on, or more of the same kind. `progress` may
/// break off.
///
/// # Errors
///
/// [`Error::Interrupted`] if it was broken off, [`Error::Compress`], [`Error::Usage`] if the model does
/// not say how its data was read or nothing is held back, [`Error::Data`] if there is no whole window.
pub fn compress(
    model: &Model<'_>,
    runs: &Runs,
    way: &Way,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Compressed, Error> {
    let ground = Ground::new(model, runs)?;
    let judge = Judge::new(model, &ground.train, &ground.held)?;
    let purposes = ground.purposes(&way.purposes);
    let machine = way.machine.as_ref();
    known(model, machine)?;
    let Some(student) = way.student else {
        let made = ground.apply(&way.stack, progress)?;
        let mut made = finish(&ground, &judge, (&way.stack, made), &purposes, progress)?;
        made.predict(model, machine)?;
        return Ok(made);
    };
    let taught = repairing(progress, |progress| student::teach(&ground, student, progress))?;
    let thin = Model::open(&taught.file).expect("written a moment ago");
    let thin = Ground::new(&thin, runs)?;
    let mut made = thin.apply(&way.stack, progress)?;
    made.repairs.insert(0, taught.repaired);
    let mut made = finish(&thin, &judge, (&way.stack, made), &purposes, progress)?;
    made.predict(model, machine)?;
    Ok(made)
}

/// Refuses a machine that says nothing of an operation of `model`, before the work rather than after it.
fn known(model: &Model<'_>, machine: Option<&Machine>) -> Result<(), Error> {
    let Some(machine) = machine else { return Ok(()) };
    model.programs.keys().try_for_each(|name| machine.predict(model, name).map(|_| ()))
}

impl Compressed {
    /// Says of each program what it takes on `machine`, now and in `whole`, the model before.
    fn predict(&mut self, whole: &Model<'_>, machine: Option<&Machine>) -> Result<(), Error> {
        let Some(machine) = machine else { return Ok(()) };
        let small = Model::open(&self.file).expect("written a moment ago");
        for change in &mut self.programs {
            let of =
                |model: &Model<'_>| Ok::<_, Error>(machine.predict(model, &change.program)?.ns);
            change.predicted_ns = Some([of(whole)?, of(&small)?]);
        }
        Ok(())
    }

    /// Says what it takes on `device`.
    fn fit(&mut self, device: Option<Device>) -> Result<(), Error> {
        let small = Model::open(&self.file).expect("written a moment ago");
        self.firmware = device.map(|device| device.fit(&small)).transpose()?;
        Ok(())
    }
}

/// The model file of what a stack made, with everything that is measured of it.
fn finish(
    ground: &Ground<'_>,
    judge: &Judge<'_>,
    (stack, made): (&Stack, Stacked),
    purposes: &[Purpose],
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Compressed, Error> {
    let near = ground.fidelity(&made)?;
    let bare = ground.bare(&made);
    let bare = Model::open(&bare).expect("written a moment ago");
    let whole = judge.whole();
    let change = |after: &Verified| Some(change(whole.programs.get(&after.name)?, after, &near));
    let changes: Vec<Change> = bare.programs.values().filter_map(change).collect();
    let mut qualities = Vec::new();
    for purpose in purposes {
        for &metric in purpose.metrics() {
            let of = |model| judge.of(model, metric, Half::Second);
            let (Some(before), Some(after)) = (of(whole)?, of(&bare)?) else { continue };
            qualities.push(Quality { metric, before, after, loss: metric.loss(before, after) });
        }
    }
    let mut manifest = ground.manifest(&made);
    note(&mut manifest.lineage.metrics, stack, &changes, &qualities);
    let tensor_bytes = [whole.tensor_bytes(), tensor_bytes(&made.tensors)];
    let progress = &mut |done, of| progress(Progress::Forecasting(done, of));
    let calibration = measured(&mut manifest, [whole, &bare], ground, progress)?;
    Ok(Compressed {
        file: model::write(&manifest, &made.tensors),
        programs: changes,
        repairs: made.repairs.iter().map(|r| [r.before, r.after]).collect(),
        qualities,
        tensor_bytes,
        firmware: None,
        calibration,
    })
}

fn tensor_bytes(tensors: &Tensors) -> usize {
    tensors.values().map(|array| array.tensor().bytes.len()).sum()
}

/// What is known of the smaller model.
fn note(
    metrics: &mut BTreeMap<String, f64>,
    stack: &Stack,
    changes: &[Change],
    qualities: &[Quality],
) {
    let bits = match stack.numbers {
        Numbers::Single => None,
        Numbers::Half => Some(16.0),
        Numbers::Integers(Scheme { width: Width::Uniform(Bits::Four), .. }) => Some(4.0),
        Numbers::Integers(Scheme { width: Width::Uniform(Bits::Eight), .. }) => Some(8.0),
        Numbers::Integers(Scheme { width: Width::Mixed(four), .. }) => Some(8.0 - 4.0 * four),
    };
    metrics.extend(bits.map(|bits| ("weight_bits".into(), bits)));
    for (output, db) in changes.iter().flat_map(|c| &c.signal_to_noise_db) {
        metrics.insert(format!("compressed_{output}_db"), *db);
    }
    for quality in qualities {
        metrics.insert(format!("compressed_{}", quality.metric.key()), quality.after);
        metrics.insert(format!("whole_{}", quality.metric.key()), quality.before);
    }
    metrics.retain(|_, value| value.is_finite());
}

/// Threshold and margins with the programs that will run, where there were some.
fn measured(
    manifest: &mut Manifest,
    [whole, bare]: [&Model<'_>; 2],
    ground: &Ground<'_>,
    progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
) -> Result<Option<Calibration>, Error> {
    let whole = &whole.manifest;
    let calibration = match &whole.detector {
        Some(detector) => {
            let data = [&ground.train, &ground.held];
            Some(calibrate(bare, data, detector.false_alarm_rate, ground.recipe.alarm)?)
        }
        None => None,
    };
    manifest.detector = calibration.as_ref().map(|c| c.detector.clone());
    if whole.margins.is_some() {
        manifest.margins = completion::measure(bare, &ground.held, progress)?;
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
        predicted_ns: None,
    }
}
