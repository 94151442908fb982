//! The stack that fits a budget and costs least.

use std::ops::ControlFlow;

use mote_compress::{
    Bits, Importance, LowRank, Metric as Near, Numbers, Pruning, Ranks, Repair, Scheme, Spread,
    Stack, Stacked, Width,
};
use mote_data::Runs;
use mote_deploy::Footprint;
use mote_format::Model;
use mote_runtime::Plan;
use serde::{Deserialize, Serialize};

use super::{
    Compressed, Metric, Progress, Purpose, finish,
    ground::{Ground, repairing},
    judge::{Half, Judge},
    student::{self, Student},
    tensor_bytes,
};
use crate::{Error, device::Device, machine::Machine};

/// What a model may take, and what it may lose.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Budget {
    /// Bytes of all weights.
    pub flash_bytes: Option<usize>,
    /// Bytes of the largest arena of its programs.
    pub ram_bytes: Option<usize>,
    /// Multiplications of its largest program.
    pub multiply_adds: Option<u64>,
    /// Nanoseconds of one run of its slowest program, as predicted for the machine of the search.
    pub ns: Option<f64>,
    /// What its firmware has to fit into.
    pub device: Option<Device>,
    /// How much of the quality may be lost; see [`Metric::loss`].
    pub loss: Option<f64>,
}

/// One stack that was tried.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// About the share of weights that a student has, if one took the place of the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub student: Option<f64>,
    /// The share of weights that went with channels, and with ranks.
    pub pruned: f64,
    /// See `pruned`.
    pub low_rank: f64,
    /// The width of weights, in the mean over all layers.
    pub bits: u8,
    /// Bytes of all weights.
    pub flash_bytes: usize,
    /// Bytes of the largest arena of its programs.
    pub ram_bytes: usize,
    /// Multiplications of its largest program.
    pub multiply_adds: u64,
    /// Nanoseconds of one run of its slowest program, as predicted, where a machine is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predicted_ns: Option<f64>,
    /// What its firmware takes, where a device is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firmware: Option<Footprint>,
    /// What it is measured by.
    pub metric: Metric,
    /// That, on one half of the held-back data.
    pub quality: f64,
    /// What of it is lost; see [`Metric::loss`].
    pub loss: f64,
    /// Whether it is within the budget.
    pub fits: bool,
    /// Whether no other one is smaller, loses less, and is faster where times are predicted.
    pub front: bool,
}

/// What a search found.
#[derive(Debug)]
pub struct Found {
    /// All that was tried, the largest first.
    pub candidates: Vec<Candidate>,
    /// The one that loses least of those that fit, and what became of it, measured on the other half of the
    /// held-back windows.
    pub best: Option<(usize, Compressed)>,
}

/// Channels that machines compute at once: registers of NEON hold four numbers, those of AVX2 eight, and the
/// widest hold whole multiples.
pub const MULTIPLE: usize = 8;

/// How weights become fewer.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Thinning {
    /// About the share of weights that a student has, if one takes the place of the model.
    student: Option<f64>,
    /// The share of weights that goes with channels, and with ranks.
    pruned: f64,
    low_rank: f64,
}

/// What goes with channels, and with ranks, in this order.
const SHARES: [(f64, f64); 11] = [
    (0.0, 0.0),
    (0.0, 0.3),
    (0.3, 0.0),
    (0.3, 0.3),
    (0.5, 0.0),
    (0.5, 0.3),
    (0.5, 0.5),
    (0.7, 0.0),
    (0.7, 0.3),
    (0.85, 0.0),
    (0.85, 0.3),
];

/// What students have, in this order: their mixtures and splines are smaller too, which no pass makes cheaper.
const STUDENTS: [f64; 3] = [0.5, 0.25, 0.15];
/// They learn so many times as long as a repair, since they begin with nothing.
const LESSONS: usize = 4;

/// Bits of weights that are tried with each of them.
const WIDTHS: [u8; 3] = [8, 6, 4];

/// What is searched, and how.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// What the model may take and lose.
    pub budget: Budget,
    /// What follows each pass that takes weights away.
    pub repair: Option<Repair>,
    /// What the model is measured by: the first decides. What it was made for, where there are none.
    pub purposes: Vec<Purpose>,
    /// The machine that times are predicted for; needed where they are bounded.
    pub machine: Option<Machine>,
    /// What a search that was broken off has tried already.
    pub known: Vec<Candidate>,
}

