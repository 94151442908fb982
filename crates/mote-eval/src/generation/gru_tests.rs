//! States against onnxruntime, gradients against finite differences.

use super::*;

/// Written by `tests/golden/make_golden_generation.py`.
const GOLDEN: &str = include_str!("../../tests/golden/gru.json");

fn floats(value: &serde_json::Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect()
}

#[test]
fn states_equal_onnxruntime() {
    let cases: Vec<serde_json::Value> = serde_json::from_str(GOLDEN).unwrap();
    for case in cases {
        let size = |name: &str| case[name].as_u64().unwrap() as usize;
        let (time, batch) = (size("time"), size("batch"));
        let gru = Gru { inputs: size("inputs"), hidden: size("hidden") };
        let mut tape = Tape::new(gru, time, LANES);
        let x = floats(&case["x"]);
        for (place, x) in tape.x.chunks_exact_mut(LANES).zip(x.chunks_exact(batch)) {
            place[..batch].copy_from_slice(x);
        }
        gru.forward(&floats(&case["weights"]), &mut tape);
        let golden = floats(&case["states"]);
        for (j, golden) in golden.chunks_exact(time * batch).enumerate() {
            for (ours, golden) in tape.states(j, 1).chunks_exact(LANES).zip(golden.chunks(batch)) {
                for (ours, golden) in ours.iter().zip(golden) {
                    assert!((ours - golden).abs() < 2e-6, "unit {j}: {ours} and not {golden}");
                }
            }
        }
    }
}
