//! Attention to a window of rows, in one pass: blocks of scores become weights together, and what was
//! summed is scaled down when a greater score comes (Milakov and Gimelshein 2018, arXiv 1805.02867).

use super::{Level, registers::on_registers, unary::exponentials};
use crate::kernels::{Attention, greater};

/// Scores that become weights together: a few vector registers of the widest machine.
const BLOCK: usize = 64;

/// As [`Attention::run`]; the plain level is that.
pub(crate) fn attention(level: Level, a: &Attention<'_>, queries: &[f32], y: &mut [f32]) {
    match level {
        Level::Plain => a.run(queries, y),
        _ => on_level(level, a, queries, y),
    }
}

on_registers!(
    /// As [`attended`].
    on_level(a: &Attention<'_>, queries: &[f32], y: &mut [f32]) = attended
);

/// Compiled once for each set of instructions.
#[inline(always)]
fn attended(a: &Attention<'_>, queries: &[f32], y: &mut [f32]) {
    let mut block = [0.0f32; BLOCK];
    for (i, y) in y.chunks_exact_mut(a.outputs.max(1)).enumerate() {
        let (t, h) = (i / a.heads, i % a.heads);
        let query = &queries[i * a.width..][..a.width];
        let (mut top, mut sum) = (f32::NEG_INFINITY, 0.0);
        y.fill(0.0);
        for start in (0..a.window()).step_by(BLOCK) {
            let weights = &mut block[..BLOCK.min(a.window() - start)];
            let before = top;
            for (j, weight) in weights.iter_mut().enumerate() {
                *weight = a.score(query, t, h, start + j);
                top = greater(top, *weight);
            }
            // Nothing but negative infinities so far, which weigh nothing.
            if top == f32::NEG_INFINITY {
                continue;
            }
            weights.iter_mut().for_each(|w| *w -= top);
            exponentials(weights);
            if start > 0 {
                let scale = libm::expf(before - top);
                sum *= scale;
                y.iter_mut().for_each(|y| *y *= scale);
            }
            for (j, &weight) in weights.iter().enumerate() {
                sum += weight;
                let Some(value) = a.value(t, h, start + j) else { continue };
                y.iter_mut().zip(value).for_each(|(y, v)| *y += weight * v);
            }
        }
        y.iter_mut().for_each(|y| *y /= sum);
    }
}
