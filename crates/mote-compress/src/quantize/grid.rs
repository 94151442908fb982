//! The numbers that weights may be, held while they learn which of them to be.

use std::collections::BTreeMap;

use mote_format::{Array, Tensors, Verified};

use super::width::{Width, Widths, weights};
use crate::{
    Error, Found, Sample, elements,
    gram::{Gram, Grams},
    integers::{Integers, Layout, integers},
};

/// For each tensor of weights the integers that it began as, whose scales stay.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Grids {
    of: BTreeMap<String, (Layout, Integers)>,
}

impl Grids {
    /// Those of `program`, and its tensors where weights have become what they stand for: each made up for
    /// the errors of others.
    pub(crate) fn new(
        program: &Verified,
        tensors: &Found<'_>,
        samples: &[Sample],
        width: Width,
    ) -> Result<(Self, Tensors), Error> {
        let grams = Grams::observe(program, tensors, samples)?;
        let widths = Widths::new(width, program, tensors, samples, &grams)?;
        let mut made: Tensors = tensors.iter().map(|(n, t)| (n.clone(), t.to_array())).collect();
        let mut of = BTreeMap::new();
        for (name, layout) in weights(program) {
            let tensor = &tensors[name];
            let least = vec![f32::MIN_POSITIVE; layout.outputs()];
            let factor = grams.of(name).map(Gram::factor);
            let w = elements(tensor);
            let whole = integers(&w, layout, widths.of(name), &least, factor.as_ref());
            let rounded = Array::new(tensor.shape.clone(), &whole.reals(layout));
            made.insert(name.to_owned(), rounded);
            of.insert(name.to_owned(), (layout, whole));
        }
        Ok((Self { of }, made))
    }

    /// The integers nearest to weights, of the tensor with this name.
    pub(crate) fn integers(&self, name: &str, w: &[f32]) -> Option<Integers> {
        let (layout, begun) = self.of.get(name)?;
        let most = if begun.groups.is_some() { [-8.0, 7.0] } else { [-127.0, 127.0] };
        let nearest = |(w, step): (&f32, f32)| {
            let q = (w / step).round_ties_even().clamp(most[0], most[1]);
            // No step, no number: what is zero there is.
            if q.is_nan() { 0 } else { q as i8 }
        };
        let rounded = w.iter().zip(begun.steps(*layout)).map(nearest).collect();
        Some(Integers { w: rounded, ..begun.clone() })
    }

    /// What these stand for.
    pub(crate) fn reals(&self, name: &str, w: &[f32]) -> Option<Vec<f32>> {
        let (layout, _) = self.of.get(name)?;
        Some(self.integers(name, w)?.reals(*layout))
    }
}
