//! Times tract on one ONNX model: loads and warms it, then measures whenever a line comes in.
//!
//! `bench-tract MODEL.onnx BATCH` prints one line when ready, then for each line on standard input
//! the median nanoseconds of a call.

use std::{io::BufRead, time::Instant};

use tract_onnx::prelude::*;

/// One measurement lasts about this long.
const ROUND_S: f64 = 0.15;
/// Calls are timed in groups of about this length, so that the clock itself costs nothing.
const GROUP_S: f64 = 0.002;

fn main() -> TractResult<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, file, batch] = &arguments[..] else { panic!("wanted MODEL.onnx BATCH") };
    let batch: i64 = batch.parse()?;
    let mut model = tract_onnx::onnx().model_for_path(file)?;
    for i in 0..model.input_outlets()?.len() {
        let mut fact = model.input_fact(i)?.clone();
        fact.shape.set_dim(0, TDim::from(batch));
        model.set_input_fact(i, fact)?;
    }
    let model = model.into_optimized()?;
    let inputs: TVec<TValue> = (0..model.input_outlets()?.len())
        .map(|i| {
            let fact = model.input_fact(i)?;
            Ok(ramp(fact)?.into_tvalue())
        })
        .collect::<TractResult<_>>()?;
    let plan = model.into_runnable()?;
    let mut state = plan.spawn()?;
    let mut call = || state.run(inputs.clone()).map(|y| drop(std::hint::black_box(y)));

    let start = Instant::now();
    let mut calls = 0;
    while start.elapsed().as_secs_f64() < ROUND_S {
        call()?;
        calls += 1;
    }
    let group = ((calls as f64 * GROUP_S / ROUND_S) as usize).max(1);
    println!("ready");
    for _ in std::io::stdin().lock().lines() {
        let (start, mut times) = (Instant::now(), Vec::new());
        while start.elapsed().as_secs_f64() < ROUND_S {
            let begin = Instant::now();
            for _ in 0..group {
                call()?;
            }
            times.push(begin.elapsed().as_secs_f64() * 1e9 / group as f64);
        }
        times.sort_by(f64::total_cmp);
        println!("{}", times[times.len() / 2]);
    }
    Ok(())
}

/// Numbers that are neither zero nor denormal.
fn ramp(fact: &TypedFact) -> TractResult<Tensor> {
    let shape = fact.shape.as_concrete().expect("every axis is known by now");
    let n: usize = shape.iter().product();
    if fact.datum_type.unquantized() == i8::datum_type() {
        let data: Vec<i8> = (0..n).map(|i| (i * 37 % 201) as i8).collect();
        return Ok(Tensor::from_shape(shape, &data)?.cast_to_dt(fact.datum_type)?.into_owned());
    }
    let data: Vec<f32> = (0..n).map(|i| (i * 37 % 201) as f32 / 100.0 - 1.0).collect();
    Tensor::from_shape(shape, &data)
}
