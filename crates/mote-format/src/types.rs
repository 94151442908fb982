//! Type rules: for each operation, which data types it reads and which one it writes.

use alloc::{format, string::String};

use crate::{
    dtype::{Dtype, Quantization},
    limits,
    program::{Op, Program, ValueId, Weights},
};

/// Checks the types of one operation, whose values exist and have the right shapes.
///
/// # Errors
///
/// A sentence saying which value has which type, and which it should have.
pub(crate) fn check(program: &Program, op: &Op) -> Result<(), String> {
    let y = op.result();
    match op {
        Op::Quantize { x, .. } => all(program, Dtype::F32, [*x]).and(all(program, Dtype::I8, [y])),
        Op::Dequantize { x, .. } => {
            all(program, Dtype::I8, [*x]).and(all(program, Dtype::F32, [y]))
        }
        Op::QuantizedLinear { x, weights, clamp, .. }
        | Op::QuantizedConv1d { x, weights, clamp, .. }
        | Op::QuantizedConvTranspose1d { x, weights, clamp, .. } => {
            layer(program, *x, weights, y, *clamp)
        }
        Op::QuantizedAdd { a, b, clamp, .. } => {
            range(*clamp)?;
            all(program, Dtype::I8, [*a, *b, y])
        }
        Op::Lookup { x, table, .. } => {
            let bare = program.values[table.index()].tensor.is_some();
            if !bare {
                return Err(format!("table {} is not a tensor of the file", table.0));
            }
            dtype(program, Dtype::I8, *table)?;
            all(program, Dtype::I8, [*x, y])
        }
        // These only move numbers, so that what the numbers stand for stays.
        Op::Slice { .. } | Op::Concat { .. } | Op::Reshape { .. } | Op::Permute { .. } => {
            moved(program, op)
        }
        // Of these, the weights may be narrower.
        Op::Linear { x, w, bias, .. }
        | Op::Conv1d { x, w, bias, .. }
        | Op::ConvTranspose1d { x, w, bias, .. } => {
            if program.dtype(*w) != Dtype::F16 {
                dtype(program, Dtype::F32, *w)?;
            }
            bias.map_or(Ok(()), |bias| dtype(program, Dtype::F32, bias))?;
            all(program, Dtype::F32, [*x, y])
        }
        _ => {
            let mut result = dtype(program, Dtype::F32, y);
            op.for_each_operand(|x| {
                if result.is_ok() {
                    result = dtype(program, Dtype::F32, x);
                }
            });
            result
        }
    }
}

/// The rule of the value itself: what is computed and `i8` stands for real numbers, a tensor in `i8`
/// may, and nothing else does.
pub(crate) fn value(program: &Program, id: ValueId) -> Result<(), String> {
    let value = &program.values[id.index()];
    let activation = value.tensor.is_none();
    match (value.dtype, value.quantization) {
        (Dtype::F16 | Dtype::I4 | Dtype::I32 | Dtype::U8, _) if activation => {
            Err(format!("value {} is computed and {:?}, wanted F32 or I8", id.0, value.dtype))
        }
        (Dtype::I8, None) if activation => {
            Err(format!("value {} is I8 without a quantization", id.0))
        }
        (Dtype::I8, Some(Quantization { scale, .. })) => {
            if scale.is_normal() && scale > 0.0 {
                Ok(())
            } else {
                Err(format!("value {} has the scale {scale}, wanted a positive number", id.0))
            }
        }
        (_, Some(_)) => Err(format!("value {} has a quantization and is not I8", id.0)),
        (_, None) => Ok(()),
    }
}

fn layer(
    program: &Program,
    x: ValueId,
    weights: &Weights,
    y: ValueId,
    clamp: [i8; 2],
) -> Result<(), String> {
    all(program, Dtype::I8, [x])?;
    dtype(program, Dtype::F32, weights.scale)?;
    weights.bias.map_or(Ok(()), |b| dtype(program, Dtype::I32, b))?;
    let (wanted, limit) = match weights.groups {
        Some(groups) => {
            dtype(program, Dtype::U8, groups)?;
            (Dtype::I4, limits::I4_INPUTS)
        }
        None => (Dtype::I8, limits::I8_INPUTS),
    };
    dtype(program, wanted, weights.w)?;
    let outputs = program.elements(weights.scale);
    let inputs = program.elements(weights.w) / outputs.max(1);
    if inputs > limit {
        return Err(format!("{inputs} products in a sum, at most {limit} fit into 32 bits"));
    }
    match program.dtype(y) {
        Dtype::F32 if clamp == [-128, 127] => Ok(()),
        Dtype::F32 => Err(format!("a clamp of {clamp:?} on a result in F32")),
        _ => range(clamp).and(all(program, Dtype::I8, [y])),
    }
}

fn range([low, high]: [i8; 2]) -> Result<(), String> {
    if low <= high { Ok(()) } else { Err(format!("low {low} is above high {high}")) }
}

fn moved(program: &Program, op: &Op) -> Result<(), String> {
    let y = &program.values[op.result().index()];
    let mut result = Ok(());
    op.for_each_operand(|x| {
        let value = &program.values[x.index()];
        if (value.dtype, value.quantization) != (y.dtype, y.quantization) && result.is_ok() {
            result = Err(format!(
                "value {} is {:?} {:?}, its result {:?} {:?}",
                x.0, value.dtype, value.quantization, y.dtype, y.quantization
            ));
        }
    });
    result
}

/// Activations: their type, and for bytes what they stand for, which [`value`] has checked.
fn all<const N: usize>(program: &Program, wanted: Dtype, ids: [ValueId; N]) -> Result<(), String> {
    for id in ids {
        dtype(program, wanted, id)?;
        if wanted == Dtype::I8 && program.values[id.index()].quantization.is_none() {
            return Err(format!("value {} does not say what its bytes stand for", id.0));
        }
    }
    Ok(())
}

fn dtype(program: &Program, wanted: Dtype, id: ValueId) -> Result<(), String> {
    let found = program.dtype(id);
    if found == wanted {
        return Ok(());
    }
    Err(format!("value {} is {found:?}, wanted {wanted:?}", id.0))
}
