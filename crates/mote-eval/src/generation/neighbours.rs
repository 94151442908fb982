//! Distances between windows, and to their nearest neighbours.

use crate::{
    Result, Windows, input,
    lanes::{Work, squared_distance, vectorized},
};

/// The most pairs of windows that are compared: 20,000 by 20,000.
pub const MAX_PAIRS: usize = 400_000_000;

/// Rows that are compared with one another while they are near: 32 windows of 672 values fill the
/// first cache twice.
const BLOCK: usize = 32;

/// Refuses more pairs than [`MAX_PAIRS`].
pub(crate) fn affordable(a: Windows<'_>, b: Windows<'_>) -> Result<()> {
    a.same_shape(&b)?;
    input::at_most("pairs of windows", a.count().saturating_mul(b.count()), MAX_PAIRS)
}

/// Shows each pair of a window of `a` and one of `b` with their squared distance. For a window of
/// `a`, those of `b` come in order.
pub(crate) fn each_pair<'a>(a: Windows<'a>, b: Windows<'a>, see: impl FnMut(usize, usize, f32)) {
    struct Pairs<'a, F> {
        a: Windows<'a>,
        b: Windows<'a>,
        see: F,
    }
    impl<F: FnMut(usize, usize, f32)> Work for Pairs<'_, F> {
        type Output = ();
        #[inline(always)]
        fn run(mut self) {
            let (a, b) = (self.a, self.b);
            for from in (0..a.count()).step_by(BLOCK) {
                let block = from..(from + BLOCK).min(a.count());
                for j in 0..b.count() {
                    for i in block.clone() {
                        (self.see)(i, j, squared_distance(a.window(i), b.window(j)));
                    }
                }
            }
        }
    }
    vectorized(Pairs { a, b, see });
}

/// Distance of each window of `queries` to the nearest of `base`, `(queries,)`.
pub(crate) fn nearest(queries: Windows<'_>, base: Windows<'_>) -> Vec<f64> {
    let mut squares = vec![f32::INFINITY; queries.count()];
    each_pair(queries, base, |i, _, square| squares[i] = squares[i].min(square));
    squares.into_iter().map(|square| f64::from(square).sqrt()).collect()
}

/// Squared distance of each window to the `k`-th nearest of the others in its set, `(windows,)`.
///
/// # Panics
///
/// If there are not more than `k` windows, or `k` is zero: the caller has checked.
pub(crate) fn radii(windows: Windows<'_>, k: usize) -> Vec<f32> {
    assert!(0 < k && k < windows.count());
    let mut lists = vec![f32::INFINITY; windows.count() * k];
    each_pair(windows, windows, |i, j, square| {
        let list = &mut lists[i * k..(i + 1) * k];
        if i != j && square < list[k - 1] {
            // The list stays sorted: what is further moves up by one, and the last falls out.
            let at = list.partition_point(|&s| s <= square);
            list.copy_within(at..k - 1, at + 1);
            list[at] = square;
        }
    });
    lists.chunks_exact(k).map(|list| list[k - 1]).collect()
}
