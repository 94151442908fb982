//! What an observed window would be without noise.

use alloc::vec::Vec;

use mote_format::{Model, ValueId, manifest::Generator};

use super::{Ports, input, output, ports, schedule, show};
use crate::{
    execute::Instance,
    load::{LoadError, Loaded},
};

/// Takes the noise out of windows, one at a time. Memory is fixed when it is made.
///
/// A model of one evaluation with a latent space answers with the reconstruction at the mean of the
/// posterior, and needs not be told how much noise there is: it learned that. A model of many takes the
/// window for a state on its path, at the time at which there is so much noise, and answers with the
/// mean of all windows from which it may have come (Tweedie's formula).
#[derive(Clone, Debug)]
pub struct Denoiser<'m> {
    way: Way<'m>,
    shape: [usize; 2],
}

#[derive(Clone, Debug)]
enum Way<'m> {
    Reconstruct {
        complete: Instance<'m>,
        noise: ValueId,
        window: Ports,
    },
    Estimate {
        denoise: Instance<'m>,
        window: Ports,
        state: ValueId,
        time: ValueId,
        path: mote_format::manifest::Path,
        /// `(length, features)`: raw values are `offset + scale · standard ones`.
        offset: Vec<f32>,
        scale: Vec<f32>,
        /// `(length, features)`: what is answered.
        y: Vec<f32>,
    },
}

impl<'m> Denoiser<'m> {
    /// Loads what takes noise out in `model`.
    ///
    /// # Errors
    ///
    /// [`LoadError::NoProgram`] if it has no program for that, [`LoadError::Port`] if one does not have the
    /// ports that it needs.
    pub fn new(model: &'m Model<'m>) -> Result<Self, LoadError> {
        let shape = [model.manifest.window.length, model.manifest.schema.features()];
        let way = match model.manifest.generator {
            Some(Generator::Iterative { path, .. }) => {
                let denoise = Loaded::new(model, "denoise")?.instance();
                let mut restore = Loaded::new(model, "restore")?.instance();
                let program = denoise.program();
                let window = ports(program, "estimate", shape)?;
                let state = input(program, "state", Some(shape))?;
                let time = input(program, "time", Some([1, 1]))?;
                let from = input(restore.program(), "state", Some(shape))?;
                let to = output(restore.program(), "y", shape)?;
                // Standard units are a scale and an offset, which two windows tell.
                let mut restored = |value| {
                    restore.input(from).fill(value);
                    restore.run();
                    restore.output(to).to_vec()
                };
                let (offset, mut scale) = (restored(0.0), restored(1.0));
                scale.iter_mut().zip(&offset).for_each(|(one, zero)| *one -= zero);
                let y = offset.clone();
                Way::Estimate { denoise, window, state, time, path, offset, scale, y }
            }
            _ => {
                // Without a latent space there is no reconstruction.
                Loaded::new(model, "encode")?;
                let complete = Loaded::new(model, "complete")?.instance();
                let window = ports(complete.program(), "y", shape)?;
                let noise = input(complete.program(), "noise", None)?;
                Way::Reconstruct { complete, noise, window }
            }
        };
        Ok(Self { way, shape })
    }

    /// Samples and features of a window.
    #[must_use]
    pub fn shape(&self) -> [usize; 2] {
        self.shape
    }

    /// Whether it has to be told how much noise there is.
    #[must_use]
    pub fn needs_level(&self) -> bool {
        matches!(self.way, Way::Estimate { .. })
    }

    /// The window `x` `(length, features)` without noise, in raw units. `mask` says what of it was
    /// observed; one that needs a level wants values everywhere, and does not look at the mask.
    /// `level` is the standard deviation of the noise over that of the data, 0 or more.
    ///
    /// # Panics
    ///
    /// If a slice has another length.
    pub fn denoise(&mut self, x: &[f32], mask: &[f32], level: f32) -> &[f32] {
        let wanted = self.shape[0] * self.shape[1];
        assert_eq!([x.len(), mask.len()], [wanted; 2], "one window");
        match &mut self.way {
            Way::Reconstruct { complete, noise, window } => {
                show(complete, *window, x, mask);
                complete.input(*noise).fill(0.0);
                complete.run();
                complete.output(window.y)
            }
            Way::Estimate { denoise, window, state, time, path, offset, scale, y } => {
                let (at, signal) = schedule::moment_of(*path, level);
                // Nothing is known without noise.
                denoise.input(window.x).fill(0.0);
                denoise.input(window.mask).fill(0.0);
                let standard = x.iter().zip(offset.iter().zip(scale.iter()));
                let standard = standard.map(|(x, (offset, scale))| (x - offset) / scale);
                for (to, x) in denoise.input(*state).iter_mut().zip(standard) {
                    *to = signal * x;
                }
                denoise.input(*time).fill(at);
                denoise.run();
                let estimates = denoise.output(window.y).iter().zip(offset.iter().zip(&*scale));
                for (y, (estimate, (offset, scale))) in y.iter_mut().zip(estimates) {
                    *y = offset + scale * estimate;
                }
                y
            }
        }
    }
}
