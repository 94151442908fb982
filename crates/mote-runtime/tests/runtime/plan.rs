//! Memory plans of random programs: nothing overlaps while it lives, and little is wasted.

use mote_format::{Op, ValueId};
use mote_runtime::Plan;
use proptest::prelude::*;

use crate::{draft::Ready, graphs::graph, random::Random};

/// A block of memory: the values that share it, and the steps at which it has to be intact.
#[derive(Clone, Debug)]
struct Block {
    values: Vec<ValueId>,
    bytes: usize,
    alive: Vec<bool>,
}

impl Block {
    fn meets(&self, other: &Block) -> bool {
        self.alive.iter().zip(&other.alive).any(|(a, b)| *a && *b)
    }
}

/// The blocks of a program, found by walking it step by step. Step 0 fills the inputs, step `i + 1`
/// runs operation `i`, the last step reads the outputs.
fn blocks(ready: &Ready) -> Vec<Block> {
    let program = &ready.program;
    let steps = program.ops.len() + 2;
    let mut block_of: Vec<Option<usize>> = vec![None; program.values.len()];
    let mut blocks: Vec<Block> = Vec::new();
    let mut written: Vec<(usize, ValueId)> = Vec::new();
    let mut read: Vec<(usize, ValueId)> = Vec::new();
    written.extend(program.inputs.iter().map(|p| (0, p.value)));
    for (i, op) in program.ops.iter().enumerate() {
        written.push((i + 1, op.result()));
        op.for_each_operand(|x| read.push((i + 1, x)));
    }
    read.extend(program.outputs.iter().map(|p| (steps - 1, p.value)));

    for &(step, id) in &written {
        let source = match (step.checked_sub(1)).map(|i| &program.ops[i]) {
            Some(Op::Reshape { x, .. }) => block_of[x.index()],
            _ => None,
        };
        let block = source.unwrap_or_else(|| {
            let alive = vec![false; steps];
            blocks.push(Block { values: vec![], bytes: program.values[id.index()].bytes(), alive });
            blocks.len() - 1
        });
        block_of[id.index()] = Some(block);
        blocks[block].values.push(id);
        blocks[block].alive[step] = true;
    }
    for (step, id) in read {
        // What has no block is a tensor of the file.
        if let Some(block) = block_of[id.index()] {
            let first = blocks[block].alive.iter().position(|a| *a).unwrap();
            blocks[block].alive[first..=step].fill(true);
        }
    }
    blocks
}

/// The most that is alive in one step.
fn peak(blocks: &[Block]) -> usize {
    let steps = blocks.first().map_or(0, |b| b.alive.len());
    let alive = |step: usize| blocks.iter().filter(|b| b.alive[step]).map(|b| b.bytes).sum();
    (0..steps).map(alive).max().unwrap_or(0)
}

/// The smallest arena that any plan reaches. Some order of placing each block as low as it goes
/// leads to it: the order of the offsets in an optimal plan, where every block can only sink.
fn optimum(blocks: &[Block]) -> usize {
    fn rest(blocks: &[Block], placed: &mut Vec<(usize, usize)>, best: &mut usize) {
        let top = placed.iter().map(|&(i, at)| at + blocks[i].bytes).max().unwrap_or(0);
        if top >= *best {
            return;
        }
        if placed.len() == blocks.len() {
            *best = top;
            return;
        }
        for i in 0..blocks.len() {
            if placed.iter().any(|&(j, _)| i == j) {
                continue;
            }
            placed.push((i, lowest(blocks, placed, i)));
            rest(blocks, placed, best);
            placed.pop();
        }
    }

    let mut best = blocks.iter().map(|b| b.bytes).sum::<usize>() + 1;
    rest(blocks, &mut Vec::new(), &mut best);
    best
}

/// The lowest offset at which block `i` meets none of `placed`.
fn lowest(blocks: &[Block], placed: &[(usize, usize)], i: usize) -> usize {
    let mut near: Vec<(usize, usize)> =
        placed.iter().copied().filter(|&(j, _)| blocks[j].meets(&blocks[i])).collect();
    near.sort_by_key(|&(_, at)| at);
    near.iter().fold(0, |offset, &(j, at)| {
        if offset + blocks[i].bytes <= at { offset } else { offset.max(at + blocks[j].bytes) }
    })
}

