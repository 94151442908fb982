//! Where the time of a program goes, and how far from the limit of the machine it is.
//!
//! The limit of an operation is the longer of two times: that of its multiply-adds at the peak rate of
//! the processor, and that of the bytes that it touches at the rate at which the cache that holds the
//! whole program can be read (the roofline of Williams, Waterman and Patterson, 2009). Both rates are
//! measured on the machine, in the same run.

use mote_format::{Dtype, Op, ValueId, Verified};
use mote_runtime::{Instance, Level, Loaded, Threads, peak};
use serde::Serialize;

use crate::Error;

/// One program on one machine.
#[derive(Clone, Debug, Serialize)]
pub struct Profile {
    /// The entry point.
    pub program: String,
    /// The vector instructions that ran.
    pub level: &'static str,
    /// Samples in a call.
    pub batch: usize,
    /// Threads that calls ran on; operations were timed one by one on a single one.
    pub threads: usize,
    /// Runs in each of the rounds.
    pub runs: u64,
    /// Nanoseconds of a call: the median round, the fastest and the slowest.
    pub call_ns: Spread,
    /// Nanoseconds that a machine was predicted to take, where one was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub predicted_ns: Option<f64>,
    /// Multiply-adds of a call.
    pub multiply_adds: u64,
    /// The least time that the machine would take for a call.
    pub limit_ns: f64,
    /// Instructions of a call, where they were counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instructions: Option<u64>,
    /// What it needs.
    pub memory: Memory,
    /// What the machine can do.
    pub machine: Machine,
    /// Each operation, in order.
    pub operations: Vec<Operation>,
}

/// A quantity over several rounds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Spread {
    /// The one in the middle.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

/// Bytes.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Memory {
    /// The tensors of the program in the file.
    pub weight_bytes: usize,
    /// Those of them that were copied into the order in which kernels read them.
    pub packed_bytes: usize,
    /// Activations, for the whole batch.
    pub arena_bytes: usize,
    /// What kernels need beside them.
    pub scratch_bytes: usize,
    /// The least that activations of one sample can take.
    pub arena_bytes_lower_bound: usize,
}

/// Rates of the machine, as measured.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Machine {
    /// Multiply-adds of `f32` a nanosecond.
    pub real_per_ns: f64,
    /// Multiply-adds of bytes a nanosecond.
    pub bytes_per_ns: f64,
    /// Bytes read a nanosecond, from a buffer as large as all that the program touches.
    pub read_bytes_per_ns: f64,
}

/// One operation.
#[derive(Clone, Debug, Serialize)]
pub struct Operation {
    /// Its number in the program.
    pub index: usize,
    /// Its name.
    pub name: &'static str,
    /// The shape of its result, for one sample.
    pub shape: Vec<usize>,
    /// Multiply-adds with weights, for the whole batch.
    pub multiply_adds: u64,
    /// Bytes of weights that it reads.
    pub weight_bytes: usize,
    /// Bytes that it reads and writes, weights included.
    pub touched_bytes: usize,
    /// Nanoseconds, less those of the clock; none where an operation before it does it on its way.
    pub ns: f64,
    /// Nanoseconds that a machine was predicted to take, where one was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub predicted_ns: Option<f64>,
    /// The least time that the machine would take.
    pub limit_ns: f64,
    /// Instructions, where they were counted: some that find the operation are among them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instructions: Option<u64>,
}

/// How calls run.
#[derive(Clone, Copy)]
pub struct How<'a> {
    /// With which kernels.
    pub level: Level,
    /// Samples in a call.
    pub batch: usize,
    /// On which threads beside this one.
    pub threads: Option<&'a dyn Threads>,
}

/// How to measure.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Rounds, of which the median is taken.
    pub rounds: usize,
    /// Nanoseconds of a round, about.
    pub round_ns: u64,
}

/// Times of each operation, of which the median is taken.
const TIMES: usize = 101;

/// Profiles the program `name` of `model`; `clock` tells nanoseconds.
///
/// # Errors
///
/// [`Error::Load`] if there is no such program.
pub fn profile(
    model: &mote_format::Model<'_>,
    name: &str,
    How { level, batch, threads }: How<'_>,
    effort: Effort,
    clock: &mut dyn FnMut() -> u64,
) -> Result<Profile, Error> {
    let loaded = Loaded::at(level, model, name)?;
    let program = loaded.program();
    let mut instance = loaded.clone().batch(batch);
    fill(&mut instance);
    let memory = memory(model, &loaded, batch);
    let machine = machine(level, memory, effort, clock);
    let (runs, call_ns) = calls(&mut instance, threads, effort, clock);
    let times = times(&mut instance, clock);
    let operations: Vec<Operation> = program
        .ops
        .iter()
        .zip(times)
        .enumerate()
        .map(|(index, (op, ns))| operation(program, (index, op), batch, ns, machine))
        .collect();
    Ok(Profile {
        program: name.into(),
        level: level.name(),
        batch,
        threads: threads.map_or(1, Threads::count),
        runs,
        call_ns,
        predicted_ns: None,
        instructions: None,
        multiply_adds: operations.iter().map(|o| o.multiply_adds).sum(),
        limit_ns: operations.iter().map(|o| o.limit_ns).sum(),
        memory,
        machine,
        operations,
    })
}

