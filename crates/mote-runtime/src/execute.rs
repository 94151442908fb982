//! A loaded program with its arena: fill the inputs, run, read the outputs.

pub(crate) mod fuse;
mod general;
mod task;

use alloc::{vec, vec::Vec};

use mote_format::{ValueId, Verified, container::Element};

use self::task::Task;
use crate::{
    fast::{Aligned, Level, Threads},
    load::{Loaded, Place},
    plan::Plan,
};

/// A loaded program with its arena.
#[derive(Clone, Debug)]
pub struct Instance<'m> {
    loaded: Loaded<'m>,
    batch: usize,
    /// Where each value is: in the arena its first byte, and how many it has in one sample.
    places: Vec<Place<'m>>,
    /// What a run does, each with the operation that it begins with.
    tasks: Vec<(usize, Task<'m>)>,
    /// For each operation how it is run by itself.
    apart: Vec<Task<'m>>,
    /// For each operation whether a run does nothing for it.
    idle: Vec<bool>,
    /// As words of eight bytes, so that numbers of any type can be read in place.
    arena: Aligned<u64>,
    arena_bytes: usize,
    scratch: Aligned<u64>,
}

impl<'m> Instance<'m> {
    pub(crate) fn new(loaded: Loaded<'m>, batch: usize) -> Self {
        assert!(batch > 0, "a batch of no samples");
        let alone = batch == 1 && loaded.level() != Level::Plain;
        let fused = if alone { fuse::fuse(&loaded) } else { Vec::new() };
        let alone = alone.then(|| Plan::alone(loaded.program(), Aligned::<u64>::LINE, &fused));
        let plan = alone.as_ref().unwrap_or(loaded.plan());
        let place = |(i, place): (usize, &Place<'m>)| match *place {
            Place::File(bytes) => Place::File(bytes),
            Place::Arena(..) => {
                let place = plan.place(ValueId(i as u32));
                Place::Arena(place.start * batch, place.len())
            }
        };
        let places: Vec<_> = loaded.places().iter().enumerate().map(place).collect();
        let arena_bytes = plan.bytes() * batch;
        let task = |i| Task::new(&loaded, &places, batch, i);
        let apart: Vec<_> = (0..loaded.program().ops.len()).map(task).collect();
        let mut tasks = Vec::with_capacity(apart.len());
        let mut idle = Vec::with_capacity(apart.len());
        for (i, task) in apart.iter().enumerate() {
            let fused = fused.get(i).and_then(|f| Task::fused(&loaded, &places, i, *f));
            let task = fused.unwrap_or_else(|| task.clone());
            idle.push(matches!(task, Task::Nothing));
            Task::push(&mut tasks, i, task);
        }
        let arena = Aligned::new(&vec![0; arena_bytes.div_ceil(8)]);
        let scratch = Aligned::new(&vec![0; loaded.scratch_bytes().div_ceil(8)]);
        Self { loaded, batch, places, tasks, apart, idle, arena, arena_bytes, scratch }
    }

