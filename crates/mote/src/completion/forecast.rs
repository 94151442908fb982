//! What comes next: a stretch whose past is known, and whose future is not.

use mote_format::Model;

use super::{
    Asking,
    draw::{Drawer, Known, Passes},
};
use crate::Error;

/// Draws futures from the newest samples.
#[derive(Debug)]
pub struct Forecaster<'m> {
    drawer: Drawer<'m>,
    passes: Passes,
    horizon: usize,
    /// `(context + horizon, features)`
    values: Vec<f32>,
    mask: Vec<f32>,
}

/// Numbers of a forecast in all draws, at most: 64 MB.
const MOST: usize = 1 << 24;

impl<'m> Forecaster<'m> {
    /// Of `horizon` samples. At least half of each window is past, and no more than that of it is
    /// future: a longer horizon takes several windows, each of which goes on from what was drawn.
    ///
    /// # Errors
    ///
    /// As [`Drawer::new`]; [`Error::Usage`] for windows of one sample, no
    /// draw, no horizon, or one of more than 2²⁴ numbers in all draws.
    pub fn new(
        model: &'m Model<'m>,
        horizon: usize,
        draws: usize,
        asking: Asking,
    ) -> Result<Self, Error> {
        let drawer = Drawer::new(model, draws, asking)?;
        let [length, features] = drawer.shape();
        if horizon == 0 || length < 2 {
            return Err(Error::Usage(format!(
                "wanted a horizon of at least 1 and windows of at least 2 samples, found {horizon} and {length}"
            )));
        }
        if horizon.saturating_mul(draws).saturating_mul(features) > MOST {
            return Err(Error::Usage(format!(
                "wanted a forecast of at most {MOST} numbers, found {horizon} samples of {features} in {draws} draws: \
                 a nearer horizon or fewer draws"
            )));
        }
        // As few windows as there can be, and all of the same step.
        let windows = horizon.div_ceil(length / 2);
        let step = horizon.div_ceil(windows);
        let passes = Passes { length, step, margin: 0 };
        let zeros = vec![0.0; (length - step + horizon) * features];
        Ok(Self { drawer, passes, horizon, values: zeros.clone(), mask: zeros })
    }

    /// Samples of the past that it looks at.
    #[must_use]
    pub fn context(&self) -> usize {
        self.passes.length - self.passes.step
    }

    /// Samples of the future that it draws.
    #[must_use]
    pub fn horizon(&self) -> usize {
        self.horizon
    }

    /// Draws of each future.
    #[must_use]
    pub fn draws(&self) -> usize {
        self.drawer.draws()
    }

    /// Draws futures `(draws, horizon, features)` of a past, of which the newest [`Self::context`]
    /// samples count. `place` decides the random numbers, so that one past has one answer.
    ///
    /// # Panics
    ///
    /// If the past is shorter than that.
    pub fn draw(&mut self, past: Known<'_>, place: u64) -> Vec<f32> {
        let [_, features] = self.drawer.shape();
        let n = self.context() * features;
        let newest = |x: &[f32]| x.len().checked_sub(n).expect("a past as long as the context");
        self.values[..n].copy_from_slice(&past.values[newest(past.values)..]);
        self.mask[..n].copy_from_slice(&past.mask[newest(past.mask)..]);
        let width = self.horizon * features;
        let mut futures = vec![0.0; self.draws() * width];
        let known = Known { values: &self.values, mask: &self.mask };
        let mut noise = self.drawer.noise(place);
        let context = n / features;
        self.drawer.complete(known, self.passes, &mut noise, |range, drawn| {
            let from = range.start.max(context);
            let rows = (range.end - from) * features;
            let all = range.len() * features;
            for (future, drawn) in futures.chunks_exact_mut(width).zip(drawn.chunks_exact(all)) {
                future[(from - context) * features..][..rows].copy_from_slice(&drawn[all - rows..]);
            }
        });
        futures
    }
}
