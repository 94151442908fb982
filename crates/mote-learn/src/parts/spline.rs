//! Monotone rational-quadratic splines (Gregory and Delbourgo 1982; for flows Durkan et al. 2019, arXiv
//! 1906.04032), forwards, backwards, and how fast they rise.
//!
//! The bin that a number falls into is chosen by steps that are products of a steep ramp, so that a
//! spline is made of operations that programs have.

use burn::tensor::{Tensor, activation::tanh};

use super::categorical::STEEP;

/// From `-BOUND` to `BOUND` splines bend; beyond, they are the identity.
const BOUND: f32 = 5.0;
/// The least share that a bin has of that: narrower ones would not invert in single precision.
const LEAST_SHARE: f32 = 1e-2;
/// Slopes at knots stay within `e^±`this, for the same reason.
const LOG_SLOPE: f32 = 2.5;

/// A spline on `bins` bins for each of some numbers. These lie along the last axis: so what is done to a bin is
/// done to that of many numbers at once, however few bins there are.
#[derive(Clone, Debug)]
pub struct Spline {
    /// The lengths of the bins along either axis, `(batch, bins, numbers)`.
    across: Tensor<3>,
    up: Tensor<3>,
    /// Slopes at the knots between bins, `(batch, bins - 1, numbers)`; at both ends it is 1.
    slopes: Tensor<3>,
}

/// What of a spline bears on each number, `(batch, 1, numbers)` each.
struct Piece {
    left: Tensor<3>,
    width: Tensor<3>,
    bottom: Tensor<3>,
    height: Tensor<3>,
    slopes: [Tensor<3>; 2],
}

impl Spline {
    /// Numbers that decide a spline on so many bins; all zero, they say the identity.
    #[must_use]
    pub const fn parameters(bins: usize) -> usize {
        3 * bins - 1
    }

    /// The splines that `(batch, parameters, numbers)` decide.
    ///
    /// # Panics
    ///
    /// If there are fewer than two bins, or another number of parameters.
    #[must_use]
    pub fn new(parameters: Tensor<3>, bins: usize) -> Self {
        let [_, n, _] = parameters.dims();
        assert!(bins > 1, "a spline needs a knot to bend at");
        assert_eq!(n, Self::parameters(bins), "parameters of a spline on {bins} bins");
        let part = |from, to| part(&parameters, from, to);
        let free = 1.0 - LEAST_SHARE * bins as f32;
        let lengths = |weights| (shares(weights) * free + LEAST_SHARE) * (2.0 * BOUND);
        Self {
            across: lengths(part(0, bins)),
            up: lengths(part(bins, 2 * bins)),
            slopes: (tanh(part(2 * bins, n) / LOG_SLOPE) * LOG_SLOPE).exp(),
        }
    }

    /// `y` of `x`, both `(batch, 1, numbers)`, and the logarithm of the slope there.
    #[must_use]
    pub fn forward(&self, x: Tensor<3>) -> (Tensor<3>, Tensor<3>) {
        let within = x.clone().clamp(-BOUND, BOUND);
        let Piece { left, width, bottom, height, slopes: [rise, fall] } =
            self.piece(beyond(&self.across, within.clone()));
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
        (y, log_slope)
    }

    /// The `x` whose `y` is this, both `(batch, 1, numbers)`.
    #[must_use]
    pub fn inverse(&self, y: Tensor<3>) -> Tensor<3> {
        let within = y.clone().clamp(-BOUND, BOUND);
        let Piece { left, width, bottom, height, slopes: [rise, fall] } =
            self.piece(beyond(&self.up, within.clone()));
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
        left + at * width + (y - within)
    }

    /// The pieces of numbers that lie `beyond` these knots, `(batch, bins - 1, numbers)`.
    fn piece(&self, beyond: Tensor<3>) -> Piece {
        let bins = beyond.dims()[1] + 1;
        let all = part(&beyond, 0, 1) * 0.0 + 1.0;
        // Bins that lie before the number, the one that it is in, and so the knots left and right of it.
        let before = Tensor::cat(vec![beyond.clone(), all.clone() * 0.0], 1);
        let chosen = Tensor::cat(vec![all, beyond], 1) - before.clone();
        let [first, left] = [part(&chosen, 0, 1), part(&chosen, 1, bins)];
        let [right, last] = [part(&chosen, 0, bins - 1), part(&chosen, bins - 1, bins)];
        let of = |all: &Tensor<3>, at: &Tensor<3>| (all.clone() * at.clone()).sum_dim(1);
        Piece {
            left: of(&self.across, &before) - BOUND,
            width: of(&self.across, &chosen),
            bottom: of(&self.up, &before) - BOUND,
            height: of(&self.up, &chosen),
            slopes: [of(&self.slopes, &left) + first, of(&self.slopes, &right) + last],
        }
    }
}

/// Shares of one along the middle axis, in proportion to `e^weights`.
fn shares(weights: Tensor<3>) -> Tensor<3> {
    // The gradient through the greatest cancels, so it need not be taken.
    let parts = (weights.clone() - weights.max_dim(1).detach()).exp();
    parts.clone() / parts.sum_dim(1)
}

/// 1 at each knot between bins of these `lengths` that numbers `(batch, 1, numbers)` lie beyond, 0 at the others. A step has
/// no slope, whatever a ramp has, so none is computed.
fn beyond(lengths: &Tensor<3>, x: Tensor<3>) -> Tensor<3> {
    let [_, bins, _] = lengths.dims();
    let knots = part(&lengths.clone().detach(), 0, bins - 1).cumsum(1);
    ((x.detach() - (knots - BOUND)) * STEEP).clamp(0.0, 1.0)
}

/// A part of the middle axis.
fn part(all: &Tensor<3>, from: usize, to: usize) -> Tensor<3> {
    let [batch, _, numbers] = all.dims();
    all.clone().slice([0..batch, from..to, 0..numbers])
}
