//! The stack that fits a budget and costs least.

use std::ops::ControlFlow;

use mote_compress::{
    Bits, Importance, LowRank, Metric, Pruning, Ranks, Repair, Spread, Stack, Stacked, split,
};
use mote_data::Runs;
use mote_format::{Array, Model, Verified};
use mote_runtime::Plan;
use serde::Serialize;

use super::{
    Compressed, Progress, finish,
    ground::{Ground, Half},
    tensor_bytes,
};
use crate::{Error, training::stepping};

/// What a model may take, and what it may lose.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Budget {
    /// Bytes of all weights.
    pub flash_bytes: Option<usize>,
    /// Bytes of the largest arena of its programs.
    pub ram_bytes: Option<usize>,
    /// Multiplications of its largest program.
    pub multiply_adds: Option<u64>,
    /// How much may be lost: nats for each observed value, of a model that scores; of another, the share of
    /// the power of its outputs that is an error.
    pub loss: Option<f64>,
}

/// One stack that was tried.
#[derive(Clone, Debug, Serialize)]
pub struct Candidate {
    /// The share of weights that went with channels, and with ranks.
    pub pruned: f64,
    /// See `pruned`.
    pub low_rank: f64,
    /// The width of weights.
    pub bits: u8,
    /// Bytes of all weights.
    pub flash_bytes: usize,
    /// Bytes of the largest arena of its programs.
    pub ram_bytes: usize,
    /// Multiplications of its largest program.
    pub multiply_adds: u64,
    /// What is lost, as [`Budget::loss`] has it, on one half of the held-back windows.
    pub loss: f64,
    /// Whether it is within the budget.
    pub fits: bool,
    /// Whether no other one is smaller and loses less.
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

/// Shares of weights that go with channels, and with ranks, each in this order.
const SHARES: [(f64, f64); 9] = [
    (0.0, 0.0),
    (0.0, 0.3),
    (0.3, 0.0),
    (0.3, 0.3),
    (0.5, 0.0),
    (0.5, 0.3),
    (0.5, 0.5),
    (0.7, 0.3),
    (0.85, 0.3),
];

/// Tries stacks from the gentlest to the harshest on `model`, and chooses the one that loses least of those
/// within `budget`, or the smallest where that bounds the loss alone. `repair` follows each pass that takes
/// weights away. `progress` is told how many were tried, of how many, and may break off. The same data
/// gives the same result.
///
/// # Errors
///
/// As [`super::compress`].
pub fn search(
    model: &Model<'_>,
    runs: &Runs,
    budget: Budget,
    repair: Option<Repair>,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Found, Error> {
    let ground = Ground::new(model, runs)?;
    let mut candidates = Vec::new();
    let mut best: Option<(usize, Stack, Stacked)> = None;
    let widths = [Bits::Eight, Bits::Four];
    let total = SHARES.len() * widths.len();
    for (pruned, low_rank) in SHARES {
        let stack = Stack { repair, ..stack(pruned, low_rank) };
        if progress(Progress::Trying(candidates.len(), total)).is_break() {
            return Err(Error::Interrupted(": nothing was written".into()));
        }
        let real = ground.apply(&stack, progress)?;
        for bits in widths {
            let stack = Stack { scheme: Some(bits.into()), ..stack };
            let made = ground.quantized(&real, bits.into())?;
            let candidate = judged(&ground, &made, [pruned, low_rank], bits, budget)?;
            let known = best.as_ref().map(|(at, ..)| rank(&candidates[*at], budget));
            if candidate.fits && known.is_none_or(|known| rank(&candidate, budget) < known) {
                best = Some((candidates.len(), stack, made));
            }
            candidates.push(candidate);
        }
    }
    mark_front(&mut candidates);
    let best = match best {
        Some((at, stack, made)) => Some((at, finish(&ground, &stack, made, progress)?)),
        None => None,
    };
    Ok(Found { candidates, best })
}

/// What is to be least: the loss, or the size where only the loss is bounded.
fn rank(candidate: &Candidate, budget: Budget) -> f64 {
    let bounded = Budget { loss: None, ..budget } != Budget::default();
    if bounded { candidate.loss } else { candidate.flash_bytes as f64 }
}

fn stack(pruned: f64, low_rank: f64) -> Stack {
    let (importance, spread) = (Importance::default(), Spread::default());
    let (metric, ranks) = (Metric::default(), Ranks::default());
    Stack {
        pruning: (pruned > 0.0).then_some(Pruning { share: pruned, importance, spread }),
        low_rank: (low_rank > 0.0).then_some(LowRank { share: low_rank, metric, ranks }),
        ..Stack::default()
    }
}

fn judged(
    ground: &Ground<'_>,
    made: &Stacked,
    [pruned, low_rank]: [f64; 2],
    bits: Bits,
    budget: Budget,
) -> Result<Candidate, Error> {
    let loss = match ground.nats(made, Half::First)? {
        Some([before, after]) => after - before,
        None => {
            let near = ground.fidelity(made, Half::First)?;
            let worst = near.iter().map(|f| f.signal_to_noise_db).fold(f64::INFINITY, f64::min);
            10f64.powf(-worst / 10.0)
        }
    };
    let stored = |name: &str| made.tensors.get(name).map(Array::stored);
    let mut programs = split(&made.program);
    // What advances by one sample is in the file too.
    programs.extend(stepping(&programs, &made.tensors));
    let (mut ram_bytes, mut multiply_adds) = (0, 0);
    for program in programs {
        let program = Verified::new(program, stored).expect("a part of what was verified");
        ram_bytes = ram_bytes.max(Plan::new(&program).bytes());
        multiply_adds = multiply_adds.max(program.multiply_adds());
    }
    let flash_bytes = tensor_bytes(&made.tensors);
    let fits = budget.flash_bytes.is_none_or(|most| flash_bytes <= most)
        && budget.ram_bytes.is_none_or(|most| ram_bytes <= most)
        && budget.multiply_adds.is_none_or(|most| multiply_adds <= most)
        && budget.loss.is_none_or(|most| loss <= most);
    let bits = if bits == Bits::Four { 4 } else { 8 };
    let front = false;
    Ok(Candidate {
        pruned,
        low_rank,
        bits,
        flash_bytes,
        ram_bytes,
        multiply_adds,
        loss,
        fits,
        front,
    })
}

fn mark_front(candidates: &mut [Candidate]) {
    for i in 0..candidates.len() {
        let (bytes, loss) = (candidates[i].flash_bytes, candidates[i].loss);
        let better = |other: &Candidate| {
            (other.flash_bytes < bytes && other.loss <= loss)
                || (other.flash_bytes <= bytes && other.loss < loss)
        };
        candidates[i].front = !candidates.iter().any(better);
    }
}