proptest! {
    #[test]
    fn values_that_live_together_never_overlap(seed: u64, ops in 1..60usize) {
        let (ready, _) = graph(seed, ops);
        let (plan, blocks) = (ready.plan(), blocks(&ready));
        let place = |block: &Block| plan.place(block.values[0]);
        for (i, a) in blocks.iter().enumerate() {
            prop_assert_eq!(place(a).len(), a.bytes);
            prop_assert!(place(a).end <= plan.bytes());
            for value in &a.values {
                prop_assert_eq!(plan.place(*value), place(a), "reshaped values share memory");
            }
            for b in blocks[..i].iter().filter(|b| a.meets(b)) {
                let apart = place(a).end <= place(b).start || place(b).end <= place(a).start;
                prop_assert!(apart || a.bytes * b.bytes == 0, "{a:?} and {b:?}");
            }
        }
    }

    #[test]
    fn tensors_of_the_file_take_no_memory(seed: u64, ops in 1..20usize) {
        let (ready, _) = graph(seed, ops);
        let plan = ready.plan();
        for (i, value) in ready.program.values.iter().enumerate() {
            prop_assert!(value.tensor.is_none() || plan.place(ValueId(i as u32)).is_empty());
        }
    }

    #[test]
    fn the_arena_holds_at_least_what_lives_at_once(seed: u64, ops in 1..60usize) {
        let (ready, _) = graph(seed, ops);
        let (plan, peak) = (ready.plan(), peak(&blocks(&ready)));
        prop_assert_eq!(Plan::lower_bound(&ready.program), peak);
        prop_assert!(plan.bytes() >= peak);
        prop_assert!(plan.bytes() <= blocks(&ready).iter().map(|b| b.bytes).sum());
    }

    #[test]
    fn equal_programs_have_equal_plans(seed: u64, ops in 1..40usize) {
        prop_assert_eq!(graph(seed, ops).0.plan(), graph(seed, ops).0.plan());
    }
}

/// How much larger than the lower bound, and than the optimum of small programs, arenas may be on
/// average. What they are is printed by
/// `cargo test --release -p mote-runtime --test runtime greedy -- --nocapture`.
const OVER_BOUND: f64 = 1.03;
const OVER_OPTIMUM: f64 = 1.005;

/// The plan's arena over a yardstick, for many programs: the mean and the worst.
fn waste(ratios: &[f64]) -> (f64, f64) {
    let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
    (mean, ratios.iter().copied().fold(0.0, f64::max))
}

#[test]
fn greedy_plans_waste_little_over_the_lower_bound() {
    let mut random = Random(1);
    let ratios: Vec<f64> = (0..2000)
        .map(|seed| graph(seed, 5 + random.below(60)).0)
        .map(|ready| (ready.plan().bytes(), Plan::lower_bound(&ready.program)))
        .filter(|&(_, bound)| bound > 0)
        .map(|(found, bound)| found as f64 / bound as f64)
        .collect();
    assert!(ratios.len() > 1900, "{} programs need memory", ratios.len());
    let (mean, worst) = waste(&ratios);
    println!("arena over lower bound: mean {mean:.4}, worst {worst:.4}");
    assert!(mean < OVER_BOUND, "mean {mean}");
}

#[test]
fn greedy_plans_of_small_programs_are_nearly_optimal() {
    let small = (0..6000)
        .map(|seed| graph(seed, 1 + seed as usize % 6).0)
        .map(|ready| (blocks(&ready), ready))
        .filter(|(blocks, _)| blocks.len() <= 6 && peak(blocks) > 0);
    let ratios: Vec<f64> = small
        .map(|(blocks, ready)| {
            let (found, best) = (ready.plan().bytes(), optimum(&blocks));
            assert!(peak(&blocks) <= best && best <= found, "{found} of {best}: {blocks:?}");
            found as f64 / best as f64
        })
        .collect();
    assert!(ratios.len() > 3000, "{} small programs", ratios.len());
    let (mean, worst) = waste(&ratios);
    let optimal = ratios.iter().filter(|&&r| r == 1.0).count();
    println!(
        "arena over optimum: mean {mean:.4}, worst {worst:.4}, optimal {optimal} of {}",
        ratios.len()
    );
    assert!(mean < OVER_OPTIMUM, "mean {mean}");
}

#[test]
fn the_optimum_is_what_it_is_by_hand() {
    let block = |bytes, alive: [u8; 3]| Block {
        values: vec![],
        bytes,
        alive: alive.iter().map(|&a| a == 1).collect(),
    };
    assert_eq!(optimum(&[]), 0);
    assert_eq!(optimum(&[block(5, [1, 0, 0])]), 5);
    assert_eq!(optimum(&[block(5, [1, 0, 0]), block(3, [0, 1, 0])]), 5);
    assert_eq!(optimum(&[block(5, [1, 1, 0]), block(3, [0, 1, 0])]), 8);
    let chain = [block(4, [1, 1, 0]), block(2, [0, 1, 1]), block(4, [0, 0, 1])];
    assert_eq!(optimum(&chain), 6);
}
