//! Completes windows with the programs of a model: what is known stays, the rest is drawn.
//!
//! Generation, forecasting and imputation are one thing here. A mask says what of a window is known:
//! nothing, the past, or everything but holes; also a column alone, which is how a condition is given.

mod denoise;
mod schedule;
mod sequential;

use alloc::{format, vec, vec::Vec};

use mote_format::{
    Model, ValueId, Verified,
    manifest::{Generator, Solver},
};

pub use denoise::Denoiser;
pub use schedule::{Moment, Schedule, mixture};

use crate::{
    execute::Instance,
    load::{LoadError, Loaded},
    noise::Noise,
};
use sequential::Sequential;

/// Draws windows, a batch at once. Memory is fixed when it is made.
#[derive(Clone, Debug)]
pub struct Completer<'m> {
    way: Way<'m>,
    shape: [usize; 2],
    batch: usize,
}

#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "one is made for a model, and it is seldom moved")]
enum Way<'m> {
    Direct { complete: Instance<'m>, noise: ValueId, window: Ports },
    Iterative(Iterative<'m>),
    Sequential(Sequential<'m>),
}

/// The ports of a program that is told what is known, and answers with a window.
#[derive(Clone, Copy, Debug)]
struct Ports {
    x: ValueId,
    mask: ValueId,
    y: ValueId,
}

#[derive(Clone, Debug)]
struct Iterative<'m> {
    denoise: Instance<'m>,
    restore: Instance<'m>,
    schedule: Schedule,
    window: Ports,
    state: ValueId,
    time: ValueId,
    restored: [ValueId; 2],
    /// `(batch, length, features)`, in standard units.
    current: Vec<f32>,
    /// The estimate of the moment before, likewise.
    before: Vec<f32>,
    /// How much what is known counts.
    guidance: f32,
    /// The estimate without it, likewise; empty unless that is looked at.
    without: Vec<f32>,
}

impl<'m> Completer<'m> {
    /// Loads what completes windows in `model`, for `batch` windows at once. `evaluations` other than
    /// the model's own, where it takes several: fewer are faster, more are closer to the data.
    ///
    /// # Errors
    ///
    /// [`LoadError::NoProgram`] if the model completes no windows, [`LoadError::Port`] if a program
    /// does not have the ports that its generator needs, [`LoadError::Evaluations`] if the model was
    /// distilled to another number of them.
    ///
    /// # Panics
    ///
    /// If `batch` or `evaluations` is zero.
    pub fn new(
        model: &'m Model<'m>,
        batch: usize,
        evaluations: Option<usize>,
    ) -> Result<Self, LoadError> {
        let shape = [model.manifest.window.length, model.manifest.schema.features()];
        let way = match model.manifest.generator {
            Some(Generator::Iterative { path, solver, evaluations: usual }) => {
                let evaluations = evaluations.unwrap_or(usual);
                if solver == Solver::Distilled && evaluations != usual {
                    return Err(LoadError::Evaluations { wanted: usual, found: evaluations });
                }
                let schedule = Schedule::new(path, solver, evaluations);
                Way::Iterative(Iterative::new(model, shape, batch, schedule)?)
            }
            Some(Generator::Sequential) => Way::Sequential(Sequential::new(model, shape, batch)?),
            Some(Generator::Direct) | None => {
                let complete = Loaded::new(model, "complete")?.batch(batch);
                let program = complete.program();
                let window = ports(program, "y", shape)?;
                let noise = input(program, "noise", None)?;
                Way::Direct { complete, noise, window }
            }
        };
        Ok(Self { way, shape, batch })
    }

    /// The same, with what is known counted `strength` times: at each evaluation the estimate without it
    /// is taken, and `strength` times the way from there to the estimate with it (classifier-free
    /// guidance, Ho and Salimans 2022, arXiv 2207.12598). 1 is as it was learned and costs nothing; more
    /// draws what is more typical of the condition, and less varied, in twice the time.
    ///
    /// # Errors
    ///
    /// [`LoadError::Guidance`] if the model does not go along a path, or `strength` is no number of at
    /// least 0.
    pub fn guided(mut self, strength: f32) -> Result<Self, LoadError> {
        let refused = || LoadError::Guidance { strength: format!("{strength}") };
        if !(strength >= 0.0 && strength.is_finite()) {
            return Err(refused());
        }
        match &mut self.way {
            _ if strength == 1.0 => {}
            Way::Iterative(it) => {
                it.guidance = strength;
                it.without = vec![0.0; it.current.len()];
            }
            Way::Direct { .. } | Way::Sequential(_) => return Err(refused()),
        }
        Ok(self)
    }

    /// Samples and features of a window.
    #[must_use]
    pub fn shape(&self) -> [usize; 2] {
        self.shape
    }

    /// Windows that are drawn at once.
    #[must_use]
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Bytes that it holds beside the weights.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        match &self.way {
            Way::Direct { complete, .. } => complete.arena_bytes(),
            Way::Iterative(it) => {
                let states = size_of_val(&*it.current)
                    + size_of_val(&*it.before)
                    + size_of_val(&*it.without);
                it.denoise.arena_bytes() + it.restore.arena_bytes() + states
            }
            Way::Sequential(it) => it.memory_bytes(),
        }
    }

    /// Draws a batch of windows. `x`, `mask` and `y` are `(batch, length, features)` in raw units; where
    /// `mask` is 1, `y` is `x`, and the rest of `x` is not looked at.
    ///
    /// # Panics
    ///
    /// If a slice has another length.
    pub fn complete(&mut self, x: &[f32], mask: &[f32], noise: &mut Noise, y: &mut [f32]) {
        let wanted = self.batch * self.shape[0] * self.shape[1];
        assert_eq!([x.len(), mask.len(), y.len()], [wanted; 3], "windows of a batch");
        let drawn = match &mut self.way {
            Way::Direct { complete, noise: port, window } => {
                show(complete, *window, x, mask);
                noise.fill(complete.input(*port));
                complete.run();
                complete.output(window.y)
            }
            Way::Iterative(it) => it.run(x, mask, noise),
            Way::Sequential(it) => it.run(x, mask, noise),
        };
        for ((y, &drawn), (&x, &mask)) in y.iter_mut().zip(drawn).zip(x.iter().zip(mask)) {
            *y = if mask == 1.0 { x } else { drawn };
        }
    }
}

