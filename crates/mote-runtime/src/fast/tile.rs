//! One product of a packed matrix with rows that lie at equal distances: what fast kernels compute.

#![allow(unsafe_code, reason = "kernels are called that need instructions which the level proves")]

use super::{
    Level,
    panels::{Panels, STEP_BYTES},
    registers::on_registers,
};

/// Rows that are computed together; callers gain nothing from more.
pub(crate) const ROWS: usize = 8;

/// `y[r, o] = bias[o] + Σ_i x[r, i] · w[o, i]`, perhaps `max(.., 0)`, perhaps `.. + add[r, o]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Real<'a> {
    /// Row `r` is all runs `x[r · x_stride + tap · tap_stride..][..inputs]`.
    pub(crate) x: &'a [f32],
    /// The second of two runs of a single row, where it lies by itself.
    pub(crate) second: Option<&'a [f32]>,
    pub(crate) x_stride: usize,
    pub(crate) rows: usize,
    /// Runs that a row is made of.
    pub(crate) taps: usize,
    pub(crate) tap_stride: usize,
    /// Numbers in a run.
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    /// `(groups, taps · inputs, panels of the group, LANES)`
    pub(crate) w: &'a [f32],
    /// Panels of a group.
    pub(crate) group: usize,
    /// `(panels, LANES)`
    pub(crate) bias: &'a [f32],
    pub(crate) relu: bool,
    /// Row `r` is `add[r · y_stride..][..outputs]`.
    pub(crate) add: Option<&'a [f32]>,
    /// Row `r` is `y[r · y_stride..][..outputs]`.
    pub(crate) y_stride: usize,
}

impl Real<'_> {
    #[inline(always)]
    pub(crate) fn panels(&self) -> Panels {
        Panels { outputs: self.outputs, group: self.group, steps: self.taps * self.inputs }
    }

    /// Where the run behind the one at `x` begins; nowhere, behind the last one.
    #[inline(always)]
    pub(crate) fn next_run(&self, x: *const f32) -> *const f32 {
        match self.second {
            Some(second) => second.as_ptr(),
            None => x.wrapping_add(self.tap_stride),
        }
    }
}

/// How integers are multiplied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Numbers {
    /// `i8` times `i8`, four at a time.
    Bytes,
    /// `i16` times `i16`, two at a time.
    Words,
}

impl Numbers {
    /// Bytes of one.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::Bytes => 1,
            Self::Words => 2,
        }
    }
}

/// `sum[r, o] = bias[o] + Σ_i x[r, i] · w[o, i]` in `i32`, modulo 2³².
#[derive(Clone, Copy, Debug)]
pub(crate) struct Integer<'a> {
    pub(crate) numbers: Numbers,
    /// To each byte of `x` was added already what [the kernel would add](shift).
    pub(crate) shifted: bool,
    /// Row `r` is all runs `x[r · x_stride + tap · tap_stride..][..bytes]`.
    pub(crate) x: &'a [u8],
    pub(crate) x_stride: usize,
    pub(crate) rows: usize,
    /// Runs that a row is made of: one, or what [`joins_runs`] allows.
    pub(crate) taps: usize,
    pub(crate) tap_stride: usize,
    /// Bytes of a run.
    pub(crate) bytes: usize,
    pub(crate) outputs: usize,
    /// `(groups, taps · ⌈bytes / STEP_BYTES⌉, panels of the group, LANES, STEP_BYTES)`
    pub(crate) w: &'a [u8],
    /// Panels of a group.
    pub(crate) group: usize,
    /// `(panels, LANES)`, with everything that the level of the kernel wants in it.
    pub(crate) bias: &'a [i32],
    /// The same for bytes that nothing is [added](shift) to, where the level has [tiles](Level::tiles).
    pub(crate) signed: &'a [i32],
    /// Row `r` is `y[r · y_stride..][..outputs]`.
    pub(crate) y_stride: usize,
}

