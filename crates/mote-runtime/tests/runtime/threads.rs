//! Large layers in parts on threads: the same bits, and parts there are.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use mote_format::{Op, program::Unary};
use mote_runtime::{Level, Part, Threads};

use crate::{
    draft::{Draft, Ready},
    random::Random,
};

/// A thread for each part.
pub(crate) struct Spawned {
    pub(crate) count: usize,
    /// The most parts that a layer had.
    pub(crate) parts: AtomicUsize,
}

impl Spawned {
    pub(crate) fn new(count: usize) -> Self {
        Self { count, parts: AtomicUsize::new(0) }
    }
}

impl Threads for Spawned {
    fn count(&self) -> usize {
        self.count
    }

    fn run(&self, parts: &mut [Part<'_>]) {
        self.parts.fetch_max(parts.len(), Ordering::Relaxed);
        thread::scope(|scope| {
            for part in parts {
                scope.spawn(|| part.run());
            }
        });
    }
}

/// `count` threads give the bits of one, in so many parts.
#[track_caller]
fn check(ready: &Ready, count: usize, parts: usize) {
    let mut random = Random(7);
    for level in Level::available().filter(|level| *level != Level::Plain) {
        let mut instance = ready.instance_at(level);
        let x = ready.program.inputs[0].value;
        let shape = ready.program.shape(x).to_vec();
        let numbers = random.fill(&shape, 1.0);
        let mut found = |threads: Option<&Spawned>| -> Vec<u32> {
            instance.input(x).copy_from_slice(&numbers);
            match threads {
                Some(threads) => instance.run_on(threads),
                None => instance.run(),
            }
            let y = instance.output(ready.program.outputs[0].value);
            y.iter().map(|y| y.to_bits()).collect()
        };
        let threads = Spawned::new(count);
        assert_eq!(found(Some(&threads)), found(None), "{}", level.name());
        assert_eq!(threads.parts.into_inner(), parts, "{}", level.name());
    }
}

/// `y = x + relu(w x + b)`
fn linear(rows: usize, inputs: usize, outputs: usize) -> Ready {
    let (mut draft, mut random) = (Draft::new("linear"), Random(3));
    let x = draft.input("x", &[rows, inputs]);
    let w = draft.tensor(&[outputs, inputs], random.fill(&[outputs, inputs], 0.1));
    let bias = Some(draft.tensor(&[outputs], random.fill(&[outputs], 1.0)));
    let activation = Some(Unary::Relu);
    let mut y = draft.push(|y| Op::Linear { x, w, bias, y, activation });
    if inputs == outputs {
        y = draft.push(|sum| Op::Binary {
            a: x,
            b: y,
            y: sum,
            f: mote_format::program::Binary::Add,
        });
    }
    draft.output("y", y);
    draft.verify()
}

#[test]
fn one_row_is_cut_along_its_outputs() {
    check(&linear(1, 4000, 2100), 4, 4);
    // With a sum beside it.
    check(&linear(1, 2100, 2100), 2, 2);
    // The last part is smaller than a group of panels.
    check(&linear(1, 26000, 257), 8, 3);
}

#[test]
fn rows_are_cut_in_whole_tiles() {
    check(&linear(64, 400, 256), 3, 3);
    // As many parts as threads at most, the last one small.
    check(&linear(50, 800, 240), 3, 3);
    check(&linear(514, 400, 800), 64, 33);
    // Parts of 16 rows would leave one by itself.
    check(&linear(33, 800, 240), 3, 2);
}

#[test]
fn a_small_layer_stays_whole() {
    check(&linear(1, 2000, 2000), 4, 0);
    check(&linear(64, 400, 400), 1, 0);
}

#[test]
fn a_convolution_is_cut_where_its_windows_are_inside() {
    let (mut draft, mut random) = (Draft::new("conv"), Random(5));
    let x = draft.input("x", &[600, 48]);
    let w = draft.tensor(&[64, 5, 48], random.fill(&[64, 5, 48], 0.1));
    let y = draft.push(|y| Op::Conv1d {
        x,
        w,
        bias: None,
        y,
        stride: 1,
        dilation: 2,
        padding: [8, 0],
        activation: None,
    });
    draft.output("y", y);
    check(&draft.verify(), 4, 4);
}
