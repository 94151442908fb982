//! `Distilled`: a diffusion model that goes its whole way in a few long strides (progressive
//! distillation, Salimans and Ho 2022, arXiv 2202.00512, in one round).
//!
//! The teacher walks each stride in small steps; the student learns to arrive where the teacher does
//! in one. What it then says of a state is no longer the mean of all windows that may lie behind it,
//! but the one that this state becomes: so it is right at the times of its strides alone, and must be
//! asked at these.

use burn::{
    module::{Module, ModuleMapper, Param},
    tensor::Tensor,
};
use mote_format::manifest::{Generator, Solver};

use super::{Batch, Denoise, Density, Diffusion, Family, Generation, Objective};

/// Steps of the teacher in a stride. The error of its second order falls with the square of their
/// number: five strides come to twenty evaluations.
const STEPS: usize = 4;

/// A student and its teacher, who stays as it is.
#[derive(Module, Debug)]
pub struct Distilled {
    student: Diffusion,
    teacher: Diffusion,
    #[module(skip)]
    strides: usize,
}

impl Distilled {
    /// A student that begins as its teacher, for `strides` evaluations.
    ///
    /// # Panics
    ///
    /// If `strides` is zero.
    #[must_use]
    pub fn new(teacher: Diffusion, strides: usize) -> Self {
        assert!(strides > 0, "a way in no strides");
        Self { student: teacher.clone().map(&mut Renamed), teacher: teacher.no_grad(), strides }
    }

    /// Where the teacher comes to from `state` within a stride that begins at `time`.
    fn walk(
        &self,
        state: Tensor<3>,
        time: &Tensor<2>,
        known: &Tensor<3>,
        shown: &Tensor<3>,
    ) -> Tensor<3> {
        let step = 1.0 / (self.strides * STEPS) as f32;
        let (mut state, mut before) = (state, None);
        for i in 0..STEPS {
            let (now, next) =
                (time.clone() + step * i as f32, time.clone() + step * (i + 1) as f32);
            let (known, shown) = (known.clone(), shown.clone());
            let estimate = self.teacher.denoise(state.clone(), now.clone(), known, shown);
            let ahead = match before.replace(estimate.clone()) {
                Some(before) => estimate.clone() * 1.5 - before * 0.5,
                None => estimate,
            };
            state = self.teacher.advance(state, ahead, now, next);
        }
        state
    }
}

/// Gives parameters names of their own: those of a clone are its original's.
struct Renamed;

impl ModuleMapper for Renamed {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        Param::from_tensor(param.val().detach())
    }
}

impl Family for Distilled {
    fn noise_width(&self) -> usize {
        self.student.noise_width()
    }

    fn objective(&self, batch: Batch, _progress: f32) -> Objective {
        let Batch { x, mask, shown, noise } = batch;
        let (noise, drawn) = self.student.noise_and_time(noise);
        let uniform = (drawn * std::f32::consts::FRAC_1_SQRT_2).erf() * 0.5 + 0.5;
        let strides = self.strides as f32;
        let time = (uniform * strides).floor().clamp(0.0, strides - 1.0) / strides;
        let state = self.student.diffuse(x.clone(), noise, time.clone());
        let end = self.walk(state.clone(), &time, &x, &shown).detach();
        let next = time.clone() + 1.0 / strides;
        let wanted = self.student.estimate_between(state.clone(), end, time.clone(), next);
        let found = self.student.denoise(state, time.clone(), x, shown.clone());
        let error = (found - wanted) / self.student.open(time);
        // What was shown has not to be told.
        let asked = mask * (shown * -1.0 + 1.0);
        let loss = (error.clone() * error * asked.clone()).sum() / asked.sum().clamp_min(1.0);
        Objective { bound: loss.clone(), loss }
    }

    fn density(&self) -> Density<'_> {
        Density::Implicit
    }

    fn generation(&self) -> Generation<'_> {
        Generation::Iterative(self)
    }
}

impl Denoise for Distilled {
    fn denoise(
        &self,
        state: Tensor<3>,
        time: Tensor<2>,
        known: Tensor<3>,
        shown: Tensor<3>,
    ) -> Tensor<3> {
        self.student.denoise(state, time, known, shown)
    }

    fn generator(&self) -> Generator {
        let path = self.student.path();
        Generator::Iterative { path, solver: Solver::Distilled, evaluations: self.strides }
    }
}
