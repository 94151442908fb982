//! Loops over `f32` that compile to vector instructions, and give the same bits with or without.
//!
//! Every sum runs over a fixed number of lanes, whatever the processor has, and products are never
//! fused with sums. So the widest instructions change how long a result takes and not its bits.

/// Values that are computed together: two registers of AVX2. Rows of [`multiply`] and [`outer`] are a
/// whole number of lanes long.
pub(crate) const LANES: usize = 16;

/// Something that takes long enough to be compiled for more than one processor.
pub(crate) trait Work {
    /// What comes of it.
    type Output;
    /// Does it. Marked `#[inline(always)]`, as is all that it calls: only what is inlined is compiled
    /// for the wider instructions.
    fn run(self) -> Self::Output;
}

/// Runs `work` with AVX2 where the processor has it.
pub(crate) fn vectorized<W: Work>(work: W) -> W::Output {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2")]
        fn with_avx2<W: Work>(work: W) -> W::Output {
            work.run()
        }
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the condition above proves the one instruction set that `with_avx2` asks for.
            #[allow(unsafe_code, reason = "calls a safe function for instructions just detected")]
            return unsafe { with_avx2(work) };
        }
    }
    work.run()
}

/// A matrix whose rows may lie further apart than they are long.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    /// Starts with the first row.
    pub(crate) data: &'a [f32],
    /// From the start of a row to the start of the next.
    pub(crate) stride: usize,
}

impl<'a> Rows<'a> {
    #[inline(always)]
    fn row(&self, i: usize, len: usize) -> &'a [[f32; LANES]] {
        self.data[i * self.stride..][..len].as_chunks().0
    }
}

/// The lanes from `at` on.
#[inline(always)]
pub(crate) fn load(values: &[f32], at: usize) -> [f32; LANES] {
    let mut lanes = [0.0; LANES];
    lanes.copy_from_slice(&values[at..at + LANES]);
    lanes
}

/// Puts lanes to where they came from.
#[inline(always)]
pub(crate) fn store(values: &mut [f32], at: usize, lanes: [f32; LANES]) {
    values[at..at + LANES].copy_from_slice(&lanes);
}

/// `y[o] += Σ w[o, i] · x[i]` over rows of `columns` values; `w` is `(outputs, inputs)`, and row `o`
/// of `y` starts at `o · y_stride`.
#[inline(always)]
pub(crate) fn multiply(
    w: &[f32],
    inputs: usize,
    x: Rows<'_>,
    y: &mut [f32],
    y_stride: usize,
    columns: usize,
) {
    let outputs = w.len() / inputs;
    for from in (0..columns).step_by(LANES) {
        let mut o = 0;
        while o + 4 <= outputs {
            tile::<4>(&w[o * inputs..], inputs, x, &mut y[o * y_stride..], y_stride, from);
            o += 4;
        }
        while o < outputs {
            tile::<1>(&w[o * inputs..], inputs, x, &mut y[o * y_stride..], y_stride, from);
            o += 1;
        }
    }
}

/// `O` rows and [`LANES`] columns of a product, kept in registers.
#[inline(always)]
fn tile<const O: usize>(
    w: &[f32],
    inputs: usize,
    x: Rows<'_>,
    y: &mut [f32],
    y_stride: usize,
    from: usize,
) {
    let w: [&[f32]; O] = std::array::from_fn(|o| &w[o * inputs..][..inputs]);
    let mut sums: [[f32; LANES]; O] = std::array::from_fn(|o| load(y, o * y_stride + from));
    for i in 0..inputs {
        let x = load(x.data, i * x.stride + from);
        for o in 0..O {
            let w = w[o][i];
            for c in 0..LANES {
                sums[o][c] += w * x[c];
            }
        }
    }
    for (o, sums) in sums.iter().enumerate() {
        store(y, o * y_stride + from, *sums);
    }
}

/// `g[o, i] += d[o] · x[i]`; `g` is `(outputs, inputs)`, rows are `columns` long.
#[inline(always)]
pub(crate) fn outer(g: &mut [f32], inputs: usize, d: Rows<'_>, x: Rows<'_>, columns: usize) {
    for (o, g) in g.chunks_exact_mut(inputs).enumerate() {
        let d = d.row(o, columns);
        let (fours, rest) = g.as_chunks_mut::<4>();
        let from = 4 * fours.len();
        for (k, g) in fours.iter_mut().enumerate() {
            let dots = dots(d, [0, 1, 2, 3].map(|i| x.row(4 * k + i, columns)));
            g.iter_mut().zip(dots).for_each(|(g, dot)| *g += dot);
        }
        for (i, g) in rest.iter_mut().enumerate() {
            let mut sums = [0.0; LANES];
            d.iter().zip(x.row(from + i, columns)).for_each(|(a, b)| add_product(&mut sums, a, b));
            *g += halve(sums);
        }
    }
}

/// Dot products of `a` with each of `b`. Four by name, since a loop over them would keep the sums in
/// memory.
#[inline(always)]
fn dots(a: &[[f32; LANES]], b: [&[[f32; LANES]]; 4]) -> [f32; 4] {
    let [mut s0, mut s1, mut s2, mut s3] = [[0.0; LANES]; 4];
    for ((((a, b0), b1), b2), b3) in a.iter().zip(b[0]).zip(b[1]).zip(b[2]).zip(b[3]) {
        add_product(&mut s0, a, b0);
        add_product(&mut s1, a, b1);
        add_product(&mut s2, a, b2);
        add_product(&mut s3, a, b3);
    }
    [halve(s0), halve(s1), halve(s2), halve(s3)]
}

