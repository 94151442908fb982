//! A codebook: each vector becomes the nearest of a few (vector quantization, van den Oord et al. 2017,
//! arXiv 1711.00937), which follow the means of what they stand for (their appendix A.1).

use burn::{
    module::{Module, Param},
    tensor::{Device, Tensor, TensorData},
};

use super::categorical::chosen;
use crate::random::{Purpose, Random};

/// A code that stands for less than this share of its fair part of the vectors is dead.
const DEAD: f32 = 0.1;

/// Vectors that stand for others. They are learned without gradients.
#[derive(Module, Debug)]
pub struct Codebook {
    /// `(codes, width)`
    codes: Param<Tensor<2>>,
    /// `(codes,)`: vectors of a step that each stands for, as a moving mean.
    counts: Param<Tensor<1>>,
}

impl Codebook {
    /// A book of random codes that stand for nothing yet: the first step replaces them.
    #[must_use]
    pub fn new(codes: usize, width: usize, rng: &mut Random, device: &Device) -> Self {
        let data = TensorData::new(rng.uniform(codes * width, 1.0), [codes, width]);
        let counts = TensorData::new(vec![0.0f32; codes], [codes]);
        let codes = Param::from_tensor(Tensor::from_data(data, device)).set_require_grad(false);
        let counts = Param::from_tensor(Tensor::from_data(counts, device)).set_require_grad(false);
        Self { codes, counts }
    }

