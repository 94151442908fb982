//! The entry point of models that draw sample by sample: from a window to one more sample.

use burn::tensor::Tensor;
use mote_format::{
    Dtype, Program, Stored, Verified, container,
    program::{Port, STATE_PREFIX},
};

use super::pair;
use crate::{
    compile::{CompileError, Input, Tensors, capture},
    families::{Family, Generation},
    parts::Standardize,
};

/// The program that draws the next sample.
const NEXT: &str = "next";
/// What it was given and gave before: the sample before this one, and ones behind it.
const BEFORE: &str = "before";

/// Captures `next` over a window and turns it into a program that advances by one sample: `x`, `mask`,
/// `noise` and states to `y` and states. The sample that it draws is one of its states.
pub(super) fn next<M: Family>(
    model: &M,
    standardize: &Standardize,
    [length, features]: [usize; 2],
) -> Result<(Program, Tensors), CompileError> {
    let Generation::Sequential(sequential) = model.generation() else {
        unreachable!("asked by who calls")
    };
    // A window of one sample has no past to look at.
    let rows = length.max(2);
    let input = |name, width| Input { name, shape: [rows, width] };
    let inputs = [
        input("x", features),
        input("mask", features),
        input(BEFORE, 2 * features),
        input("noise", sequential.noise_width()),
    ];
    let (window, tensors) = capture(model, NEXT, &inputs, |model, inputs, device| {
        let Generation::Sequential(model) = model.generation() else { unreachable!("above") };
        let [x, mask] = pair(inputs);
        let x = standardize.forward(x, mask.clone(), device);
        // Not fresh ones: a recorded program has to see that they belong to the batch.
        let ones = mask.clone() * 0.0 + 1.0;
        let y = Standardize::clip(model.next(inputs[2].clone(), x, mask, inputs[3].clone()));
        let before = Tensor::cat(vec![y.clone(), ones], 2);
        vec![("y", standardize.restore(y, device).into()), (BEFORE, before.into())]
    })?;
    let invalid = |why: String| CompileError::Invalid { entry: NEXT.into(), why };
    let window = Verified::new(window, |t| tensors.get(t).map(|(shape, _)| Stored::f32(shape)))
        .map_err(|e| invalid(e.to_string()))?;
    let tensor = |name: &str| {
        let (shape, data) = tensors.get(name)?;
        let bytes = bytemuck::cast_slice(data);
        Some(container::Tensor { dtype: Dtype::F32, shape: shape.clone(), bytes })
    };
    let mut program =
        mote_runtime::step(&window, NEXT, tensor).map_err(|e| invalid(e.to_string()))?;
    let state = |port: &mut Port| {
        if port.name == BEFORE {
            port.name = format!("{STATE_PREFIX}{BEFORE}");
        }
    };
    program.inputs.iter_mut().for_each(state);
    program.outputs.iter_mut().for_each(state);
    Ok((program, tensors))
}
