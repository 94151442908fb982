//! Scores the newest sample: with the whole window again, or by one step where the model can.

use alloc::{vec, vec::Vec};

use mote_format::{Model, ValueId, Verified, manifest};

use crate::{
    detect::Sample,
    execute::Instance,
    load::{LoadError, Loaded},
    step::Steps,
};

/// Keeps what the score of the newest sample needs. Memory is fixed when it is made.
#[derive(Clone, Debug)]
pub(super) struct Scorer<'m> {
    way: Way<'m>,
    ports: Ports,
    window: manifest::Window,
    features: usize,
    /// `(length, features)`, a ring that begins at row `next`.
    mask: Vec<f32>,
    next: usize,
    /// Samples of this segment that are in the window.
    filled: usize,
}

/// How improbable the newest samples are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Means {
    /// Over the tail, with what belongs to the window as a whole: the score.
    pub(super) score: f64,
    /// Over all values of the window.
    pub(super) window: f64,
}

#[derive(Clone, Debug)]
enum Way<'m> {
    /// All of the window is scored again for each sample.
    Window {
        score: Instance<'m>,
        /// `(length, features)`, a ring like that of the mask.
        values: Vec<f32>,
    },
    /// Each sample is scored once. What came before the window is remembered too, as far as the
    /// model looks back.
    Steps {
        step: Steps<'m>,
        /// `(length, features)`, a ring like that of the mask: what each value had when it was new.
        nll: Vec<f32>,
    },
}

#[derive(Clone, Copy, Debug)]
struct Ports {
    x: ValueId,
    mask: ValueId,
    nll: ValueId,
    kl: Option<ValueId>,
}

impl<'m> Scorer<'m> {
    /// Loads `step` where the model has it, and `score` otherwise.
    pub(super) fn new(model: &'m Model<'m>) -> Result<Self, LoadError> {
        let window = model.manifest.window;
        let features = model.manifest.schema.features();
        let ring = || vec![0.0; window.length * features];
        let (way, ports) = if model.programs.contains_key("step") {
            let step = Loaded::new(model, "step")?.instance();
            let ports = ports(step.program(), 1, features)?;
            (Way::Steps { step: Steps::new(step), nll: ring() }, ports)
        } else {
            let score = Loaded::new(model, "score")?.instance();
            let ports = ports(score.program(), window.length, features)?;
            (Way::Window { score, values: ring() }, ports)
        };
        Ok(Self { way, ports, window, features, mask: ring(), next: 0, filled: 0 })
    }

    /// Forgets everything.
    pub(super) fn reset(&mut self) {
        self.filled = 0;
        if let Way::Steps { step, .. } = &mut self.way {
            step.reset();
        }
    }

    /// Bytes that it holds beside the weights.
    pub(super) fn memory_bytes(&self) -> usize {
        let (ring, arena) = match &self.way {
            Way::Window { score, values } => (values.len(), score.arena_bytes()),
            Way::Steps { step, nll } => (nll.len(), step.arena_bytes()),
        };
        (ring + self.mask.len()) * size_of::<f32>() + arena
    }

    /// Takes a sample. What it makes known, in nats per observed value, and what each feature adds to the
    /// score; `None` while the window fills, and where nothing in the tail was observed.
    pub(super) fn push(&mut self, sample: Sample<'_>, shares: &mut [f32]) -> Option<Means> {
        let row = self.next * self.features..(self.next + 1) * self.features;
        self.mask[row.clone()].copy_from_slice(sample.mask);
        match &mut self.way {
            Way::Window { values, .. } => values[row].copy_from_slice(sample.values),
            Way::Steps { step, nll } => {
                step.instance().input(self.ports.x).copy_from_slice(sample.values);
                step.instance().input(self.ports.mask).copy_from_slice(sample.mask);
                step.run();
                nll[row].copy_from_slice(step.instance().output(self.ports.nll));
            }
        }
        self.next = (self.next + 1) % self.window.length;
        self.filled = (self.filled + 1).min(self.window.length);
        if self.filled < self.window.length {
            return None;
        }
        let observed: f32 = self.tail().map(|row| self.mask[row].iter().sum::<f32>()).sum();
        if observed == 0.0 {
            return None;
        }
        self.evaluate();
        let length = self.window.length;
        let mut window = 0.0;
        shares.fill(0.0);
        for (t, row) in self.rows().enumerate() {
            let nll = match &self.way {
                Way::Window { score, .. } => {
                    &score.output(self.ports.nll)[t * self.features..][..self.features]
                }
                Way::Steps { nll, .. } => &nll[row],
            };
            window += f64::from(nll.iter().sum::<f32>());
            if t >= length - self.window.tail {
                shares.iter_mut().zip(nll).for_each(|(share, &nll)| *share += nll / observed);
            }
        }
        let sum: f64 = shares.iter().map(|&s| f64::from(s)).sum();
        let all = f64::from(self.mask.iter().sum::<f32>());
        Some(Means { score: sum + f64::from(self.kl()) / all, window: window / all })
    }

    /// The rows of the window in the rings, the oldest first.
    fn rows(&self) -> impl Iterator<Item = core::ops::Range<usize>> + use<'m> {
        let (next, length, features) = (self.next, self.window.length, self.features);
        (0..length).map(move |t| {
            let row = (next + t) % length * features;
            row..row + features
        })
    }

    /// Those of the newest samples, of which the score speaks.
    fn tail(&self) -> impl Iterator<Item = core::ops::Range<usize>> + use<'m> {
        self.rows().skip(self.window.length - self.window.tail)
    }

    /// Scores the window, where that is not done already.
    fn evaluate(&mut self) {
        let Way::Window { score, values } = &mut self.way else { return };
        let split = self.next * self.features;
        for (id, ring) in [(self.ports.x, &*values), (self.ports.mask, &self.mask)] {
            let input = score.input(id);
            let (old, new) = input.split_at_mut(ring.len() - split);
            old.copy_from_slice(&ring[split..]);
            new.copy_from_slice(&ring[..split]);
        }
        score.run();
    }

    fn kl(&self) -> f32 {
        match (&self.way, self.ports.kl) {
            (Way::Window { score, .. }, Some(kl)) => score.output(kl)[0],
            _ => 0.0,
        }
    }
}

fn ports(program: &Verified, rows: usize, features: usize) -> Result<Ports, LoadError> {
    let wanted = [rows, features];
    let port = |name: &'static str, id: Option<ValueId>| match id {
        Some(id) if program.shape(id) == wanted => Ok(id),
        id => Err(LoadError::Port {
            program: program.name.clone(),
            port: name,
            wanted: wanted.into(),
            found: id.map(|id| program.shape(id).into()),
        }),
    };
    Ok(Ports {
        x: port("x", program.input("x"))?,
        mask: port("mask", program.input("mask"))?,
        nll: port("nll", program.output("nll"))?,
        kl: program.output("kl").filter(|&id| program.elements(id) == 1),
    })
}
