//! Activations move into the layers before them.

use std::collections::HashMap;

use mote_format::{Op, Program, ValueId, program::Unary};

/// Where the only reader of a layer is a function of each element, the layer computes it too.
pub(crate) fn activations(program: &mut Program) {
    let mut uses: HashMap<ValueId, usize> = HashMap::new();
    for op in &program.ops {
        op.for_each_operand(|x| *uses.entry(x).or_default() += 1);
    }
    for port in &program.outputs {
        *uses.entry(port.value).or_default() += 1;
    }
    let written: HashMap<ValueId, usize> =
        program.ops.iter().enumerate().map(|(i, op)| (op.result(), i)).collect();
    for i in 0..program.ops.len() {
        let Op::Unary { x, y, f } = program.ops[i] else { continue };
        let Some(&layer) = written.get(&x) else { continue };
        if uses[&x] != 1 {
            continue;
        }
        if let Some(free) = slot(&mut program.ops[layer]) {
            *free = Some(f);
            // The layer writes what the function wrote; the function is left to write what nobody
            // reads.
            *program.ops[layer].result_mut() = y;
            program.ops[i] = Op::Reshape { x: y, y: x };
        }
    }
}

/// Where the activation of a layer would stand, if it has none.
fn slot(op: &mut Op) -> Option<&mut Option<Unary>> {
    match op {
        Op::Linear { activation, .. }
        | Op::Conv1d { activation, .. }
        | Op::ConvTranspose1d { activation, .. } => Some(activation).filter(|a| a.is_none()),
        _ => None,
    }
}