impl Integer<'_> {
    #[inline(always)]
    pub(crate) fn panels(&self) -> Panels {
        let steps = self.taps * self.bytes.div_ceil(STEP_BYTES);
        Panels { outputs: self.outputs, group: self.group, steps }
    }
}

/// What becomes of the sums.
pub(crate) enum Store<'a> {
    /// `clamp(zero_point + ((sum · multiplier + 2³¹) >> 32))`
    Bytes { y: &'a mut [i8], multiplier: &'a [i32], zero_point: i8, clamp: [i8; 2] },
    /// `sum · scale`
    Real { y: &'a mut [f32], scale: &'a [f32] },
}

impl<'a> Store<'a> {
    /// The same, for as long as it is lent.
    pub(crate) fn all(&mut self) -> Store<'_> {
        match self {
            Self::Bytes { y, multiplier, zero_point, clamp } => {
                Store::Bytes { y, multiplier, zero_point: *zero_point, clamp: *clamp }
            }
            Self::Real { y, scale } => Store::Real { y, scale },
        }
    }

    /// The first `length` results, or all where there are fewer, and the others, with the parameters from output
    /// `outputs` on.
    pub(crate) fn split(self, length: usize, outputs: usize) -> (Self, Self) {
        match self {
            Self::Bytes { y, multiplier, zero_point, clamp } => {
                let (own, rest) = y.split_at_mut(length.min(y.len()));
                let behind = &multiplier[outputs..];
                (
                    Self::Bytes { y: own, multiplier, zero_point, clamp },
                    Self::Bytes { y: rest, multiplier: behind, zero_point, clamp },
                )
            }
            Self::Real { y, scale } => {
                let (own, rest) = y.split_at_mut(length.min(y.len()));
                (Self::Real { y: own, scale }, Self::Real { y: rest, scale: &scale[outputs..] })
            }
        }
    }
}

/// What is added to each byte of `x` before it is multiplied: the byte product of AVX-512 takes one
/// factor without a sign.
pub(crate) fn shift(level: Level, numbers: Numbers) -> i32 {
    match (level, numbers) {
        (Level::Avx512(_), Numbers::Bytes) => 128,
        _ => 0,
    }
}

/// Whether a copy of bytes should add that at once: tiles want bytes as they are.
pub(crate) fn shifts_copies(level: Level, numbers: Numbers) -> bool {
    shift(level, numbers) != 0 && !level.tiles()
}

/// Whether bytes are multiplied fastest as words, where there are several rows: AVX2 has to widen them
/// anyway, and widens those of a row but once so.
pub(crate) fn widens(level: Level, rows: usize) -> bool {
    matches!(level, Level::Avx2(_)) && rows > 1
}

/// Whether the kernel of integers reads rows of several runs of `bytes`: then no step lies in two.
pub(crate) fn joins_runs(level: Level, numbers: Numbers, bytes: usize) -> bool {
    let reads = match level {
        Level::Avx2(_) => true,
        Level::Avx512(_) => numbers == Numbers::Bytes,
        _ => false,
    };
    reads && bytes.is_multiple_of(STEP_BYTES)
}

on_registers!(
    /// `y[i] = x[i]`, in words.
    ///
    /// # Panics
    ///
    /// If `y` is shorter than `x`.
    widen(x: &[u8], y: &mut [i16]) = widened
);

/// Compiled once for each set of instructions.
#[inline(always)]
fn widened(x: &[u8], y: &mut [i16]) {
    y[..x.len()].iter_mut().zip(x).for_each(|(y, x)| *y = i16::from(*x as i8));
}

on_registers!(
    /// `y[i]` is `x[i]` with the bits of `sign` turned.
    ///
    /// # Panics
    ///
    /// If `y` is shorter than `x`.
    turn(x: &[u8], sign: u8, y: &mut [u8]) = turned
);

/// Compiled once for each set of instructions.
#[inline(always)]
fn turned(x: &[u8], sign: u8, y: &mut [u8]) {
    y[..x.len()].iter_mut().zip(x).for_each(|(y, x)| *y = x ^ sign);
}

