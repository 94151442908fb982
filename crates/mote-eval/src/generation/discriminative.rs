//! The discriminative score of TimeGAN: can a small recurrent network tell generated from real?

use std::ops::ControlFlow;

use serde::Serialize;

use super::{
    JudgeConfig, Progress,
    judge::{Judge, Task},
    train,
};
use crate::{Result, Windows, input, random::SplitMix};

/// Windows that are judged at a time.
const CHUNK: usize = 256;

/// Outcome of [`discriminative_score`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Discriminative {
    /// `|½ − accuracy|`: 0 where the network guesses, ½ where it is always right.
    pub score: f64,
    /// Share of held-back windows, real and generated, that it took for what they are.
    pub accuracy: f64,
    /// The same of the real ones.
    pub real_accuracy: f64,
    /// The same of the generated ones.
    pub generated_accuracy: f64,
    /// Held-back windows that were judged.
    pub judged: usize,
    /// Standard error of the score for these windows and this network, `√(a (1 − a) / judged)`.
    /// What another seed would do to the network comes on top.
    pub standard_error: f64,
    /// Loss of the last batch: the sum of two cross entropies, `2 ln 2` for a guess.
    pub loss: f64,
}

/// Trains a GRU to tell real windows (label 1) from generated ones (0) on four fifths of either, and
/// counts how often it is right on the rest (Yoon, Jarrett and van der Schaar, *Time-series
/// Generative Adversarial Networks*, 2019; `metrics/discriminative_metrics.py`).
///
/// A random permutation of each set is cut at `⌊0.8 n⌋`. Each iteration draws a batch of each
/// without replacement (all of them where there are fewer), and takes a step of Adam at 1e-3 on the
/// sum of the two mean cross entropies of a logit that is linear in the last state. A window counts
/// as real if its probability is above ½. `observe` is told of each iteration and may end it.
///
/// **Where published implementations differ.** Batches of 128 here as in TimeGAN and Diffusion-TS;
/// GenTS takes 32. The GRU is PyTorch's, as in GenTS, with the reset gate after the product and
/// weights uniform within `±1/√hidden`; TimeGAN's first version and Diffusion-TS use TensorFlow 1,
/// with the reset gate before it, Glorot weights and gate biases of 1, and TimeGAN's present version
/// Keras, whose equations depend on its version. One feature: see
/// [`hidden_units`](super::hidden_units). With sets of unequal size the accuracy is that of all
/// windows, as published, so that guessing the larger set pays: pass equally many.
///
/// **Where the protocol is shaky.** A score after 2,000 iterations measures how fast the network
/// learns as well as what there is to learn: more iterations, or wider networks, raise it. The test
/// set is small, so scores below twice [`Discriminative::standard_error`] are noise, and only the
/// mean over five or more seeds is worth reporting. Windows that overlap sit on both sides of the
/// split. And it is near 0 for a model that repeats its training windows: report
/// [`memorization`](super::memorization()) beside it.
///
/// The same seed gives the same score, on every machine.
///
/// # Errors
///
/// Sets of different shape or of fewer than five windows, a setting of zero, or a stop by the
/// observer.
pub fn discriminative_score(
    real: Windows<'_>,
    generated: Windows<'_>,
    config: JudgeConfig,
    seed: u64,
    observe: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Discriminative> {
    real.same_shape(&generated)?;
    input::at_least("real windows", real.count(), 5)?;
    input::at_least("generated windows", generated.count(), 5)?;
    let hidden = config.units(real.features())?;
    let mut rng = SplitMix::new(seed);
    let mut judge = Judge::new(real.features(), hidden, Task::TellApart, &mut rng);
    let (mut train_real, test_real) = divide(real.count(), &mut rng);
    let (mut train_generated, test_generated) = divide(generated.count(), &mut rng);

    let counts = [&train_real, &train_generated].map(|set| set.len().min(config.batch));
    let mut batch = judge.batch(real.length(), counts[0] + counts[1]);
    batch.targets[..counts[0]].fill(1.0);
    let loss = train(config.iterations, observe, || {
        rng.choose(&mut train_real, counts[0]);
        rng.choose(&mut train_generated, counts[1]);
        batch.gather(real, &train_real[..counts[0]], 0);
        batch.gather(generated, &train_generated[..counts[1]], counts[0]);
        judge.step(&mut batch)
    })?;

    let real_right = taken_for_real(&judge, real, &test_real);
    let generated_right = test_generated.len() - taken_for_real(&judge, generated, &test_generated);
    let judged = test_real.len() + test_generated.len();
    let accuracy = (real_right + generated_right) as f64 / judged as f64;
    Ok(Discriminative {
        score: (0.5 - accuracy).abs(),
        accuracy,
        real_accuracy: real_right as f64 / test_real.len() as f64,
        generated_accuracy: generated_right as f64 / test_generated.len() as f64,
        judged,
        standard_error: (accuracy * (1.0 - accuracy) / judged as f64).sqrt(),
        loss,
    })
}

/// Indices to train on and to judge by.
fn divide(count: usize, rng: &mut SplitMix) -> (Vec<usize>, Vec<usize>) {
    let mut train = rng.order(count);
    let test = train.split_off(count * 4 / 5);
    (train, test)
}

fn taken_for_real(judge: &Judge, windows: Windows<'_>, chosen: &[usize]) -> usize {
    let judged = chosen.chunks(CHUNK).map(|chosen| {
        let mut batch = judge.batch(windows.length(), chosen.len());
        batch.gather(windows, chosen, 0);
        judge.answer(&mut batch).filter(|(logit, _)| *logit > 0.0).count()
    });
    judged.sum()
}
