//! What the elements of a value are, and what real numbers integers stand for.
//!
//! Activations are affine: `real = scale · (q - zero_point)`, one pair for a whole value. Weights
//! are symmetric, with one scale for each output channel. Sums of products are exact in `i32`;
//! the one place that rounds is [`multiplier`] times a sum, shifted right by 32 bits.

use alloc::{vec, vec::Vec};

use serde::{Deserialize, Serialize};

/// What one element of a value is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dtype {
    /// IEEE 754 single precision.
    #[default]
    F32,
    /// IEEE 754 half precision. Weights of layers of real numbers alone: each widens exactly where it is read.
    F16,
    /// A byte, -128 to 127.
    I8,
    /// Weights alone: -8 to 7, two in a byte, the first in its low half; each row of a matrix
    /// begins with a new byte.
    I4,
    /// Biases alone: sums of products.
    I32,
    /// The factors of the groups of `i4` weights, 0 to 255; and bytes that hold `i4`.
    U8,
}

/// Inputs that share one factor where weights are [`Dtype::I4`].
pub const GROUP: usize = 32;

impl Dtype {
    /// How tensors of this type lie in a file, by type and shape: `i4` are packed into bytes along
    /// everything but the first axis, as `(rows, ⌈inputs / 2⌉)`. A product beyond `usize` stays at its
    /// largest number, which no file holds.
    #[must_use]
    pub fn stored(self, shape: &[usize]) -> (Self, Vec<usize>) {
        match (self, shape.split_first()) {
            (Self::I4, Some((&rows, inputs))) => {
                let inputs = inputs.iter().fold(1usize, |n, &i| n.saturating_mul(i));
                (Self::U8, vec![rows, inputs.div_ceil(2)])
            }
            _ => (self, shape.into()),
        }
    }

    /// Bytes of `elements` numbers in memory, `i4` as one row.
    #[must_use]
    pub fn bytes(self, elements: usize) -> usize {
        match self {
            Self::F32 | Self::I32 => elements * 4,
            Self::F16 => elements * 2,
            Self::I8 | Self::U8 => elements,
            Self::I4 => elements.div_ceil(2),
        }
    }

    /// The name in the standard of safetensors; `i4` has none, it is stored as bytes.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::I8 => "I8",
            Self::I32 => "I32",
            Self::U8 | Self::I4 => "U8",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::F32, Self::F16, Self::I8, Self::I32, Self::U8].into_iter().find(|d| d.name() == name)
    }
}

/// What the bytes of a value stand for: `real = scale · (q - zero_point)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quantization {
    /// The step between two neighbours, above zero.
    pub scale: f32,
    /// The byte that stands for zero.
    pub zero_point: i8,
}

impl Quantization {
    /// The finest one that holds `low..=high` and zero exactly.
    ///
    /// # Panics
    ///
    /// If a bound is not finite.
    #[must_use]
    pub fn of_range(low: f32, high: f32) -> Self {
        assert!(low.is_finite() && high.is_finite(), "the range {low} to {high}");
        let (low, high) = (f64::from(low.min(0.0)), f64::from(high.max(0.0)));
        // A value that never varies still needs a step.
        let scale = ((high - low) / 255.0).max(f64::from(f32::MIN_POSITIVE)) as f32;
        let zero_point = round_ties_even(-128.0 - low / f64::from(scale)).clamp(-128.0, 127.0);
        Self { scale, zero_point: zero_point as i8 }
    }

