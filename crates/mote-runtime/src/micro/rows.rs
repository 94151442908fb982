//! Weights of eight bits, row by row, for any processor.

use super::integer::Order;

/// `(outputs, inputs)`, row major, one byte each.
#[derive(Clone, Copy, Debug)]
pub struct Rows;

impl Order for Rows {
    const SCRATCH: usize = 0;

    fn accumulate<'w>(
        x: &[i8],
        weights: &'w [u8],
        outputs: usize,
        sums: &mut [i32],
        _: &mut [i32],
    ) -> &'w [u8] {
        let (weights, rest) = weights.split_at(outputs * x.len());
        for (sum, w) in sums.iter_mut().zip(weights.chunks_exact(x.len())) {
            let products = x.iter().zip(w).map(|(&x, &w)| i32::from(x) * i32::from(w as i8));
            *sum = sum.wrapping_add(products.sum());
        }
        rest
    }
}