#[inline(always)]
fn add_product(sums: &mut [f32; LANES], a: &[f32; LANES], b: &[f32; LANES]) {
    for lane in 0..LANES {
        sums[lane] += a[lane] * b[lane];
    }
}

/// The sum of lanes, in pairs.
#[inline(always)]
fn halve(mut lanes: [f32; LANES]) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// `a · b` for rows of a whole number of lanes.
#[inline(always)]
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0; LANES];
    let rows = a.as_chunks().0.iter().zip(b.as_chunks().0);
    rows.for_each(|(a, b)| add_product(&mut sums, a, b));
    halve(sums)
}

/// Sum of a row.
#[inline(always)]
pub(crate) fn sum(row: &[f32]) -> f32 {
    let mut sums = [0.0f32; LANES];
    let (chunks, rest) = row.as_chunks::<LANES>();
    for chunk in chunks {
        sums.iter_mut().zip(chunk).for_each(|(s, v)| *s += v);
    }
    halve(sums) + rest.iter().sum::<f32>()
}

/// `Σ (a − b)²`.
#[inline(always)]
pub(crate) fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; LANES];
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            let difference = a[lane] - b[lane];
            sums[lane] += difference * difference;
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| (a - b) * (a - b)).sum();
    halve(sums) + rest
}

/// `eˣ` within three units of the last place where the result is normal; branchless, so that loops
/// over it vectorize, and the same on every machine, which the one of the system is not.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    let x = x.clamp(-87.0, 88.0);
    // x = k · ln 2 + r with |r| ≤ ½ ln 2. Adding and taking away 1.5 · 2²³ rounds to a whole number.
    const ROUND: f32 = 12_582_912.0;
    let k = x * std::f32::consts::LOG2_E + ROUND;
    let bits = k.to_bits();
    let k = k - ROUND;
    // ln 2 in two parts, the first with zeros at its end, so that the product is exact.
    let r = x - k * 0.693_359_4 + k * 2.121_944_4e-4;
    let p = 1.987_569_1e-4f32;
    let p = p * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_6e-1;
    let p = p * r + 0.5;
    let p = p * r * r + r + 1.0;
    // 2ᵏ from its bits: the low bits of the rounded sum hold k.
    p * f32::from_bits(bits.wrapping_add(127).wrapping_shl(23))
}

/// Logistic function.
#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// Hyperbolic tangent, with an absolute error below 2e-7.
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    1.0 - 2.0 / (1.0 + exp(2.0 * x))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponential_is_within_three_steps() {
        for i in -8600..8700 {
            let x = i as f32 / 100.0;
            let (ours, exact) = (f64::from(exp(x)), f64::from(x).exp());
            assert!((ours / exact - 1.0).abs() < 3.0 * f64::from(f32::EPSILON), "{x}: {ours}");
        }
        assert_eq!((sigmoid(-200.0), sigmoid(200.0)), (1.0 / (1.0 + exp(88.0)), 1.0));
        assert_eq!((tanh(-50.0), tanh(50.0), tanh(0.0)), (-1.0, 1.0, 0.0));
    }

    #[test]
    fn products_equal_plain_loops_for_odd_sizes() {
        for (outputs, inputs, columns) in [(1, 1, 16), (3, 5, 32), (4, 2, 16), (9, 7, 48)] {
            let values = |n: usize, k: usize| -> Vec<f32> {
                (0..n).map(|i| ((i * k % 23) as f32 - 11.0) / 8.0).collect()
            };
            let (w, x, d) =
                (values(outputs * inputs, 7), values(inputs * 60, 5), values(outputs * 60, 3));
            let (mut y, mut g) = (vec![0.5; outputs * 60], vec![0.25; outputs * inputs]);
            let rows = |data| Rows { data, stride: 60 };
            multiply(&w, inputs, rows(&x), &mut y, 60, columns);
            outer(&mut g, inputs, rows(&d), rows(&x), columns);
            for o in 0..outputs {
                for c in 0..columns {
                    let sum: f32 = (0..inputs).map(|i| w[o * inputs + i] * x[i * 60 + c]).sum();
                    assert!((y[o * 60 + c] - 0.5 - sum).abs() < 1e-4);
                }
                for i in 0..inputs {
                    let dot: f32 = (0..columns).map(|c| d[o * 60 + c] * x[i * 60 + c]).sum();
                    assert!((g[o * inputs + i] - 0.25 - dot).abs() < 1e-4);
                }
            }
            assert_eq!(y[columns], 0.5, "nothing beyond the columns is touched");
        }
    }

    #[test]
    fn distances_and_sums_equal_plain_loops() {
        for n in [1, 15, 16, 33] {
            let a: Vec<f32> = (0..n).map(|i| i as f32).collect();
            let b: Vec<f32> = (0..n).map(|i| (i % 3) as f32).collect();
            let plain: f32 = a.iter().zip(&b).map(|(a, b)| (a - b) * (a - b)).sum();
            assert_eq!(squared_distance(&a, &b), plain);
            assert_eq!(sum(&a), a.iter().sum::<f32>());
        }
    }
}
