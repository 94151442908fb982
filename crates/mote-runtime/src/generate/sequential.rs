//! Sample by sample: each is drawn given those before it, which the states of the program remember.

use alloc::{vec, vec::Vec};

use mote_format::{Model, ValueId};

use super::{Ports, input, ports, show};
use crate::{
    load::{LoadError, Loaded},
    noise::Noise,
    step::Steps,
};

/// The program `next` with its states, for a batch of windows.
#[derive(Clone, Debug)]
pub(super) struct Sequential<'m> {
    next: Steps<'m>,
    sample: Ports,
    noise: ValueId,
    /// Length and features of a window.
    shape: [usize; 2],
    /// `(batch, length, features)`
    drawn: Vec<f32>,
    /// A sample of each window: what is known of it, and where; `(batch, features)` each.
    known: [Vec<f32>; 2],
}

impl<'m> Sequential<'m> {
    pub(super) fn new(
        model: &'m Model<'m>,
        shape: [usize; 2],
        batch: usize,
    ) -> Result<Self, LoadError> {
        let next = Loaded::new(model, "next")?.batch(batch);
        let [length, features] = shape;
        let sample = ports(next.program(), "y", [1, features])?;
        let noise = input(next.program(), "noise", None)?;
        let known = [vec![0.0; batch * features], vec![0.0; batch * features]];
        let drawn = vec![0.0; batch * length * features];
        Ok(Self { next: Steps::new(next), sample, noise, shape, drawn, known })
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let [x, mask] = &self.known;
        self.next.arena_bytes()
            + size_of_val(&*self.drawn)
            + size_of_val(&**x)
            + size_of_val(&**mask)
    }

    /// Draws windows from their first sample on; `x` and `mask` are `(batch, length, features)`.
    pub(super) fn run(&mut self, x: &[f32], mask: &[f32], noise: &mut Noise) -> &[f32] {
        let [length, features] = self.shape;
        self.next.reset();
        for t in 0..length {
            let [x_now, mask_now] = &mut self.known;
            for (now, all) in [(x_now, x), (mask_now, mask)] {
                for (i, row) in now.chunks_exact_mut(features).enumerate() {
                    row.copy_from_slice(&all[(i * length + t) * features..][..features]);
                }
            }
            let instance = self.next.instance();
            let [x_now, mask_now] = &self.known;
            show(instance, self.sample, x_now, mask_now);
            noise.fill(instance.input(self.noise));
            self.next.run();
            let rows = self.next.instance().output(self.sample.y).chunks_exact(features);
            for (i, row) in rows.enumerate() {
                self.drawn[(i * length + t) * features..][..features].copy_from_slice(row);
            }
        }
        &self.drawn
    }
}
