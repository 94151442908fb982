//! Progress bars of a training, on standard error and only where a person watches.

use indicatif::{ProgressBar, ProgressStyle};
use mote::training::{Outline, Report, Stage};
use mote_learn::train::Progress;

/// Shows the course of trainings.
pub(super) struct Bar {
    bar: ProgressBar,
    validation: f64,
}

impl Bar {
    pub(super) fn new() -> Self {
        Self { bar: ProgressBar::hidden(), validation: f64::NAN }
    }

    pub(super) fn show(&mut self, report: &Report<'_>) {
        match report {
            Report::Begin(outline) => self.begin(outline),
            Report::Progress(Progress::Step { step, loss, .. }) => {
                if step % 10 == 0 {
                    self.bar.set_position(*step);
                    self.bar.set_message(self.losses(*loss));
                }
            }
            Report::Progress(Progress::Look { look, .. }) => self.validation = look.validation,
        }
    }

    fn begin(&mut self, outline: &Outline) {
        self.bar.finish_and_clear();
        match outline.stage {
            Stage::First => {}
            Stage::Repair => eprintln!(
                "The latent space collapsed: training again with free bits and longer annealing."
            ),
            Stage::Distillation => eprintln!("Teaching it to generate in few evaluations."),
        }
        eprintln!(
            "Learning {} numbers from {} windows of {} samples ({} held back).",
            outline.parameters,
            outline.training_windows,
            outline.window.length,
            outline.validation_windows
        );
        let style = "{spinner} {bar:30} step {pos}/{len}  {msg}  {per_sec}, {eta} left";
        self.bar = ProgressBar::new(outline.steps);
        self.bar.set_style(ProgressStyle::with_template(style).expect("the template is constant"));
    }

    fn losses(&self, loss: f64) -> String {
        if self.validation.is_nan() {
            format!("loss {loss:.3}")
        } else {
            format!("loss {loss:.3}, held back {:.3} nats", self.validation)
        }
    }

    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
