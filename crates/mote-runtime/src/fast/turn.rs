//! Rows that become columns: permutations that exchange two neighbouring axes, which mixers do in every block.

use super::Level;

/// A matrix is turned in tiles of as many rows and columns.
pub(super) const TILE: usize = 8;

/// Where tiles begin that cover `n` rows or columns, [`TILE`] or more: the last one takes some of those before it.
pub(super) fn starts(n: usize) -> impl Iterator<Item = usize> {
    (0..n).step_by(TILE).map(move |start| start.min(n - TILE))
}

/// `y[j, i] = x[i, j]` for `i` below the first of `sizes` and `j` below the second.
///
/// # Panics
///
/// If `x` or `y` is smaller.
pub(crate) fn turn_real(level: Level, x: &[f32], sizes: [usize; 2], y: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if is_wide(level, sizes) {
        return super::x86::turned_real(level, x, sizes, y);
    }
    let _ = level;
    turned(x, sizes, y);
}

/// The same of bytes.
///
/// # Panics
///
/// If `x` or `y` is smaller.
pub(crate) fn turn_bytes(level: Level, x: &[i8], sizes: [usize; 2], y: &mut [i8]) {
    #[cfg(target_arch = "x86_64")]
    if is_wide(level, sizes) {
        return super::x86::turned_bytes(level, x, sizes, y);
    }
    let _ = level;
    turned(x, sizes, y);
}

/// Whether whole tiles can be turned.
#[cfg(target_arch = "x86_64")]
fn is_wide(level: Level, [rows, columns]: [usize; 2]) -> bool {
    matches!(level, Level::Avx2(_) | Level::Avx512(_)) && rows.min(columns) >= TILE
}

/// One number after the other.
fn turned<T: Copy>(x: &[T], [rows, columns]: [usize; 2], y: &mut [T]) {
    for (j, y) in y[..rows * columns].chunks_exact_mut(rows).enumerate() {
        for (i, y) in y.iter_mut().enumerate() {
            *y = x[i * columns + j];
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::{vec, vec::Vec};

    use super::*;

    #[test]
    fn columns_are_rows_at_every_level_and_size() {
        for level in Level::available() {
            for sizes in (1..20).flat_map(|rows| (1..40).map(move |columns| [rows, columns])) {
                let [rows, columns] = sizes;
                let n = rows * columns;
                let x: Vec<f32> = (0..n).map(|i| i as f32).collect();
                let bytes: Vec<i8> = (0..n).map(|i| (i % 251) as u8 as i8).collect();
                let (mut y, mut y_bytes) = (vec![-1.0; n], vec![0; n]);
                turn_real(level, &x, sizes, &mut y);
                turn_bytes(level, &bytes, sizes, &mut y_bytes);
                for (i, j) in (0..rows).flat_map(|i| (0..columns).map(move |j| (i, j))) {
                    let (from, to) = (i * columns + j, j * rows + i);
                    assert_eq!(y[to], x[from], "{} {sizes:?} {i} {j}", level.name());
                    assert_eq!(y_bytes[to], bytes[from], "{} {sizes:?} {i} {j}", level.name());
                }
            }
        }
    }
}
