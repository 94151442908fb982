//! Weights of half precision: half the bytes, and results that are as good as the same.

use std::collections::BTreeSet;

use mote_format::{Array, Dtype, Op, Program, Tensors, Verified, container::f16};

use crate::{Error, Found, elements, verified};

/// The same program with the weights of its layers in half precision, each rounded to the nearest, and all
/// tensors that it needs. Biases, gains and what else is small stay as they are, and so do tensors with a
/// weight beyond 65,504, the largest number of half precision.
///
/// # Errors
///
/// [`Error::Quantized`] if it holds integers or such weights already.
pub fn halve(program: &Verified, tensors: &Found<'_>) -> Result<(Verified, Tensors), Error> {
    crate::refuse_integers(program)?;
    let mut made = (**program).clone();
    let narrow = narrow(program, tensors);
    for value in &mut made.values {
        if value.tensor.as_ref().is_some_and(|name| narrow.contains(name)) {
            value.dtype = Dtype::F16;
        }
    }
    let array = |(name, tensor): (&String, &mote_format::container::Tensor<'_>)| {
        let array = match narrow.contains(name) {
            true => {
                let half: Vec<f16> = elements(tensor).into_iter().map(f16::from_f32).collect();
                Array::new(tensor.shape.clone(), &half)
            }
            false => tensor.to_array(),
        };
        (name.clone(), array)
    };
    let arrays: Tensors = tensors.iter().map(array).collect();
    Ok((verified(made, &arrays)?, arrays))
}

/// Tensors that nothing reads but layers, as their weights, and that have no number beyond the largest.
fn narrow(program: &Program, tensors: &Found<'_>) -> BTreeSet<String> {
    let tensor = |id: mote_format::ValueId| program.values[id.index()].tensor.as_ref();
    let (mut weights, mut others) = (BTreeSet::new(), BTreeSet::new());
    for op in &program.ops {
        let own = match op {
            Op::Linear { w, .. } | Op::Conv1d { w, .. } | Op::ConvTranspose1d { w, .. } => Some(*w),
            _ => None,
        };
        weights.extend(own.and_then(tensor));
        op.for_each_operand(|id| others.extend(tensor(id).filter(|_| Some(id) != own)));
    }
    others.extend(program.outputs.iter().filter_map(|port| tensor(port.value)));
    let fits =
        |name: &&String| elements(&tensors[*name]).iter().all(|w| w.abs() <= f16::MAX.to_f32());
    weights.difference(&others).copied().filter(fits).cloned().collect()
}