impl<'m> Iterative<'m> {
    fn new(
        model: &'m Model<'m>,
        shape: [usize; 2],
        batch: usize,
        schedule: Schedule,
    ) -> Result<Self, LoadError> {
        let denoise = Loaded::new(model, "denoise")?.batch(batch);
        let restore = Loaded::new(model, "restore")?.batch(batch);
        let window = ports(denoise.program(), "estimate", shape)?;
        let state = input(denoise.program(), "state", Some(shape))?;
        let time = input(denoise.program(), "time", Some([1, 1]))?;
        let restored = [
            input(restore.program(), "state", Some(shape))?,
            output(restore.program(), "y", shape)?,
        ];
        let zeros = vec![0.0; batch * shape[0] * shape[1]];
        Ok(Self {
            denoise,
            restore,
            schedule,
            window,
            state,
            time,
            restored,
            current: zeros.clone(),
            before: zeros,
            guidance: 1.0,
            without: Vec::new(),
        })
    }

    /// Evaluates the estimate at a time, with the known part or without it.
    fn estimate(&mut self, time: f32, known: Option<(&[f32], &[f32])>) {
        match known {
            Some((x, mask)) => show(&mut self.denoise, self.window, x, mask),
            None => {
                self.denoise.input(self.window.x).fill(0.0);
                self.denoise.input(self.window.mask).fill(0.0);
            }
        }
        self.denoise.input(self.state).copy_from_slice(&self.current);
        self.denoise.input(self.time).fill(time);
        self.denoise.run();
    }

    fn run(&mut self, x: &[f32], mask: &[f32], noise: &mut Noise) -> &[f32] {
        noise.fill(&mut self.current);
        for i in 0..self.schedule.moments().len() {
            let moment = self.schedule.moments()[i];
            if !self.without.is_empty() {
                self.estimate(moment.time, None);
                self.without.copy_from_slice(self.denoise.output(self.window.y));
            }
            self.estimate(moment.time, Some((x, mask)));
            let estimates = self.denoise.output(self.window.y);
            for (n, ((state, before), &estimate)) in
                self.current.iter_mut().zip(&mut self.before).zip(estimates).enumerate()
            {
                let estimate = match self.without.get(n) {
                    Some(without) => without + self.guidance * (estimate - without),
                    None => estimate,
                };
                let fresh = if moment.fresh > 0.0 { moment.fresh * noise.number() } else { 0.0 };
                *state = moment.state * *state
                    + moment.estimate * estimate
                    + moment.before * *before
                    + fresh;
                *before = estimate;
            }
        }
        let [state, y] = self.restored;
        self.restore.input(state).copy_from_slice(&self.current);
        self.restore.run();
        self.restore.output(y)
    }
}

/// Tells a program what is known; what is not is zero, whatever the caller has there.
fn show(instance: &mut Instance<'_>, ports: Ports, x: &[f32], mask: &[f32]) {
    for ((to, &x), &mask) in instance.input(ports.x).iter_mut().zip(x).zip(mask) {
        *to = if mask == 1.0 { x } else { 0.0 };
    }
    instance.input(ports.mask).copy_from_slice(mask);
}

fn ports(program: &Verified, y: &'static str, shape: [usize; 2]) -> Result<Ports, LoadError> {
    Ok(Ports {
        x: input(program, "x", Some(shape))?,
        mask: input(program, "mask", Some(shape))?,
        y: output(program, y, shape)?,
    })
}

/// An input by name; of this shape, or of any row.
fn input(
    program: &Verified,
    port: &'static str,
    shape: Option<[usize; 2]>,
) -> Result<ValueId, LoadError> {
    let found = program.input(port);
    let fits = |id: &ValueId| match shape {
        Some(shape) => program.shape(*id) == shape,
        None => program.shape(*id).len() == 2 && program.shape(*id)[0] == 1,
    };
    found.filter(fits).ok_or_else(|| LoadError::Port {
        program: program.name.clone(),
        port,
        wanted: shape.unwrap_or([1, 1]).into(),
        found: found.map(|id| program.shape(id).into()),
    })
}

fn output(program: &Verified, port: &'static str, shape: [usize; 2]) -> Result<ValueId, LoadError> {
    let found = program.output(port);
    found.filter(|&id| program.shape(id) == shape).ok_or_else(|| LoadError::Port {
        program: program.name.clone(),
        port,
        wanted: shape.into(),
        found: found.map(|id| program.shape(id).into()),
    })
}