    /// The byte for a real number: rounded to even, held within the range; NaN becomes zero.
    #[inline]
    #[must_use]
    pub fn quantize(self, x: f32) -> i8 {
        /// Adding it leaves a whole number in the low bits, rounded to even.
        const ROUND: f32 = 12_582_912.0;
        // Held to a range that keeps the sum exact, far beyond that of a byte.
        let steps = (x / self.scale).clamp(-1e6, 1e6) + ROUND;
        let steps = (steps.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
        let steps = if x.is_nan() { 0 } else { steps };
        (steps + i32::from(self.zero_point)).clamp(-128, 127) as i8
    }

    /// The real number of a byte.
    #[inline]
    #[must_use]
    pub fn dequantize(self, q: i8) -> f32 {
        (i32::from(q) - i32::from(self.zero_point)) as f32 * self.scale
    }
}

/// The factor that turns a sum of products of scale `x · w` into steps of `y`, in units of 2⁻³²:
/// `steps = (sum · multiplier + 2³¹) >> 32`. One instruction on a Cortex-M4 (`SMMULR`) and, for four
/// sums, on a Cortex-M55 (`VRMULH`).
///
/// The nearest number to `x · w / y · 2³²`, held to 0 to 2³¹ - 1: results are right where `y` is at
/// least twice as coarse as the product, which [`fits`] tells.
#[must_use]
pub fn multiplier(x: f32, w: f32, y: f32) -> i32 {
    let factor = f64::from(x) * f64::from(w) / f64::from(y) * 4_294_967_296.0;
    round_ties_even(factor).clamp(0.0, f64::from(i32::MAX)) as i32
}

/// Whether [`multiplier`] is within its range.
#[must_use]
pub fn fits(x: f32, w: f32, y: f32) -> bool {
    f64::from(x) * f64::from(w) / f64::from(y) * 4_294_967_296.0 <= f64::from(i32::MAX)
}

/// The factor of one operand of a sum `y = a + b` of bytes, in units of 2⁻²⁰.
#[must_use]
pub fn addend_multiplier(x: f32, y: f32) -> i32 {
    let factor = f64::from(x) / f64::from(y) * f64::from(1 << 20);
    round_ties_even(factor).clamp(0.0, f64::from(i32::MAX)) as i32
}

/// Rounds a number below 2⁵¹ without `std`: adding and taking away 1.5 · 2⁵² leaves no bits behind
/// the point.
fn round_ties_even(x: f64) -> f64 {
    const SHIFT: f64 = 6_755_399_441_055_744.0;
    (x + SHIFT) - SHIFT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_keeps_zero_exact_and_its_ends_within_half_a_step() {
        for (low, high) in
            [(-1.0, 1.0), (0.0, 6.0), (-3.0, 0.0), (0.2, 0.9), (-1e-3, 1e4), (0.0, 0.0)]
        {
            let q = Quantization::of_range(low, high);
            assert_eq!(q.dequantize(q.quantize(0.0)), 0.0, "{low}..{high}");
            for x in [low, high, (low + high) / 2.0] {
                let error = (q.dequantize(q.quantize(x)) - x).abs();
                assert!(error <= q.scale * 1.001, "{x} of {low}..{high}: {error}");
            }
        }
    }

    #[test]
    fn quantize_rounds_to_even_and_holds_what_is_beyond() {
        let q = Quantization { scale: 1.0, zero_point: 3 };
        let cases = [
            (0.5, 3),
            (1.5, 5),
            (-0.5, 3),
            (-1.5, 1),
            (1e30, 127),
            (-1e30, -128),
            (f32::INFINITY, 127),
        ];
        for (x, wanted) in cases {
            assert_eq!(q.quantize(x), wanted, "{x}");
        }
        assert_eq!(q.quantize(f32::NAN), 3);
    }

    #[test]
    fn multipliers_are_the_nearest_ones() {
        assert_eq!(multiplier(0.5, 0.5, 1.0), 1 << 30);
        assert_eq!(multiplier(1.0, 1.0, 1.0), i32::MAX);
        assert!(fits(0.5, 0.9, 1.0) && !fits(1.0, 1.0, 1.0));
        assert_eq!(addend_multiplier(1.0, 1.0), 1 << 20);
    }

    #[test]
    fn four_bits_are_stored_row_by_row() {
        assert_eq!(Dtype::I4.stored(&[3, 5]), (Dtype::U8, vec![3, 3]));
        assert_eq!(Dtype::I4.stored(&[2, 3, 5]), (Dtype::U8, vec![2, 8]));
        assert_eq!(Dtype::I8.stored(&[2, 3]), (Dtype::I8, vec![2, 3]));
        let (huge, half) = (1 << 40, usize::MAX.div_ceil(2));
        assert_eq!(Dtype::I4.stored(&[2, huge, huge]), (Dtype::U8, vec![2, half]));
    }
}
