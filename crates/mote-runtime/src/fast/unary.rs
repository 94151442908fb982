//! Functions of one number on many elements at once.

use mote_format::program::Unary;

use super::Level;
use crate::kernels;

/// `y[i] = f(x[i])`
pub(crate) fn unary(level: Level, f: Unary, x: &[f32], y: &mut [f32]) {
    let _ = level;
    kernels::unary(f, x, y);
}

/// `y[i] = f(y[i])`
pub(crate) fn unary_in_place(level: Level, f: Unary, y: &mut [f32]) {
    let _ = level;
    kernels::unary_in_place(f, y);
}
