//! Large products in parts that run at the same time, on threads that somebody else has.

use core::array;

use super::{
    Level,
    panels::LANES,
    tile::{self, Integer, Numbers, ROWS, Real, Store},
};

/// Threads that parts of large layers run on.
pub trait Threads {
    /// How many parts can run at the same time.
    fn count(&self) -> usize;

    /// Runs each part once, on any thread, and returns when all have ended.
    fn run(&self, parts: &mut [Part<'_>]);
}

/// A part of a layer. It writes what no other part reads or writes.
#[derive(Default)]
pub struct Part<'a>(Option<Work<'a>>);

enum Work<'a> {
    Real(Level, Real<'a>, &'a mut [f32]),
    Integer(Level, Integer<'a>, Store<'a>),
}

impl Part<'_> {
    /// Does it. A second time there is nothing left to do.
    pub fn run(&mut self) {
        match self.0.take() {
            None => {}
            Some(Work::Real(level, job, y)) => tile::real(level, &job, y),
            Some(Work::Integer(level, job, mut store)) => tile::integer(level, &job, &mut store),
        }
    }
}

/// Parts of a layer at most.
const MOST: usize = 64;
/// Multiply-adds of a part at least: some 35 microseconds, in which threads can be woken.
const REALS: usize = 1 << 21;
const INTEGERS: usize = 1 << 23;
/// The same of products by tiles of a matrix unit, which take twice sixteen rows at a time.
const TILED: usize = 1 << 26;
const TILED_ROWS: usize = 32;

/// How a product is cut: along its rows, or along the outputs of its only row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cut {
    along_rows: bool,
    all: usize,
    part: usize,
}

impl Cut {
    /// That of a product of `size` multiply-adds, of which a part has `least`, in tiles of so many rows; nothing
    /// where it would be one.
    fn new(
        count: usize,
        (rows, outputs, group): (usize, usize, usize),
        size: usize,
        (least, tile): (usize, usize),
    ) -> Option<Self> {
        let count = count.min(size / least).min(MOST);
        if count < 2 {
            return None;
        }
        // Tiles of rows stay whole, and so do groups of panels.
        let along_rows = rows > 1;
        let (all, whole) = if along_rows { (rows, tile) } else { (outputs, group * LANES) };
        // Never more parts than there are threads.
        let mut part = all.div_ceil(count).next_multiple_of(whole);
        // A row by itself would be summed in another order.
        while along_rows && all % part == 1 {
            part += whole;
        }
        (part < all).then_some(Self { along_rows, all, part })
    }

    /// Runs all parts: `take` cuts one off, from its first row or output on and so many, and tells what is left. By
    /// itself, because parts take a stack that products without threads should not pay for.
    #[inline(never)]
    fn run<'a, Y>(
        self,
        threads: &dyn Threads,
        mut all: Y,
        take: impl Fn(usize, usize, Y) -> (Work<'a>, Y),
    ) {
        let mut parts: [Part<'a>; MOST] = array::from_fn(|_| Part::default());
        let mut count = 0;
        for first in (0..self.all).step_by(self.part) {
            let (work, rest) = take(first, self.part.min(self.all - first), all);
            (parts[count], all) = (Part(Some(work)), rest);
            count += 1;
        }
        threads.run(&mut parts[..count]);
    }
}

/// As [`tile::real`].
pub(super) fn real(threads: Option<&dyn Threads>, level: Level, job: &Real<'_>, y: &mut [f32]) {
    let size = job.rows * job.taps * job.inputs * job.outputs;
    let sizes = (job.rows, job.outputs, job.group);
    let cut = threads.and_then(|threads| Cut::new(threads.count(), sizes, size, (REALS, ROWS)));
    let (Some(threads), Some(cut)) = (threads, cut) else { return tile::real(level, job, y) };
    cut.run(threads, y, |first, n, y| {
        let (job, length) = if cut.along_rows {
            let (x, at) = (&job.x[first * job.x_stride..], first * job.y_stride);
            let add = job.add.map(|add| &add[at..]);
            (Real { x, rows: n, add, ..*job }, n * job.y_stride)
        } else {
            let w = &job.w[job.panels().place(first / LANES).0 / size_of::<f32>()..];
            let (bias, add) = (&job.bias[first..], job.add.map(|add| &add[first..]));
            (Real { outputs: n, w, bias, add, ..*job }, n)
        };
        // The last row ends with its outputs.
        let (own, rest) = y.split_at_mut(length.min(y.len()));
        (Work::Real(level, job, own), rest)
    });
}

/// As [`tile::integer`].
pub(super) fn integer(
    threads: Option<&dyn Threads>,
    level: Level,
    job: &Integer<'_>,
    store: &mut Store<'_>,
) {
    let size = job.rows * job.taps * job.bytes * job.outputs;
    let sizes = (job.rows, job.outputs, job.group);
    let tiled = level.tiles() && job.numbers == Numbers::Bytes && job.rows > 1;
    let least = if tiled { (TILED, TILED_ROWS) } else { (INTEGERS, ROWS) };
    let cut = threads.and_then(|threads| Cut::new(threads.count(), sizes, size, least));
    let (Some(threads), Some(cut)) = (threads, cut) else {
        return tile::integer(level, job, store);
    };
    cut.run(threads, store.all(), |first, n, store| {
        let (job, length, outputs) = if cut.along_rows {
            let x = &job.x[first * job.x_stride..];
            (Integer { x, rows: n, ..*job }, n * job.y_stride, 0)
        } else {
            let w = &job.w[job.panels().place(first / LANES).0..];
            let (bias, signed) = (&job.bias[first..], job.signed.get(first..).unwrap_or(&[]));
            (Integer { outputs: n, w, bias, signed, ..*job }, n, n)
        };
        let (own, rest) = store.split(length, outputs);
        (Work::Integer(level, job, own), rest)
    });
}
