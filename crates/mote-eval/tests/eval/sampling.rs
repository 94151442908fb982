//! Seeded draws for tests, independent of the generator inside the crate.

/// PCG-like 64-bit multiplicative generator with an output mix.
pub(crate) struct Draw(u64);

impl Draw {
    pub(crate) fn new(seed: u64) -> Self {
        let mut draw = Self(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 0x5851_f42d_4c95_7f2d);
        for _ in 0..8 {
            draw.uniform();
        }
        draw
    }

    /// Uniform in (0, 1).
    pub(crate) fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        let mixed = (self.0 ^ (self.0 >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (((mixed ^ (mixed >> 32)) >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    pub(crate) fn exponential(&mut self) -> f64 {
        -self.uniform().ln()
    }

    pub(crate) fn normal(&mut self) -> f64 {
        (2.0 * self.exponential()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Generalized Pareto with scale 1.
    pub(crate) fn pareto(&mut self, shape: f64) -> f64 {
        (shape * self.exponential()).exp_m1() / shape
    }

    /// A stationary series with `memory` as lag-one correlation.
    pub(crate) fn autoregressive(&mut self, samples: usize, memory: f64) -> Vec<f64> {
        let mut x = self.normal();
        let fresh = (1.0 - memory * memory).sqrt();
        (0..samples)
            .map(|_| {
                x = memory * x + fresh * self.normal();
                x
            })
            .collect()
    }
}