/// Whether `rows` rows of `length`, `stride` apart, lie within `size`.
fn within(rows: usize, stride: usize, length: usize, size: usize) -> bool {
    rows == 0 || (rows - 1) * stride + length <= size
}

/// Computes `job` into `y`.
///
/// # Panics
///
/// If a slice is shorter than the job says, or the level is `Plain`, which has no packed products.
#[inline]
pub(crate) fn real(level: Level, job: &Real<'_>, y: &mut [f32]) {
    let panels = job.panels();
    let length = match job.second {
        Some(second) => {
            assert!(job.taps == 2 && job.rows == 1, "two runs of one row");
            assert!(second.len() >= job.inputs, "the second run");
            job.inputs
        }
        None => job.taps.saturating_sub(1) * job.tap_stride + job.inputs,
    };
    assert!(within(job.rows, job.x_stride, length, job.x.len()), "rows of x");
    assert!(within(job.rows, job.y_stride, job.outputs, y.len()), "rows of y");
    let add = job.add.is_none_or(|add| within(job.rows, job.y_stride, job.outputs, add.len()));
    assert!(add, "rows of what is added");
    assert!(size_of_val(job.w) >= panels.bytes(), "panels");
    assert!(job.bias.len() >= panels.lanes(), "bias");
    #[cfg(target_arch = "x86_64")]
    match level {
        // SAFETY: the level proves the instructions, and the lengths were just asserted.
        Level::Avx512(_) => return unsafe { super::x86::real_avx512(job, y) },
        // SAFETY: likewise.
        Level::Avx2(_) => return unsafe { super::x86::real_avx2(job, y) },
        _ => {}
    }
    #[cfg(target_arch = "aarch64")]
    if let Level::Neon(_) | Level::NeonDot(_) = level {
        // SAFETY: the level proves the instructions, and the lengths were just asserted.
        return unsafe { super::neon::real(job, y) };
    }
    unreachable!("{level:?} has no packed products");
}

/// Computes `job` into what `store` says.
///
/// # Panics
///
/// As [`real`].
#[inline]
pub(crate) fn integer(level: Level, job: &Integer<'_>, store: &mut Store<'_>) {
    let panels = job.panels();
    let (y, parameters) = match store {
        Store::Bytes { y, multiplier, .. } => (y.len(), multiplier.len()),
        Store::Real { y, scale } => (y.len(), scale.len()),
    };
    let joined = job.taps == 1 || joins_runs(level, job.numbers, job.bytes);
    assert!(job.taps > 0 && joined, "runs of x");
    let length = (job.taps - 1) * job.tap_stride + job.bytes;
    assert!(within(job.rows, job.x_stride, length, job.x.len()), "rows of x");
    assert!(within(job.rows, job.y_stride, job.outputs, y), "rows of y");
    assert!(job.w.len() >= panels.bytes(), "panels");
    let lanes = panels.lanes();
    assert!(job.bias.len() >= lanes && parameters >= lanes, "bias and scale");
    let signed = level.tiles() && job.numbers == Numbers::Bytes;
    assert!(!signed || job.signed.len() >= lanes, "bias of signed rows");
    #[cfg(target_arch = "x86_64")]
    match level {
        // SAFETY: the level proves the instructions, and the lengths were just asserted.
        Level::Avx512(proof) => return unsafe { super::x86::integer_avx512(job, store, proof) },
        // SAFETY: likewise.
        Level::Avx2(_) => return unsafe { super::x86::integer_avx2(job, store) },
        _ => {}
    }
    #[cfg(target_arch = "aarch64")]
    match level {
        // SAFETY: the level proves the instructions, and the lengths were just asserted.
        Level::NeonDot(_) => return unsafe { super::neon::integer_dot(job, store) },
        // SAFETY: likewise.
        Level::Neon(_) => return unsafe { super::neon::integer(job, store) },
        _ => {}
    }
    unreachable!("{level:?} has no packed products");
}