    /// The program that it runs.
    #[must_use]
    pub fn program(&self) -> &'m Verified {
        self.loaded.program()
    }

    /// What it runs, with its plan.
    #[must_use]
    pub fn loaded(&self) -> &Loaded<'m> {
        &self.loaded
    }

    /// For each operation whether a run does nothing for it: what it gives lies there already, or another operation
    /// gives it on its way.
    #[must_use]
    pub fn idle(&self) -> &[bool] {
        &self.idle
    }

    /// Samples that it runs at once.
    #[must_use]
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Bytes of the arena and of what kernels use beside it.
    #[must_use]
    pub fn arena_bytes(&self) -> usize {
        self.arena_bytes + self.loaded.scratch_bytes()
    }

    /// The memory of an `f32` input, `(batch, ..)`, to be filled before each run: running may
    /// overwrite it.
    ///
    /// # Panics
    ///
    /// If the value is of another type.
    #[must_use]
    pub fn input(&mut self, id: ValueId) -> &mut [f32] {
        self.input_of(id)
    }

    /// The memory of an input of type `T`.
    ///
    /// # Panics
    ///
    /// If the value is of another type.
    #[must_use]
    pub fn input_of<T: Element>(&mut self, id: ValueId) -> &mut [T] {
        assert_eq!(self.program().dtype(id), T::DTYPE, "the type of an input");
        let place = self.place(id);
        bytemuck::cast_slice_mut(&mut bytemuck::cast_slice_mut::<u64, u8>(&mut self.arena)[place])
    }

    /// An `f32` output, `(batch, ..)`, valid after a run until the next one. What is a tensor of the
    /// file has no batch.
    ///
    /// # Panics
    ///
    /// If the value is of another type.
    #[must_use]
    pub fn output(&self, id: ValueId) -> &[f32] {
        self.output_of(id)
    }

    /// An output of type `T`.
    ///
    /// # Panics
    ///
    /// If the value is of another type.
    #[must_use]
    pub fn output_of<T: Element>(&self, id: ValueId) -> &[T] {
        assert_eq!(self.program().dtype(id), T::DTYPE, "the type of an output");
        if self.program().values[id.index()].tensor.is_some() {
            return self.loaded.tensor(id);
        }
        let place = self.place(id);
        bytemuck::cast_slice(&bytemuck::cast_slice::<u64, u8>(&self.arena)[place])
    }

    /// Runs every operation once, in order. Allocates nothing, cannot fail.
    pub fn run(&mut self) {
        self.run_with(None);
    }

    /// The same, with large layers in parts on several threads: the results are those of one thread, bit for bit.
    /// A layer is cut into parts of two million multiply-adds and more, of bytes eight million, which take some 35
    /// microseconds. Layers whose inputs become words first (of four bits, and all integers with AVX2 that have
    /// several rows), windows that reach beyond their input, and everything that is no layer stay on this thread.
    pub fn run_on(&mut self, threads: &dyn Threads) {
        self.run_with(Some(threads));
    }

    fn run_with(&mut self, threads: Option<&dyn Threads>) {
        let arena = bytemuck::cast_slice_mut(&mut self.arena);
        for (i, task) in &self.tasks {
            match task {
                Task::General => {
                    general::run(&self.loaded, &self.places, self.batch, *i, arena);
                }
                task => task.run(&self.loaded, self.batch, arena, &mut self.scratch, threads),
            }
        }
    }

    /// Fills a value with real zero.
    pub(crate) fn clear(&mut self, id: ValueId) {
        let zero = self.program().values[id.index()].quantization.map_or(0, |q| q.zero_point);
        let place = self.place(id);
        bytemuck::cast_slice_mut(&mut self.arena)[place].fill(zero as u8);
    }

    /// Copies one value over another of the same shape.
    pub(crate) fn carry(&mut self, from: ValueId, to: ValueId) {
        let (from, to) = (self.place(from), self.place(to));
        bytemuck::cast_slice_mut::<u64, u8>(&mut self.arena).copy_within(from, to.start);
    }

    /// The bytes of a value in the arena, for the whole batch; none of a tensor.
    fn place(&self, id: ValueId) -> core::ops::Range<usize> {
        match self.places[id.index()] {
            Place::Arena(first, length) => first..first + length * self.batch,
            Place::File(_) => 0..0,
        }
    }

    /// Runs what a run does of one operation, for profilers; the ones before it have to have run. What
    /// a run does together it does with the first of them.
    ///
    /// # Panics
    ///
    /// If there is no such operation.
    pub fn run_operation(&mut self, i: usize) {
        self.run_task(i, false);
    }

    /// Runs one operation by itself, so that its result can be looked at; a run leaves results out that
    /// only one other operation reads.
    ///
    /// # Panics
    ///
    /// If there is no such operation.
    pub fn run_apart(&mut self, i: usize) {
        self.run_task(i, true);
    }

    fn run_task(&mut self, i: usize, apart: bool) {
        assert!(i < self.apart.len(), "an operation of the program");
        let task = match self.tasks.binary_search_by_key(&i, |(first, _)| *first) {
            _ if apart => &self.apart[i],
            Ok(at) => &self.tasks[at].1,
            Err(_) => return,
        };
        let arena = bytemuck::cast_slice_mut(&mut self.arena);
        match task {
            Task::General => general::run(&self.loaded, &self.places, self.batch, i, arena),
            task => task.run(&self.loaded, self.batch, arena, &mut self.scratch, None),
        }
    }
}
