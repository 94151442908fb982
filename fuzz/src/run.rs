//! What has to hold of every file: it opens or is refused in little memory, and what opens runs.

use allocation_counter::measure;
use mote_format::{
    Dtype, Model, Op, Program, ValueId, Verified,
    program::{Port, Value, Weights},
};
use mote_runtime::{Level, Loaded, Plan, Steps, step};

use crate::random::Random;

/// As in the tests of mote-format: bytes held at once while a file is opened.
const BYTES_PER_BYTE: u64 = 128;
const BYTES_ALWAYS: u64 = 8 << 10;

/// Programs that cost more are verified and not run: elements that are written, and products.
const COST: usize = 1 << 18;

/// Opens `file`, and runs each of its programs at each level.
///
/// # Panics
///
/// If anything does that must not, or reading took more memory than the header accounts for.
pub fn check(file: &[u8]) {
    let header = file.first_chunk().map_or(0, |n| u64::from_le_bytes(*n));
    let header = header.min(file.len() as u64);
    let mut model = None;
    let peak = measure(|| model = Model::open(file).ok()).bytes_max;
    let allowed = BYTES_PER_BYTE * header + BYTES_ALWAYS;
    assert!(peak <= allowed, "{peak} bytes at once for a header of {header}, allowed {allowed}");
    let Some(model) = model else { return };
    for (name, program) in &model.programs {
        if cost(program) > COST || Plan::new(program).bytes() > 4 * COST {
            continue;
        }
        for level in Level::available() {
            if let Ok(loaded) = Loaded::at(level, &model, name) {
                run(loaded);
            }
        }
        steps(&model, program);
    }
}

/// A program that advances by one sample verifies and runs, if there is one.
fn steps(model: &Model<'_>, program: &Verified) {
    let Ok(made) = step(program, "step", |t| model.tensors.get(t).cloned()) else { return };
    let Ok(made) = Verified::new(made, |t| model.tensors.get(t).map(|t| t.stored())) else {
        return;
    };
    let Ok(loaded) = Loaded::from_parts(Level::best(), &made, &model.tensors) else { return };
    let mut steps = Steps::new(loaded.instance());
    (0..3).for_each(|_| steps.run());
}

fn run(loaded: Loaded<'_>) {
    let mut instance = loaded.batch(2);
    let program = instance.program();
    let mut random = Random(7);
    for &Port { value, .. } in &program.inputs {
        match &program.values[value.index()] {
            Value { tensor: Some(_), .. } => {}
            Value { dtype: Dtype::F32, .. } => {
                instance.input(value).iter_mut().for_each(|x| *x = random.real());
            }
            _ => instance.input_of::<i8>(value).iter_mut().for_each(|x| *x = random.byte()),
        }
    }
    instance.run();
    for &Port { value, .. } in &program.outputs {
        match program.dtype(value) {
            Dtype::F32 => drop(std::hint::black_box(instance.output(value).to_vec())),
            Dtype::I8 => drop(std::hint::black_box(instance.output_of::<i8>(value).to_vec())),
            _ => {}
        }
    }
}

/// What loops over: like elements and products, with empty axes as one.
fn cost(program: &Program) -> usize {
    let span = |shape: &[usize]| shape.iter().fold(1usize, |n, &d| n.saturating_mul(d.max(1)));
    let of = |id: ValueId| span(program.shape(id));
    let ops = program.ops.iter().map(|op| match op {
        Op::Linear { w, y, .. }
        | Op::Conv1d { w, y, .. }
        | Op::QuantizedLinear { weights: Weights { w, .. }, y, .. }
        | Op::QuantizedConv1d { weights: Weights { w, .. }, y, .. } => {
            of(*y).saturating_mul(span(&program.shape(*w)[1..]))
        }
        Op::ConvTranspose1d { x, w, y, .. }
        | Op::QuantizedConvTranspose1d { x, weights: Weights { w, .. }, y, .. } => {
            of(*y).saturating_add(span(&program.shape(*x)[..1]).saturating_mul(of(*w)))
        }
        _ => 0,
    });
    let values = program.values.iter().map(|v| span(&v.shape));
    ops.chain(values).fold(0, usize::saturating_add)
}