/// Tries stacks from the gentlest to the harshest on `model`, and chooses the one that loses least of those
/// within the budget, or the smallest where that bounds the loss alone. `progress` is told of each that was
/// tried, and may break off. The same data gives the same result.
///
/// # Errors
///
/// As [`super::compress`].
pub fn search(
    model: &Model<'_>,
    runs: &Runs,
    how: &Search,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Found, Error> {
    super::known(model, how.machine.as_ref())?;
    // Refused before the work where it cannot become firmware.
    how.budget.device.map(|device| device.fit(model)).transpose()?;
    let ground = Ground::new(model, runs)?;
    let judge = Judge::new(model, &ground.train, &ground.held)?;
    let purposes = ground.purposes(&how.purposes);
    let metric = purposes[0].metrics()[0];
    let whole = measured(&judge, model, metric)?;
    let mut candidates: Vec<Candidate> = Vec::new();
    let mut best: Option<(usize, Option<Stacked>)> = None;
    let thinnings = thinnings(how.repair);
    let mut school = School { ground: &ground, runs, repair: how.repair, taught: Vec::new() };
    let total = thinnings.len() * WIDTHS.len();
    for thinning in thinnings {
        if progress(Progress::Trying(candidates.len(), total)).is_break() {
            return Err(Error::Interrupted(": nothing was written".into()));
        }
        let known = |bits: u8| {
            let same = |one: &&Candidate| one.way() == (thinning, bits);
            how.known.iter().find(same).copied()
        };
        let known: Vec<_> = WIDTHS.iter().map(|bits| known(*bits)).collect();
        let made = match known.iter().all(Option::is_some) {
            true => known.into_iter().flatten().map(|one| (one, None)).collect(),
            false => school.visit(thinning, progress, |ground, progress| {
                let stack = stack(thinning, Numbers::Single, how.repair);
                let real = ground.apply(&stack, progress)?;
                let narrowed = |bits: u8| {
                    let made = ground.narrowed(&real, numbers(bits))?;
                    let judged = (metric, whole, &judge);
                    let candidate = candidate(ground, &made, (thinning, bits), judged, how)?;
                    if progress(Progress::Tried(candidate)).is_break() {
                        return Err(Error::Interrupted(": nothing was written".into()));
                    }
                    Ok((candidate, Some(made)))
                };
                WIDTHS.into_iter().map(narrowed).collect::<Result<Vec<_>, _>>()
            })?,
        };
        for (mut candidate, made) in made {
            candidate.fits = candidate.is_within(how.budget);
            let least = best.as_ref().map(|(at, _)| rank(&candidates[*at], how.budget));
            if candidate.fits && least.is_none_or(|least| rank(&candidate, how.budget) < least) {
                best = Some((candidates.len(), made));
            }
            candidates.push(candidate);
        }
    }
    mark_front(&mut candidates);
    let Some((at, made)) = best else { return Ok(Found { candidates, best: None }) };
    let (thinning, bits) = candidates[at].way();
    let mut made = school.visit(thinning, progress, |ground, progress| {
        let stack = stack(thinning, numbers(bits), how.repair);
        let made = match made {
            Some(made) => made,
            None => ground.apply(&stack, progress)?,
        };
        finish(ground, &judge, (&stack, made), &purposes, progress)
    })?;
    made.predict(model, how.machine.as_ref())?;
    made.fit(how.budget.device)?;
    Ok(Found { candidates, best: Some((at, made)) })
}

/// The quality of the whole model, which is an error if it has none.
fn measured(judge: &Judge<'_>, model: &Model<'_>, metric: Metric) -> Result<f64, Error> {
    judge.of(model, metric, Half::First)?.ok_or_else(|| {
        Error::Usage(format!(
            "wanted a model that can be measured by {}, found {}",
            metric.name(),
            model.manifest.family
        ))
    })
}

/// All that is tried.
fn thinnings(repair: Option<Repair>) -> Vec<Thinning> {
    let shares = SHARES.map(|(pruned, low_rank)| Thinning { student: None, pruned, low_rank });
    let students =
        STUDENTS.map(|share| Thinning { student: Some(share), pruned: 0.0, low_rank: 0.0 });
    // Without lessons there are no students.
    shares.into_iter().chain(students.into_iter().filter(|_| repair.is_some())).collect()
}

/// The model, and the students that took its place so far.
struct School<'g, 'm> {
    ground: &'g Ground<'m>,
    runs: &'g Runs,
    repair: Option<Repair>,
    /// The share that each has, and its file.
    taught: Vec<(f64, Vec<u8>)>,
}

impl School<'_, '_> {
    /// Does something with the model, or with the student that takes its place.
    fn visit<T>(
        &mut self,
        thinning: Thinning,
        progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
        work: impl FnOnce(&Ground<'_>, &mut dyn FnMut(Progress) -> ControlFlow<()>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let Some(share) = thinning.student else { return work(self.ground, progress) };
        let known = self.taught.iter().position(|(known, _)| *known == share);
        let at = match known {
            Some(at) => at,
            None => {
                let repair = self.repair.unwrap_or_default();
                let lessons = Repair { steps: LESSONS * repair.steps, ..Repair::default() };
                let student = Student { share, lessons };
                let ground = self.ground;
                let made = repairing(progress, |told| student::teach(ground, student, told))?;
                self.taught.push((share, made.file));
                self.taught.len() - 1
            }
        };
        let thin = Model::open(&self.taught[at].1).expect("written a moment ago");
        work(&Ground::new(&thin, self.runs)?, progress)
    }
}

/// What is to be least: the loss, or the size where only the loss is bounded.
fn rank(candidate: &Candidate, budget: Budget) -> f64 {
    let bounded = Budget { loss: None, ..budget } != Budget::default();
    if bounded { candidate.loss } else { candidate.flash_bytes as f64 }
}

fn stack(thinning: Thinning, numbers: Numbers, repair: Option<Repair>) -> Stack {
    let Thinning { pruned, low_rank, .. } = thinning;
    let (importance, spread) = (Importance::default(), Spread::default());
    let (metric, ranks) = (Near::default(), Ranks::default());
    Stack {
        pruning: (pruned > 0.0).then_some(Pruning {
            share: pruned,
            importance,
            spread,
            multiple: MULTIPLE,
            making_up: true,
        }),
        low_rank: (low_rank > 0.0).then_some(LowRank { share: low_rank, metric, ranks }),
        repair,
        sparsity: None,
        numbers,
    }
}

/// What numbers become so that weights have so many bits, in the mean over all layers.
fn numbers(bits: u8) -> Numbers {
    let width = match bits {
        4 => Width::Uniform(Bits::Four),
        6 => Width::Mixed(0.5),
        _ => Width::Uniform(Bits::Eight),
    };
    Numbers::Integers(Scheme { width, ..Bits::Eight.into() })
}

impl Candidate {
    /// How weights became fewer, and the width of those that are left.
    fn way(&self) -> (Thinning, u8) {
        let Self { student, pruned, low_rank, bits, .. } = *self;
        (Thinning { student, pruned, low_rank }, bits)
    }

    /// What is better the less it is.
    fn costs(&self) -> [f64; 3] {
        [self.flash_bytes as f64, self.loss, self.predicted_ns.unwrap_or(0.0)]
    }

    fn is_within(&self, budget: Budget) -> bool {
        // Whose quality is no number is no choice.
        self.loss.is_finite()
            && budget.flash_bytes.is_none_or(|most| self.flash_bytes <= most)
            && budget.ram_bytes.is_none_or(|most| self.ram_bytes <= most)
            && budget.multiply_adds.is_none_or(|most| self.multiply_adds <= most)
            && budget.ns.is_none_or(|most| self.predicted_ns.is_some_and(|ns| ns <= most))
            && budget.device.is_none_or(|device| self.firmware.is_some_and(|f| device.has_room(f)))
            && budget.loss.is_none_or(|most| self.loss <= most)
    }
}

fn candidate(
    ground: &Ground<'_>,
    made: &Stacked,
    (Thinning { student, pruned, low_rank }, bits): (Thinning, u8),
    (metric, whole, judge): (Metric, f64, &Judge<'_>),
    how: &Search,
) -> Result<Candidate, Error> {
    let file = ground.bare(made);
    let small = Model::open(&file).expect("written a moment ago");
    let quality = judge.of(&small, metric, Half::First)?.unwrap_or(f64::NAN);
    let device = how.budget.device;
    // What advances by one sample is among the programs too.
    let programs = || small.programs.values();
    let slowest = |machine: &Machine| {
        let mut times = small.programs.keys().map(|name| machine.predict(&small, name));
        times.try_fold(0.0, |slowest: f64, found| Ok::<_, Error>(slowest.max(found?.ns)))
    };
    Ok(Candidate {
        student,
        pruned,
        low_rank,
        bits,
        flash_bytes: tensor_bytes(&made.tensors),
        ram_bytes: programs().map(|p| Plan::new(p).bytes()).max().unwrap_or(0),
        multiply_adds: programs().map(|p| p.multiply_adds()).max().unwrap_or(0),
        predicted_ns: how.machine.as_ref().map(slowest).transpose()?,
        firmware: device.map(|device| Ok::<_, Error>(device.fit(&small)?.needs)).transpose()?,
        metric,
        quality,
        loss: metric.loss(whole, quality),
        fits: false,
        front: false,
    })
}

fn mark_front(candidates: &mut [Candidate]) {
    for i in 0..candidates.len() {
        let costs = candidates[i].costs();
        let better = |other: &Candidate| {
            let pairs = || other.costs().into_iter().zip(costs);
            pairs().all(|(a, b)| a <= b) && pairs().any(|(a, b)| a < b)
        };
        candidates[i].front = !candidates.iter().any(better);
    }
}
