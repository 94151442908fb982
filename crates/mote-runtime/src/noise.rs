//! Standard normal numbers from a seed: the same on a server and on a microcontroller.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

/// A stream of standard normal numbers, which `seed` and `stream` decide.
///
/// Box and Muller's transform in `f64` of the words of ChaCha8: two words for two numbers, with the
/// functions of `libm`, whose bits do not depend on the machine.
#[derive(Clone, Debug)]
pub struct Noise {
    words: ChaCha8Rng,
    /// The second number of a pair, until it is taken.
    kept: Option<f32>,
}

impl Noise {
    /// The beginning of a stream; different streams of one seed are independent.
    #[must_use]
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut words = ChaCha8Rng::seed_from_u64(seed);
        words.set_stream(stream);
        Self { words, kept: None }
    }

    /// Fills `numbers`.
    pub fn fill(&mut self, numbers: &mut [f32]) {
        for number in numbers {
            *number = self.number();
        }
    }

    /// The next number.
    #[must_use]
    pub fn number(&mut self) -> f32 {
        if let Some(kept) = self.kept.take() {
            return kept;
        }
        // Above zero and at most one, so that its logarithm is a number.
        let first = (f64::from(self.words.next_u32()) + 1.0) / 4_294_967_296.0;
        let second = f64::from(self.words.next_u32()) / 4_294_967_296.0;
        let radius = libm::sqrt(-2.0 * libm::log(first));
        let (sine, cosine) = libm::sincos(core::f64::consts::TAU * second);
        self.kept = Some((radius * sine) as f32);
        (radius * cosine) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::Noise;

    #[test]
    fn a_seed_gives_these_numbers_everywhere() {
        let mut noise = Noise::new(7, 1);
        let numbers: [f32; 4] = core::array::from_fn(|_| noise.number());
        assert_eq!(
            numbers,
            [0.911_250_8, -0.045_218_725, 2.109_307_8, 0.120_089_4],
            "the stream is part of what a model file means"
        );
    }

    #[test]
    fn numbers_are_standard_normal() {
        let mut noise = Noise::new(0, 0);
        let n = 100_000;
        let (mut sums, mut beyond) = ([0.0f64; 4], 0);
        for _ in 0..n {
            let x = f64::from(noise.number());
            for (power, sum) in sums.iter_mut().enumerate() {
                *sum += libm::pow(x, (power + 1) as f64);
            }
            beyond += usize::from(x.abs() > 1.959_964);
        }
        let [mean, second, third, fourth] = sums.map(|s| s / f64::from(n));
        // Five standard errors of each moment.
        let within = |found: f64, wanted: f64, variance: f64| {
            assert!((found - wanted).abs() < 5.0 * libm::sqrt(variance / f64::from(n)), "{found}");
        };
        within(mean, 0.0, 1.0);
        within(second, 1.0, 2.0);
        within(third, 0.0, 15.0);
        within(fourth, 3.0, 96.0);
        within(beyond as f64 / f64::from(n), 0.05, 0.0475);
    }

    #[test]
    fn streams_differ() {
        assert_ne!(Noise::new(1, 0).number(), Noise::new(1, 1).number());
        assert_ne!(Noise::new(1, 0).number(), Noise::new(2, 0).number());
    }
}
