//! Channels of about one size, because all channels of an activation share one step (Nagel et al. 2019, arXiv
//! 1906.04721, section 4.1; Xiao et al. 2023, SmoothQuant, arXiv 2211.10438).
//!
//! A channel of bytes may be made smaller where it is written, and the weights that read it larger: the program
//! computes the same. What is gained by the step of the activation is lost by those of the weights, and how far
//! to go is searched for. Where real numbers become bytes, a product makes them smaller; that is an operation
//! more, so it is only done where one channel would take the digits of all others, as that of a sensor does
//! that stands still but for a moment.

mod channels;
mod factors;

use std::collections::BTreeSet;

use mote_format::{
    Array, Dtype, Op, Program, Tensors, ValueId, Verified,
    program::{Binary, Value},
};

use crate::{Error, Found, Sample, elements, verified};
use channels::{Channels, Place};
use factors::{Seen, factors};

/// The same program, and its tensors, with channels equalized by what they are on `samples`, where that is
/// possible.
pub(crate) fn equalize(
    program: &Verified,
    tensors: &Found<'_>,
    samples: &[Sample],
) -> Result<(Verified, Tensors), Error> {
    let channels = Channels::new(program, tensors);
    let seen = Seen::new(program, tensors, samples, &channels)?;
    let factors = factors(program, &channels, tensors, &seen);

    let mut made: Tensors = tensors.iter().map(|(n, t)| (n.clone(), t.to_array())).collect();
    let of = |place| -> Vec<f32> {
        channels.classes(place).into_iter().map(|class| factors[class]).collect()
    };
    for place in channels.places() {
        match place {
            Place::Bytes(_) => {}
            Place::Read(name) => {
                let of = of(place);
                scale(&mut made, name, |i| of[i % of.len()]);
            }
            Place::Written(name, [_, behind]) => {
                let of = of(place);
                scale(&mut made, name, |i| 1.0 / of[i / behind % of.len()]);
            }
        }
    }
    let mut changed = (**program).clone();
    for value in channels.crossings() {
        let shares: Vec<f32> = of(Place::Bytes(value)).into_iter().map(|f| 1.0 / f).collect();
        if shares.iter().any(|share| *share != 1.0) {
            multiply(&mut changed, &mut made, value, &channels.readers(value), &shares);
        }
    }
    Ok((verified(changed, &made)?, made))
}

fn scale(tensors: &mut Tensors, name: &str, factor: impl Fn(usize) -> f32) {
    let tensor = tensors[name].tensor();
    let scaled: Vec<f32> =
        elements(&tensor).into_iter().enumerate().map(|(i, x)| x * factor(i)).collect();
    let array = Array::new(tensor.shape, &scaled);
    tensors.insert(name.to_owned(), array);
}

/// Lets the operations with these results read the product of a value with `shares`, one for each channel, in its
/// place.
fn multiply(
    program: &mut Program,
    tensors: &mut Tensors,
    value: usize,
    readers: &BTreeSet<ValueId>,
    shares: &[f32],
) {
    let shape = program.values[value].shape.clone();
    let mut row = vec![1; shape.len().saturating_sub(1)];
    row.push(shares.len());
    let name = format!("{}.channels.{value}", program.name);
    let mut push = |value| {
        program.values.push(value);
        ValueId(program.values.len() as u32 - 1)
    };
    let b = push(Value::tensor(name.clone(), Dtype::F32, row.as_slice()));
    let y = push(Value::f32(shape.as_slice()));
    tensors.insert(name, Array::new(row, shares));
    for op in program.ops.iter_mut().filter(|op| readers.contains(&op.result())) {
        op.for_each_operand_mut(|x| {
            if x.index() == value {
                *x = y;
            }
        });
    }
    let written = program.ops.iter().position(|op| op.result().index() == value);
    let product = Op::Binary { a: ValueId(value as u32), b, y, f: Binary::Mul };
    program.ops.insert(written.map_or(0, |at| at + 1), product);
}
