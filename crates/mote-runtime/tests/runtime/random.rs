//! Numbers and shapes to try, drawn from seeds so that a failure can be repeated.

use proptest::prelude::*;

/// SplitMix64 (Steele, Lea and Flood 2014).
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// Uniform in -1..1.
    pub(crate) fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }

    /// As many numbers as `shape` has elements, in -scale..scale.
    pub(crate) fn fill(&mut self, shape: &[usize], scale: f32) -> Vec<f32> {
        (0..shape.iter().product()).map(|_| scale * self.unit()).collect()
    }
}

/// The length of an axis: none, one, odd, a multiple of eight and its neighbours, and longer.
pub(crate) fn length() -> impl Strategy<Value = usize> {
    prop_oneof![1 => Just(0usize), 2 => Just(1), 6 => 2..10usize, 2 => 15..18usize, 1 => 31..70usize]
}

/// The length of an axis that must not be empty.
pub(crate) fn some() -> impl Strategy<Value = usize> {
    length().prop_map(|n| n.max(1))
}

/// A shape of up to four axes that are not all long.
pub(crate) fn shape() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![
        4 => prop::collection::vec(0..6usize, 0..=4),
        1 => length().prop_map(|n| vec![n]),
        1 => (length(), length()).prop_map(|(a, b)| vec![a, b]),
    ]
}
