//! How near an implementation has to come to the plain kernels: three names, and no other numbers
//! in any test.

/// A promise about results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tolerance {
    /// Bit for bit; which NaN it is does not matter. For integers, for what moves numbers, and for
    /// functions that IEEE 754 rounds correctly.
    Exact,
    /// Real numbers within so many units in the last place, of the number that was wanted, or of one
    /// where that is smaller: sums run in another order and cancel. Bytes bit for bit.
    Ulp(u32),
    /// Bytes within one step: a real number that was only near was rounded to either neighbour. Real
    /// numbers bit for bit.
    OneStep,
}

impl Tolerance {
    /// Whether one real number may stand for another.
    pub(crate) fn real(self, found: f32, wanted: f32) -> bool {
        let same = found.to_bits() == wanted.to_bits() || (found.is_nan() && wanted.is_nan());
        match self {
            Self::Ulp(n) => {
                let unit = f64::from(f32::EPSILON) * f64::from(wanted.abs()).max(1.0);
                // Infinities are the same or differ; their difference is no number.
                let off = (f64::from(found) - f64::from(wanted)).abs();
                same || (found.is_finite() && off <= f64::from(n) * unit)
            }
            Self::Exact | Self::OneStep => same,
        }
    }

    /// Whether one byte may stand for another.
    pub(crate) fn byte(self, found: i8, wanted: i8) -> bool {
        match self {
            Self::OneStep => found.abs_diff(wanted) <= 1,
            Self::Exact | Self::Ulp(_) => found == wanted,
        }
    }
}

#[test]
fn each_tolerance_is_what_its_name_says() {
    let next = f32::from_bits(3.0f32.to_bits() + 1);
    let cases = [
        (Tolerance::Exact, next, 3.0, false),
        (Tolerance::Exact, -0.0, 0.0, false),
        (Tolerance::Exact, f32::NAN, -f32::NAN, true),
        (Tolerance::Ulp(1), next, 3.0, true),
        (Tolerance::Ulp(1), 3.0 + 5.0 * f32::EPSILON, 3.0, false),
        (Tolerance::Ulp(2), 1e-7, -1e-7, true),
        (Tolerance::Ulp(1), 1e-7, -1e-7, false),
        (Tolerance::Ulp(9), f32::INFINITY, f32::MAX, false),
        (Tolerance::Ulp(9), f32::INFINITY, f32::INFINITY, true),
        (Tolerance::Ulp(9), f32::NAN, 1.0, false),
        (Tolerance::OneStep, next, 3.0, false),
    ];
    for (tolerance, found, wanted, near) in cases {
        assert_eq!(tolerance.real(found, wanted), near, "{tolerance:?} {found} {wanted}");
    }
    let bytes = [
        (Tolerance::Exact, 4, 5, false),
        (Tolerance::Ulp(99), 4, 5, false),
        (Tolerance::OneStep, 4, 5, true),
        (Tolerance::OneStep, 4, 6, false),
        (Tolerance::OneStep, -128, 127, false),
    ];
    for (tolerance, found, wanted, near) in bytes {
        assert_eq!(tolerance.byte(found, wanted), near, "{tolerance:?} {found} {wanted}");
    }
}
