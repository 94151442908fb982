//! How long reading and verifying a model of ten megabytes takes: `cargo run --release -p mote-format
//! --example open_speed`. The bar is five milliseconds; nearly all of it is the digest.

use std::{
    hint::black_box,
    thread,
    time::{Duration, Instant},
};

use mote_format::{
    Array, Dtype, Manifest, Model, Op, Program, Schema, Tensors, ValueId,
    manifest::{Density, Lineage, Window},
    model,
    program::{Port, Value},
};

const RUNS: usize = 31;
/// Layers of `WIDTH · WIDTH` numbers: together ten megabytes.
const LAYERS: u32 = 40;
const WIDTH: usize = 256;

fn main() {
    let file = file();
    let open = median_ms(|| Model::open(&file).expect("a whole model"));
    let digest = median_ms(|| blake3::hash(&file));
    println!("{:.2} MB, {LAYERS} layers, median of {RUNS} runs", file.len() as f64 / 1e6);
    println!("open and verify  {open:.2} ms");
    println!("digest alone     {digest:.2} ms");
}

/// Rests before each run: a thread that was idle is seldom interrupted in its first milliseconds, so
/// that other work on the machine is not measured.
fn median_ms<T>(mut run: impl FnMut() -> T) -> f64 {
    const REST: Duration = Duration::from_millis(30);
    let mut times: Vec<f64> = (0..RUNS)
        .map(|_| {
            thread::sleep(REST);
            let begin = Instant::now();
            black_box(run());
            begin.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[RUNS / 2]
}

fn file() -> Vec<u8> {
    let mut values = vec![Value::f32([WIDTH])];
    let (mut ops, mut tensors) = (vec![], Tensors::new());
    let weights: Vec<f32> = (0..WIDTH * WIDTH).map(|i| i as f32 * 1e-5).collect();
    for layer in 0..LAYERS {
        let name = format!("layer{layer}.w");
        values.push(Value::tensor(name.clone(), Dtype::F32, [WIDTH, WIDTH]));
        values.push(Value::f32([WIDTH]));
        tensors.insert(name, Array::new([WIDTH, WIDTH], &weights));
        let [x, w, y] = [2 * layer, 2 * layer + 1, 2 * layer + 2].map(ValueId);
        ops.push(Op::Linear { x, w, bias: None, y, activation: None });
    }
    let port = |name: &str, value| Port { name: name.into(), value: ValueId(value) };
    let program = Program {
        name: "score".into(),
        values,
        inputs: vec![port("x", 0)],
        outputs: vec![port("nll", 2 * LAYERS)],
        ops,
    };
    let manifest = Manifest {
        family: "TimeVae".into(),
        density: Density::Bound,
        schema: Schema { columns: vec![], period_s: None },
        window: Window { length: 1, tail: 1 },
        detector: None,
        generator: None,
        margins: None,
        programs: vec![program],
        lineage: Lineage::default(),
    };
    model::write(&manifest, &tensors)
}
