//! Takes channels out of a program and its tensors.

use std::collections::BTreeMap;

use mote_format::{Array, Op, Program, Tensors, ValueId};

use super::groups::Place;

/// What stays along every axis of every value.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    /// For each value and axis, whether each place stays.
    of: Vec<Vec<Vec<bool>>>,
    /// For each value the first one that is the same tensor, or itself.
    own: Vec<usize>,
}

impl Kept {
    pub(crate) fn all(program: &Program) -> Self {
        let mut known: BTreeMap<&str, usize> = BTreeMap::new();
        let own = program.values.iter().enumerate().map(|(i, value)| match &value.tensor {
            Some(name) => *known.entry(name).or_insert(i),
            None => i,
        });
        let axes = |shape: &Vec<usize>| shape.iter().map(|&n| vec![true; n]).collect();
        Self { own: own.collect(), of: program.values.iter().map(|v| axes(&v.shape)).collect() }
    }

    pub(crate) fn take_out(&mut self, place: Place) {
        self.of[place.value][place.axis][place.index] = false;
    }

    fn axes(&self, value: usize) -> &[Vec<bool>] {
        &self.of[self.own[value]]
    }

    /// Whether each place along an axis of a value stays.
    pub(crate) fn along(&self, value: usize, axis: usize) -> &[bool] {
        &self.axes(value)[axis]
    }

    /// Places that stay along each axis.
    pub(crate) fn shape(&self, value: usize) -> Vec<usize> {
        self.axes(value).iter().map(|axis| count(axis)).collect()
    }

    /// Which numbers of a value stay, in their order.
    pub(crate) fn numbers(&self, value: ValueId) -> Vec<bool> {
        let axes = self.axes(value.index());
        (0..axes.iter().map(Vec::len).product()).map(|i| stays(axes, i)).collect()
    }

    /// The numbers of all tensors that stay.
    pub(crate) fn parameters(&self, program: &Program) -> usize {
        let tensors = program
            .values
            .iter()
            .enumerate()
            .filter(|(i, v)| v.tensor.is_some() && self.own[*i] == *i);
        tensors.map(|(i, _)| self.shape(i).iter().product::<usize>()).sum()
    }
}

fn count(axis: &[bool]) -> usize {
    axis.iter().filter(|kept| **kept).count()
}

/// The program and its tensors, of these numbers, without what does not stay.
pub(crate) fn cut(
    program: &Program,
    numbers: &BTreeMap<String, Vec<f32>>,
    kept: &Kept,
) -> (Program, Tensors) {
    let (mut made, mut arrays) = (program.clone(), Tensors::new());
    for (i, value) in made.values.iter_mut().enumerate() {
        if let Some(name) = &value.tensor {
            let left = taken(&numbers[name], kept.axes(i));
            arrays.insert(name.clone(), Array::new(kept.shape(i), &left));
        }
        value.shape = kept.shape(i);
    }
    for op in &mut made.ops {
        if let Op::Slice { x, y, axis, start, end } = op {
            let length = |id: &ValueId| kept.axes(id.index());
            *start = count(&length(x)[*axis][..*start]);
            *end = *start + count(&length(y)[*axis]);
        }
    }
    (made, arrays)
}

/// The numbers of a tensor that stay along all of its axes.
fn taken(x: &[f32], axes: &[Vec<bool>]) -> Vec<f32> {
    x.iter().enumerate().filter(|(i, _)| stays(axes, *i)).map(|(_, x)| *x).collect()
}

/// Whether number `i` of all stays along all axes.
fn stays(axes: &[Vec<bool>], i: usize) -> bool {
    let mut rest = i;
    axes.iter().rev().all(|axis| {
        let at = rest % axis.len();
        rest /= axis.len();
        axis[at]
    })
}
