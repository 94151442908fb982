//! Monotone rational-quadratic splines (Gregory and Delbourgo 1982; for flows Durkan et al. 2019, arXiv
//! 1906.04032), forwards, backwards, and how fast they rise.
//!
//! The bin that a number falls into is chosen by steps that are products of a steep ramp, so that a
//! spline is made of operations that programs have.

use burn::tensor::{
    Tensor,
    activation::{softmax, tanh},
};

use super::categorical::STEEP;

/// From `-BOUND` to `BOUND` splines bend; beyond, they are the identity.
const BOUND: f32 = 5.0;
/// The least share that a bin has of that: narrower ones would not invert in single precision.
const LEAST_SHARE: f32 = 1e-2;
/// Slopes at knots stay within `e^±`this, for the same reason.
const LOG_SLOPE: f32 = 2.5;

/// A spline for each number of a tensor `(batch, rows, columns)`, on `bins` bins.
#[derive(Clone, Debug)]
pub struct Spline {
    across: Bins,
    up: Bins,
    /// Slopes at the left and at the right of each bin, `(batch, rows, columns, bins)`.
    slopes: [Tensor<4>; 2],
}

/// The bins of an axis, `(batch, rows, columns, bins)` each.
#[derive(Clone, Debug)]
struct Bins {
    start: Tensor<4>,
    length: Tensor<4>,
}

/// What of a spline bears on one number, `(batch, rows, columns, 1)` each.
struct Piece {
    left: Tensor<4>,
    width: Tensor<4>,
    bottom: Tensor<4>,
    height: Tensor<4>,
    slopes: [Tensor<4>; 2],
}

impl Spline {
    /// Numbers that decide a spline on so many bins; all zero, they say the identity.
    #[must_use]
    pub const fn parameters(bins: usize) -> usize {
        3 * bins - 1
    }

    /// The spline that `(batch, rows, columns, parameters)` decide.
    ///
    /// # Panics
    ///
    /// If there are fewer than two bins, or another number of parameters.
    #[must_use]
    pub fn new(parameters: Tensor<4>, bins: usize) -> Self {
        let [batch, rows, columns, n] = parameters.dims();
        assert!(bins > 1, "a spline needs a knot to bend at");
        assert_eq!(n, Self::parameters(bins), "parameters of a spline on {bins} bins");
        let part = |from: usize, to: usize| {
            parameters.clone().slice([0..batch, 0..rows, 0..columns, from..to])
        };
        let inner = (tanh(part(2 * bins, n) / LOG_SLOPE) * LOG_SLOPE).exp();
        // Not a fresh one: a recorded program has to see that it belongs to the batch.
        let outer = part(0, 1) * 0.0 + 1.0;
        let slopes = [
            Tensor::cat(vec![outer.clone(), inner.clone()], 3),
            Tensor::cat(vec![inner, outer], 3),
        ];
        Self { across: Bins::new(part(0, bins)), up: Bins::new(part(bins, 2 * bins)), slopes }
    }

    /// `y` of `x`, both `(batch, rows, columns)`, and the logarithm of the slope there.
    #[must_use]
    pub fn forward(&self, x: Tensor<3>) -> (Tensor<3>, Tensor<3>) {
        let shape = x.dims();
        let x = x.unsqueeze_dim::<4>(3);
        let within = x.clone().clamp(-BOUND, BOUND);
        let Piece { left, width, bottom, height, slopes: [rise, fall] } =
            self.piece(self.across.choose(within.clone()));
        let at = ((within.clone() - left) / width.clone()).clamp(0.0, 1.0);
        let rest = at.clone() * -1.0 + 1.0;
        let between = at.clone() * rest.clone();
        let mean = height.clone() / width;
        let excess = rise.clone() + fall.clone() - mean.clone() * 2.0;
        let below = mean.clone() + excess * between.clone();
        let above =
            (at.clone() * at.clone() * mean.clone() + rise.clone() * between.clone()) * height;
        let y = bottom + above / below.clone() + (x - within);
        let bend =
            fall * (at.clone() * at) + mean.clone() * between * 2.0 + rise * (rest.clone() * rest);
        let log_slope = (mean.log() - below.log()) * 2.0 + bend.log();
        (y.reshape(shape), log_slope.reshape(shape))
    }

    /// The `x` whose `y` is this, both `(batch, rows, columns)`.
    #[must_use]
    pub fn inverse(&self, y: Tensor<3>) -> Tensor<3> {
        let shape = y.dims();
        let y = y.unsqueeze_dim::<4>(3);
        let within = y.clone().clamp(-BOUND, BOUND);
        let Piece { left, width, bottom, height, slopes: [rise, fall] } =
            self.piece(self.up.choose(within.clone()));
        let mean = height.clone() / width.clone();
        let over = (within.clone() - bottom).clamp_min(0.0);
        let bent = over.clone() * (rise.clone() + fall - mean.clone() * 2.0);
        // a·ξ² + b·ξ + c = 0, and of its roots the one between 0 and 1, in the form that does not
        // cancel.
        let a = height.clone() * (mean.clone() - rise.clone()) + bent.clone();
        let b = height * rise - bent;
        let c = mean * over * -1.0;
        let root = (b.clone() * b.clone() - a * c.clone() * 4.0).clamp_min(0.0).sqrt();
        let at = (c * -2.0 / (b + root).clamp_min(f32::MIN_POSITIVE)).clamp(0.0, 1.0);
        (left + at * width + (y - within)).reshape(shape)
    }

    /// The piece of the bin at which `chosen` `(batch, rows, columns, bins)` is 1.
    fn piece(&self, chosen: Tensor<4>) -> Piece {
        let of = |all: &Tensor<4>| (all.clone() * chosen.clone()).sum_dim(3);
        Piece {
            left: of(&self.across.start),
            width: of(&self.across.length),
            bottom: of(&self.up.start),
            height: of(&self.up.length),
            slopes: [of(&self.slopes[0]), of(&self.slopes[1])],
        }
    }
}

impl Bins {
    fn new(shares: Tensor<4>) -> Self {
        let [batch, rows, columns, bins] = shares.dims();
        let free = 1.0 - LEAST_SHARE * bins as f32;
        let length = (softmax(shares, 3) * free + LEAST_SHARE) * (2.0 * BOUND);
        let mut end = length.clone();
        let mut step = 1;
        while step < bins {
            let part = |from, to| end.clone().slice([0..batch, 0..rows, 0..columns, from..to]);
            end = Tensor::cat(vec![part(0, step), part(step, bins) + part(0, bins - step)], 3);
            step *= 2;
        }
        Self { start: end - length.clone() - BOUND, length }
    }

    /// 1 at the bin of each number `(batch, rows, columns, 1)`, 0 elsewhere.
    fn choose(&self, x: Tensor<4>) -> Tensor<4> {
        let [batch, rows, columns, bins] = self.start.dims();
        let inner = self.start.clone().slice([0..batch, 0..rows, 0..columns, 1..bins]);
        // A step has no slope, whatever a ramp has.
        let beyond = ((x - inner) * STEEP).clamp(0.0, 1.0).detach();
        let part = |from, to| beyond.clone().slice([0..batch, 0..rows, 0..columns, from..to]);
        let mut pieces = vec![part(0, 1) * -1.0 + 1.0];
        if bins > 2 {
            pieces.push(part(0, bins - 2) - part(1, bins - 1));
        }
        pieces.push(part(bins - 2, bins - 1));
        Tensor::cat(pieces, 3)
    }
}
