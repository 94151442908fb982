//! Weights of four bits in groups, each with a factor, for any processor.

use super::integer::Order;

/// For each output its groups: a byte with the factor, a byte with the number of inputs, then the
/// weights, two in a byte, the first in its low half.
#[derive(Clone, Copy, Debug)]
pub struct Nibbles;

impl Order for Nibbles {
    const SCRATCH: usize = 0;

    fn accumulate<'w>(
        x: &[i8],
        mut weights: &'w [u8],
        outputs: usize,
        sums: &mut [i32],
        _: &mut [i32],
    ) -> &'w [u8] {
        for sum in &mut sums[..outputs] {
            let mut x = x;
            while !x.is_empty() {
                let (factor, count) = (i32::from(weights[0]), usize::from(weights[1]));
                let (group, rest) = weights[2..].split_at(count.div_ceil(2));
                let (inputs, others) = x.split_at(count);
                *sum = sum.wrapping_add(factor * group_sum(inputs, group));
                (x, weights) = (others, rest);
            }
        }
        weights
    }
}

fn group_sum(x: &[i8], w: &[u8]) -> i32 {
    let pairs = x.chunks_exact(2);
    // The half is moved to the top of a byte, so that the shift back down keeps its sign.
    let low = |w: u8| i32::from((w << 4) as i8 >> 4);
    let odd = pairs.remainder().first().map_or(0, |&x| i32::from(x) * low(w[w.len() - 1]));
    let both = pairs
        .zip(w)
        .map(|(x, &w)| i32::from(x[0]) * low(w) + i32::from(x[1]) * i32::from(w as i8 >> 4));
    both.sum::<i32>() + odd
}