    /// Codes in the book.
    #[must_use]
    pub fn len(&self) -> usize {
        self.counts.dims()[0]
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The nearest code of each vector of `z` `(batch, places, width)`: 1 there and 0 elsewhere along
    /// `(batch, places, codes)`; codes that are equally near share the 1. No gradient goes through it.
    #[must_use]
    pub fn nearest(&self, z: Tensor<3>) -> Tensor<3> {
        let [batch, places, width] = z.dims();
        let codes = self.codes.val().detach();
        let half_norm = (codes.clone() * codes.clone()).sum_dim(1) * 0.5;
        let z = z.detach().reshape([batch * places, width]);
        let nearness = z.matmul(codes.swap_dims(0, 1)).reshape([batch, places, self.len()])
            - half_norm.reshape([1, 1, self.len()]);
        let choice = chosen(nearness);
        choice.clone() / choice.sum_dim(2)
    }

    /// The vectors `(batch, places, width)` of choices `(batch, places, codes)`.
    #[must_use]
    pub fn vectors(&self, choice: Tensor<3>) -> Tensor<3> {
        let [batch, places, n] = choice.dims();
        let y = choice.reshape([batch * places, n]).matmul(self.codes.val().detach());
        let [_, width] = y.dims();
        y.reshape([batch, places, width])
    }

    /// Moves each code towards the mean of the vectors of `z` `(batch, places, width)` that it stands
    /// for: counts and sums keep `decay` of what they were. Dead codes begin anew at vectors of `z`, which
    /// `step` chooses.
    #[must_use]
    pub fn follow(self, z: Tensor<3>, decay: f32, step: u64) -> Self {
        let ([batch, places, width], n, device) = (z.dims(), self.len(), z.device());
        let rows = batch * places;
        let choice = self.nearest(z.clone()).reshape([rows, n]);
        let z = z.detach().reshape([rows, width]);
        let sums = numbers(choice.clone().swap_dims(0, 1).matmul(z.clone()));
        let taken = numbers(choice.sum_dim(0));
        let (mut codes, mut counts) = (numbers(self.codes.val()), numbers(self.counts.val()));
        let fair = rows as f32 / n as f32;
        let mut dead = Vec::new();
        for i in 0..n {
            let count = decay * counts[i] + (1.0 - decay) * taken[i];
            if count < DEAD * fair {
                dead.push(i);
                counts[i] = fair;
                continue;
            }
            for c in i * width..(i + 1) * width {
                codes[c] = (decay * counts[i] * codes[c] + (1.0 - decay) * sums[c]) / count;
            }
            counts[i] = count;
        }
        if !dead.is_empty() {
            let z = numbers(z);
            let order = Random::new(0, Purpose::Order, step).order(rows);
            for (i, row) in dead.into_iter().zip(order.into_iter().cycle()) {
                codes[i * width..][..width].copy_from_slice(&z[row * width..][..width]);
            }
        }
        let (codes, counts) = (TensorData::new(codes, [n, width]), TensorData::new(counts, [n]));
        Self {
            codes: self.codes.map(|_| Tensor::from_data(codes, &device)).set_require_grad(false),
            counts: self.counts.map(|_| Tensor::from_data(counts, &device)).set_require_grad(false),
        }
    }
}

fn numbers<const D: usize>(t: Tensor<D>) -> Vec<f32> {
    t.into_data().try_to_vec::<f32>().expect("models compute in f32")
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTH: usize = 3;

    fn vectors(n: usize, index: u64) -> Vec<f32> {
        Random::new(7, Purpose::Noise, index).normal(n * WIDTH)
    }

    fn tensor(z: &[f32]) -> Tensor<3> {
        let n = z.len() / WIDTH;
        Tensor::from_data(TensorData::new(z.to_vec(), [1, n, WIDTH]), &Device::flex())
    }

    fn distance(a: &[f32], b: &[f32]) -> f32 {
        a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
    }

    fn book(codes: usize) -> Codebook {
        let mut rng = Random::new(3, Purpose::Weights, 0);
        Codebook::new(codes, WIDTH, &mut rng, &Device::flex())
    }

    fn nearest(codes: &[f32], z: &[f32]) -> usize {
        let distances = codes.chunks_exact(WIDTH).map(|e| distance(e, z)).enumerate();
        distances.min_by(|a, b| a.1.total_cmp(&b.1)).expect("a code").0
    }

    #[test]
    fn the_nearest_code_stands_for_a_vector() {
        let (book, z) = (book(11), vectors(200, 0));
        let codes = numbers(book.codes.val());
        let choice = book.nearest(tensor(&z));
        let found = numbers(book.vectors(choice.clone()));
        for ((choice, found), z) in numbers(choice)
            .chunks_exact(11)
            .zip(found.chunks_exact(WIDTH))
            .zip(z.chunks_exact(WIDTH))
        {
            let wanted = nearest(&codes, z);
            assert_eq!(choice.iter().position(|&c| c == 1.0), Some(wanted));
            assert_eq!(choice.iter().sum::<f32>(), 1.0);
            assert_eq!(found, &codes[wanted * WIDTH..][..WIDTH]);
        }
    }

    #[test]
    fn codes_that_are_equally_near_share() {
        let mut book = book(2);
        book.codes = book.codes.map(|_| Tensor::ones([2, WIDTH], &Device::flex()));
        assert_eq!(numbers(book.nearest(tensor(&vectors(1, 0)))), [0.5, 0.5]);
    }

    #[test]
    fn codes_follow_the_means_of_what_they_stand_for() {
        const N: usize = 4;
        let mut before = book(N);
        let counts = TensorData::new(vec![20.0f32, 9.0, 15.0, 12.0], [N]);
        before.counts = before.counts.map(|_| Tensor::from_data(counts, &Device::flex()));
        let (codes, counts) = (numbers(before.codes.val()), numbers(before.counts.val()));
        let z = vectors(64, 2);
        let decay = 0.9f32;
        let after = before.follow(tensor(&z), decay, 1);
        let found = [numbers(after.codes.val()), numbers(after.counts.val())];
        for i in 0..N {
            let own = z.chunks_exact(WIDTH).filter(|z| nearest(&codes, z) == i);
            let own: Vec<&[f32]> = own.collect();
            let count = decay * counts[i] + (1.0 - decay) * own.len() as f32;
            assert!(count > DEAD * 16.0, "the test has a dead code");
            assert!((found[1][i] - count).abs() < 1e-5);
            for c in 0..WIDTH {
                let sum: f32 = own.iter().map(|z| z[c]).sum();
                let old = counts[i] * codes[i * WIDTH + c];
                let wanted = (decay * old + (1.0 - decay) * sum) / count;
                assert!((found[0][i * WIDTH + c] - wanted).abs() < 1e-5, "code {i}");
            }
        }
    }

    #[test]
    fn dead_codes_begin_anew_where_vectors_are() {
        // All vectors far from where the codes are: one code takes all.
        let z: Vec<f32> = vectors(50, 3).iter().map(|z| 30.0 + z).collect();
        let mut book = book(8);
        for step in 0..200 {
            book = book.follow(tensor(&z), 0.99, step);
        }
        let taken = numbers(book.nearest(tensor(&z)).sum_dim(1));
        assert!(taken.iter().all(|&n| n >= 1.0), "{taken:?}");
        let codes = numbers(book.codes.val());
        let error: f32 = z
            .chunks_exact(WIDTH)
            .map(|z| distance(z, &codes[nearest(&codes, z) * WIDTH..][..WIDTH]))
            .sum::<f32>()
            / 50.0;
        let mean: Vec<f32> =
            (0..WIDTH).map(|c| z.iter().skip(c).step_by(WIDTH).sum::<f32>() / 50.0).collect();
        let one: f32 = z.chunks_exact(WIDTH).map(|z| distance(z, &mean)).sum::<f32>() / 50.0;
        assert!(error < 0.5 * one, "eight codes leave {error}, one {one}");
    }
}
