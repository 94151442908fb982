//! A small seeded generator for resampling: same seed, same numbers, on every machine.

/// SplitMix64 (Steele, Lea and Flood, 2014). Its quality is ample for drawing indices, and it
/// needs no dependency whose stream might change between versions.
pub(crate) struct SplitMix {
    state: u64,
}

impl SplitMix {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in `0..bound`. The bias of the multiply-shift is below `bound / 2⁶⁴`.
    ///
    /// # Panics
    ///
    /// If `bound` is zero: the caller has checked that there is something to draw from.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        assert!(bound > 0);
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }

    /// Uniform in the open interval `(0, 1)`.
    pub(crate) fn unit(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    /// Moves `count` randomly chosen items to the front, in random order; all of them if there are
    /// fewer. One draw for each.
    pub(crate) fn choose<T>(&mut self, items: &mut [T], count: usize) {
        for i in 0..count.min(items.len()) {
            let j = i + self.below(items.len() - i);
            items.swap(i, j);
        }
    }

    /// The numbers `0..n` in random order.
    pub(crate) fn order(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        self.choose(&mut order, n);
        order
    }

    /// Standard normal, by Box and Muller.
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.unit().ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }
}
