//! From real numbers to bytes and back, and what is done with bytes alone.

/// `y = round(x / scale) + zero_point`, to even, held to a byte; a NaN becomes the zero point.
#[inline(never)]
pub fn quantize(x: &[f32], scale: f32, zero_point: i8, y: &mut [i8]) {
    // Adding and taking away 1.5 · 2²³ leaves no bits behind the point of what is below 2²².
    const SHIFT: f32 = 12_582_912.0;
    for (y, &x) in y.iter_mut().zip(x) {
        let steps = if x.is_nan() { 0.0 } else { (x / scale).clamp(-1e6, 1e6) };
        let q = ((steps + SHIFT) - SHIFT) as i32 + i32::from(zero_point);
        *y = q.clamp(-128, 127) as i8;
    }
}

/// `y = (x - zero_point) · scale`
#[inline(never)]
pub fn dequantize(x: &[i8], scale: f32, zero_point: i8, y: &mut [f32]) {
    // LLVM 22 makes a wrong instruction for the vectors of a Cortex-M55 out of a constant that is a
    // power of two.
    let scale = core::hint::black_box(scale);
    for (y, &x) in y.iter_mut().zip(x) {
        *y = (i32::from(x) - i32::from(zero_point)) as f32 * scale;
    }
}

/// `y = table[x + 128]`
#[inline(never)]
pub fn lookup(x: &[i8], table: &[i8; 256], y: &mut [i8]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = table[usize::from((x as u8) ^ 0x80)];
    }
}

/// One operand of a sum of bytes: its zero point, and its factor in units of 2⁻²⁰.
#[derive(Clone, Copy, Debug)]
pub struct Addend {
    /// The byte that stands for zero.
    pub zero_point: i8,
    /// Steps of the result for each of its steps.
    pub multiplier: i32,
}

/// `y = clamp(zero_point + ((a · m_a + b · m_b + 2¹⁹) >> 20))`, with the zero points taken off.
#[inline(never)]
pub fn add(
    (a, of_a): (&[i8], Addend),
    (b, of_b): (&[i8], Addend),
    zero_point: i8,
    [low, high]: [i8; 2],
    y: &mut [i8],
) {
    let term =
        |x: i8, of: Addend| (i64::from(x) - i64::from(of.zero_point)) * i64::from(of.multiplier);
    for ((y, &a), &b) in y.iter_mut().zip(a).zip(b) {
        // Below 2⁵¹, so that 32 bits hold what is left.
        let steps = ((term(a, of_a) + term(b, of_b) + (1 << 19)) >> 20) as i32;
        *y = (steps + i32::from(zero_point)).clamp(low.into(), high.into()) as i8;
    }
}
