//! The predictive score of TimeGAN: train on generated windows, test on real ones.

use std::ops::ControlFlow;

use serde::Serialize;

use super::{
    JudgeConfig, Progress,
    judge::{Judge, Task},
    train,
};
use crate::{Error, Result, Windows, input, random::SplitMix};

/// Windows that are predicted at a time.
const CHUNK: usize = 256;

/// Outcome of [`predictive_score`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Predictive {
    /// Mean absolute error on the real windows, in the units of the last feature.
    pub score: f64,
    /// Mean absolute error of the last batch of generated windows. Far below the score, the network
    /// learned what real windows do not have.
    pub loss: f64,
}

/// Trains a GRU on generated windows to predict, from the other features up to a step, the last
/// feature one step later, and measures its mean absolute error on all real windows (Yoon, Jarrett
/// and van der Schaar, 2019; `metrics/predictive_metrics.py`).
///
/// Each iteration takes a step of Adam at 1e-3 on the mean absolute error of a batch, drawn without
/// replacement. The answer is a sigmoid of a linear function of the state, so values have to be in
/// min-max units: outside of `[0, 1]` nothing can be predicted. `observe` is told of each iteration
/// and may end it.
///
/// **Where published implementations differ.** TimeGAN, Diffusion-TS and GenTS agree on all of the
/// above but for the equations of the GRU, see
/// [`discriminative_score`](super::discriminative_score). All of them divide by zero features where
/// there is only one; there we predict it from its own past, with
/// [16 units](super::hidden_units), which no published number does. Some papers predict all features
/// from all (TimeGAN's own text reads so); their numbers are not comparable.
///
/// **Where the protocol is shaky.** The last feature is an accident of the order of columns. What it
/// measures has a floor, the score of real windows themselves, that is rarely far below any model's:
/// always compute that too, and compare differences. A model that repeats its training windows
/// reaches the floor.
///
/// The same seed gives the same score, on every machine.
///
/// # Errors
///
/// Sets of different shape, windows of one sample, a value outside of `[0, 1]` in the last feature of
/// the real windows by more than half, a setting of zero, or a stop by the observer.
pub fn predictive_score(
    real: Windows<'_>,
    generated: Windows<'_>,
    config: JudgeConfig,
    seed: u64,
    observe: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Predictive> {
    real.same_shape(&generated)?;
    input::at_least("samples in a window", real.length(), 2)?;
    in_unit_range(real)?;
    let features = real.features();
    let hidden = config.units(features)?;
    let (inputs, time) = ((features - 1).max(1), real.length() - 1);
    let mut rng = SplitMix::new(seed);
    let mut judge = Judge::new(inputs, hidden, Task::Predict, &mut rng);

    let mut order: Vec<usize> = (0..generated.count()).collect();
    let count = order.len().min(config.batch);
    let mut batch = judge.batch(time, count);
    let loss = train(config.iterations, observe, || {
        rng.choose(&mut order, count);
        batch.gather(generated, &order[..count], 0);
        batch.aim_at_next(generated, &order[..count]);
        judge.step(&mut batch)
    })?;

    let all: Vec<usize> = (0..real.count()).collect();
    let errors = all.chunks(CHUNK).map(|chosen| {
        let mut batch = judge.batch(time, chosen.len());
        batch.gather(real, chosen, 0);
        batch.aim_at_next(real, chosen);
        judge.answer(&mut batch).map(|(y, target)| f64::from((y - target).abs())).sum::<f64>()
    });
    Ok(Predictive { score: errors.sum::<f64>() / (real.count() * time) as f64, loss })
}

/// Refuses units in which a sigmoid cannot answer; a little beyond the range is what min-max scaling
/// by other data gives.
fn in_unit_range(real: Windows<'_>) -> Result<()> {
    let last = real.features() - 1;
    let values = real.data().iter().enumerate().skip(last).step_by(real.features());
    for (index, &value) in values {
        if !(-0.5..=1.5).contains(&value) {
            let wanted = "min-max units, a value from 0 to 1";
            return Err(Error::BadValue { what: "real", index, value: f64::from(value), wanted });
        }
    }
    Ok(())
}
