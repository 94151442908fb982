//! What each program of a model reads while the model is used, as samples.

use mote_data::{Runs, Windows, windows::Cut};
use mote_format::{
    Model, Schema, Verified,
    manifest::{Generator, Path},
    program::{Port, STATE_PREFIX},
};
use mote_learn::random::{Purpose, Random};
use mote_runtime::{Level, Loaded, Noise, Schedule, Steps, mixture};

use super::faults::spoil;
use crate::Error;

/// A window in raw units, and what of it was observed; `(length, features)` each.
pub(super) type Shown = [Vec<f32>; 2];

/// At most `most` windows, evenly chosen.
pub(super) fn windows(runs: &Runs, length: usize, most: usize) -> Result<Vec<Shown>, Error> {
    let windows = Windows::new(runs, Cut::new(length))?;
    let count = windows.len().min(most);
    let one = |i: usize| {
        let window = windows.get(i * windows.len() / count);
        [window.values.to_vec(), window.mask.to_vec()]
    };
    Ok((0..count).map(one).collect())
}

/// The same windows, each with a fault in its newest part. What a model says of good data alone leaves open
/// what it says of anything else: ranges would end where faults begin.
pub(super) fn with_faults(mut windows: Vec<Shown>, schema: &Schema, units: &[f32]) -> Vec<Shown> {
    let mut rng = Random::new(0, Purpose::Hiding, 0);
    for i in 0..windows.len() {
        let elsewhere = windows[(i + windows.len() / 2) % windows.len()][0].clone();
        let values = &mut windows[i][0];
        let length = values.len() / units.len();
        // One half of them began before the window.
        let begin = (2.0 * rng.unit() - 1.0).max(0.0) * length as f32;
        let begin = (begin as usize).min(length - 1) * units.len();
        spoil(&mut values[begin..], &elsewhere, schema, units, &mut rng);
    }
    windows
}

/// Samples of `program` for these windows: what draws is shown windows of which nothing is known, the first
/// half, and everything; what is run at many times is shown all of them; and what goes sample by sample
/// remembers what it has seen.
pub(super) fn samples(
    model: &Model<'_>,
    program: &Verified,
    windows: &[Shown],
) -> Result<Vec<mote_compress::Sample>, Error> {
    if program.states().next().is_some() {
        return stepped(model, program, windows);
    }
    let path = Way::of(model)?;
    let one = |(i, window): (usize, &Shown)| {
        let mut noise = Noise::new(0, i as u64);
        let known = known(program, window, i);
        let time = path.as_ref().map(|way| way.times[i * 7 % way.times.len()]);
        let input = |port: &Port| match port.name.as_str() {
            "x" => window[0].clone(),
            "mask" => known.clone(),
            "time" => vec![time.unwrap_or(0.0)],
            "state" => match (&path, time) {
                (Some(way), Some(time)) => way.state(window, time, &mut noise),
                _ => window[0].clone(),
            },
            _ => {
                let mut drawn = vec![0.0; program.elements(port.value)];
                noise.fill(&mut drawn);
                drawn
            }
        };
        program.inputs.iter().map(input).collect()
    };
    Ok(windows.iter().enumerate().map(one).collect())
}

/// Of which values of window `i` a program is told: of those that were observed, and where it draws the rest
/// of some of them only.
fn known(program: &Verified, window: &Shown, i: usize) -> Vec<f32> {
    let draws = ["noise", "state"].iter().any(|name| program.input(name).is_some());
    let count = if draws { window[1].len() * (i % 3) / 2 } else { window[1].len() };
    let told = |(at, &mask): (usize, &f32)| if at < count { mask } else { 0.0 };
    window[1].iter().enumerate().map(told).collect()
}

/// The way from noise to data, where a model goes one.
struct Way {
    path: Path,
    times: Vec<f32>,
    /// Raw values are `offset + scale · standard ones`, element by element.
    offset: Vec<f32>,
    scale: Vec<f32>,
}

impl Way {
    fn of(model: &Model<'_>) -> Result<Option<Self>, Error> {
        let Some(Generator::Iterative { path, solver, evaluations }) = model.manifest.generator
        else {
            return Ok(None);
        };
        let mut restore = Loaded::new(model, "restore")?.instance();
        let (from, to) = (restore.program().inputs[0].value, restore.program().outputs[0].value);
        let mut restored = |value| {
            restore.input(from).fill(value);
            restore.run();
            restore.output(to).to_vec()
        };
        let (offset, mut scale) = (restored(0.0), restored(1.0));
        scale.iter_mut().zip(&offset).for_each(|(one, zero)| *one -= zero);
        let moments = Schedule::new(path, solver, evaluations);
        let times = moments.moments().iter().map(|moment| moment.time).collect();
        Ok(Some(Self { path, times, offset, scale }))
    }

    /// What the window may have come from at `time`, in standard units.
    fn state(&self, window: &Shown, time: f32, noise: &mut Noise) -> Vec<f32> {
        let [signal, share] = mixture(self.path, time);
        let mut state = vec![0.0; window[0].len()];
        noise.fill(&mut state);
        let units = self.offset.iter().zip(&self.scale);
        for ((state, (x, mask)), (offset, scale)) in
            state.iter_mut().zip(window[0].iter().zip(&window[1])).zip(units)
        {
            let standard = (x - offset) / scale;
            let standard = if *mask > 0.0 && standard.is_finite() { standard } else { 0.0 };
            *state = signal * standard + share * *state;
        }
        state
    }
}

/// Samples of all times of a few windows, as many as there are windows.
fn stepped(
    model: &Model<'_>,
    program: &Verified,
    windows: &[Shown],
) -> Result<Vec<mote_compress::Sample>, Error> {
    let features = model.manifest.schema.features();
    let length = model.manifest.window.length;
    let mut steps =
        Steps::new(Loaded::from_parts(Level::best(), program, &model.tensors)?.instance());
    let few = windows.len().div_ceil(length).max(3).min(windows.len());
    let mut samples = Vec::new();
    for i in 0..few {
        let (window, mut noise) = (&windows[i * windows.len() / few], Noise::new(0, i as u64));
        let known = known(program, window, i);
        steps.reset();
        for t in 0..length {
            let row = |all: &[f32]| all[t * features..][..features].to_vec();
            let mut sample = Vec::new();
            for port in &program.inputs {
                let instance = steps.instance();
                let input = match port.name.as_str() {
                    "x" => row(&window[0]),
                    "mask" => row(&known),
                    name if name.starts_with(STATE_PREFIX) => instance.output(port.value).to_vec(),
                    _ => {
                        let mut drawn = vec![0.0; program.elements(port.value)];
                        noise.fill(&mut drawn);
                        drawn
                    }
                };
                instance.input(port.value).copy_from_slice(&input);
                sample.push(input);
            }
            samples.push(sample);
            steps.run();
        }
    }
    Ok(samples)
}
