//! Functions of one number that need more than arithmetic: each is long, so it is in flash once.

/// `e^x`
#[inline(never)]
#[must_use]
pub fn exp(x: f32) -> f32 {
    libm::expf(x)
}

/// `ln x`
#[inline(never)]
#[must_use]
pub fn log(x: f32) -> f32 {
    libm::logf(x)
}

/// `tanh x`
#[inline(never)]
#[must_use]
pub fn tanh(x: f32) -> f32 {
    libm::tanhf(x)
}

/// `1 / (1 + e^-x)`
#[inline(never)]
#[must_use]
pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + libm::expf(-x))
}

/// `x / (1 + e^-x)`
#[inline(never)]
#[must_use]
pub fn silu(x: f32) -> f32 {
    x * sigmoid(x)
}

/// `x/2 · (1 + erf(x/√2))`
#[inline(never)]
#[must_use]
pub fn gelu(x: f32) -> f32 {
    0.5 * x * (1.0 + libm::erff(x * core::f32::consts::FRAC_1_SQRT_2))
}

/// `ln(1 + e^x)`
#[inline(never)]
#[must_use]
pub fn softplus(x: f32) -> f32 {
    x.max(0.0) + libm::log1pf(libm::expf(-x.abs()))
}