/// Fills the inputs with numbers of ordinary size, the same on every run.
pub fn fill(instance: &mut Instance<'_>) {
    let mut state = 1u64;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 40
    };
    for port in &instance.program().inputs {
        match instance.program().dtype(port.value) {
            Dtype::F32 => {
                let unit = |n: u64| n as f32 / (1u64 << 23) as f32 - 1.0;
                instance.input(port.value).iter_mut().for_each(|x| *x = unit(next()));
            }
            _ => {
                let bytes = instance.input_of::<i8>(port.value);
                bytes.iter_mut().for_each(|x| *x = next() as u8 as i8);
            }
        }
    }
}

fn memory(model: &mote_format::Model<'_>, loaded: &Loaded<'_>, batch: usize) -> Memory {
    let program = loaded.program();
    let names: std::collections::BTreeSet<&String> =
        program.values.iter().filter_map(|v| v.tensor.as_ref()).collect();
    Memory {
        weight_bytes: names.into_iter().map(|name| model.tensors[name].bytes.len()).sum(),
        packed_bytes: loaded.packed_bytes(),
        arena_bytes: loaded.arena_bytes() * batch,
        scratch_bytes: loaded.scratch_bytes(),
        arena_bytes_lower_bound: mote_runtime::Plan::lower_bound(program),
    }
}

/// The best of several tries, because whatever disturbs one makes it slower.
fn machine(
    level: Level,
    memory: Memory,
    effort: Effort,
    clock: &mut dyn FnMut() -> u64,
) -> Machine {
    let mut best = |work: &mut dyn FnMut() -> u64| {
        let mut rate = 0.0f64;
        for _ in 0..effort.rounds {
            let start = clock();
            let mut done = 0;
            while clock() - start < effort.round_ns / 10 {
                done += work();
            }
            rate = rate.max(done as f64 / (clock() - start).max(1) as f64);
        }
        rate
    };
    let real_per_ns = best(&mut || peak::multiply_adds(level, false, 1000));
    let bytes_per_ns = best(&mut || peak::multiply_adds(level, true, 1000));
    let touched = memory.weight_bytes + memory.arena_bytes;
    let buffer = vec![1u64; touched.div_ceil(8).max(128)];
    // A short buffer is read many times for one look at the clock.
    let repeats = ((1 << 16) / (buffer.len() * 8)).max(1);
    let read_bytes_per_ns = best(&mut || {
        for _ in 0..repeats {
            std::hint::black_box(peak::read(level, std::hint::black_box(&buffer)));
        }
        (buffer.len() * 8 * repeats) as u64
    });
    Machine { real_per_ns, bytes_per_ns, read_bytes_per_ns }
}

/// Whole calls, one after the other.
fn calls(
    instance: &mut Instance<'_>,
    threads: Option<&dyn Threads>,
    effort: Effort,
    clock: &mut dyn FnMut() -> u64,
) -> (u64, Spread) {
    let mut time = |runs: u64| {
        let start = clock();
        for _ in 0..runs {
            match threads {
                Some(threads) => instance.run_on(threads),
                None => instance.run(),
            }
            std::hint::black_box(&mut *instance);
        }
        (clock() - start) as f64 / runs as f64
    };
    let mut runs = 1;
    while time(runs) * (runs as f64) < effort.round_ns as f64 / 2.0 && runs < 1 << 30 {
        runs *= 2;
    }
    let mut rounds: Vec<f64> = (0..effort.rounds.max(1)).map(|_| time(runs)).collect();
    rounds.sort_by(f64::total_cmp);
    let spread =
        Spread { median: rounds[rounds.len() / 2], min: rounds[0], max: rounds[rounds.len() - 1] };
    (runs, spread)
}

/// For each operation its median time within whole runs, so that caches hold what they usually do.
fn times(instance: &mut Instance<'_>, clock: &mut dyn FnMut() -> u64) -> Vec<f64> {
    let looking = (0..TIMES).map(|_| {
        let start = clock();
        clock() - start
    });
    let looking = looking.min().unwrap_or(0);
    let mut times = vec![Vec::with_capacity(TIMES); instance.program().ops.len()];
    for _ in 0..TIMES {
        for (i, times) in times.iter_mut().enumerate() {
            let start = clock();
            instance.run_operation(i);
            times.push((clock() - start).saturating_sub(looking));
        }
    }
    let median = |mut times: Vec<u64>| {
        times.sort_unstable();
        times[times.len() / 2] as f64
    };
    times.into_iter().map(median).collect()
}

fn operation(
    program: &Verified,
    (index, op): (usize, &Op),
    batch: usize,
    ns: f64,
    machine: Machine,
) -> Operation {
    let bytes = |id: ValueId| {
        let value = &program.values[id.index()];
        let times = if value.tensor.is_some() { 1 } else { batch };
        (value.tensor.is_some(), value.bytes() * times)
    };
    let (mut weight_bytes, mut touched_bytes) = (0, bytes(op.result()).1);
    op.for_each_operand(|x| {
        let (weights, bytes) = bytes(x);
        weight_bytes += if weights { bytes } else { 0 };
        touched_bytes += bytes;
    });
    // A view costs nothing.
    if matches!(op, Op::Reshape { .. }) {
        touched_bytes = 0;
    }
    let multiply_adds = program.multiply_adds_of(op) * batch as u64;
    let rate =
        if op.name().starts_with("quantized") { machine.bytes_per_ns } else { machine.real_per_ns };
    let reading = touched_bytes as f64 / machine.read_bytes_per_ns;
    Operation {
        index,
        name: op.name(),
        shape: program.shape(op.result()).to_vec(),
        multiply_adds,
        weight_bytes,
        touched_bytes,
        ns,
        predicted_ns: None,
        limit_ns: (multiply_adds as f64 / rate).max(reading),
        instructions: None,
    }
}
