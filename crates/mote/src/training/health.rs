//! Signs that a training went wrong, in words, and what helps.
//!
//! Windows that the model draws are compared with as many that it was trained on, and both with held-back
//! ones, so that what has changed since training is not held against the model.

use std::ops::ControlFlow;

use mote_data::{Runs, Windows as Cuts, windows::Cut};
use mote_eval::{Posterior, Verdict, Windows, generation::support, quantile};
use mote_format::{
    Kind, Model, Schema,
    manifest::{Generator, Manifest},
};
use serde::{Deserialize, Serialize};

use crate::{
    Error,
    completion::{Asking, generate},
};

/// Something that should not be so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sign {
    /// What it is called.
    pub name: String,
    /// What was measured.
    pub measured: f64,
    /// Where that stops being healthy.
    pub limit: f64,
    /// What was found, in a sentence.
    pub words: String,
    /// What helps, in a sentence.
    pub repair: String,
}

/// How windows that a model draws lie among held-back ones, beside as many that it was trained on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resemblance {
    /// Share of drawn windows that lie among held-back ones.
    pub precision: f64,
    /// Share of held-back windows that a drawn one lies near.
    pub coverage: f64,
    /// Both, of training windows: what can be hoped for.
    pub training: [f64; 2],
}

impl Resemblance {
    /// What was found, in a sentence.
    #[must_use]
    pub fn explanation(&self) -> String {
        let [precision, coverage, best_precision, best_coverage] =
            [self.precision, self.coverage, self.training[0], self.training[1]].map(percent);
        format!(
            "{precision:.0} % lie among held-back ones, which are reached to {coverage:.0} % (of as many \
             training windows: {best_precision:.0} % and {best_coverage:.0} %)"
        )
    }
}

fn percent(share: f64) -> f64 {
    100.0 * share
}

/// Windows of each kind that are compared, and as many where a window takes many evaluations.
const COMPARED: usize = 256;
const COMPARED_SLOWLY: usize = 96;
/// Neighbours that make the ball of a window; see [`support`].
const NEIGHBOURS: usize = 5;
/// Below this share of what training windows reach, a sign is told: a model that learned little reaches
/// half of it, one that collapsed a tenth.
const LEAST: f64 = 0.35;
/// Where not even this share of training windows lies among held-back ones, the data has moved on, and
/// that drawn windows do not either says nothing.
const TELLING: f64 = 0.2;
/// What lies beyond these quantiles is rare.
const TAILS: [f64; 2] = [0.01, 0.99];
/// Words that are rarer in the data may be missing from some hundred draws by chance.
const RARE_WORD: f64 = 0.005;

/// The sign of a latent space that says nothing, if it does.
#[must_use]
pub fn of_posterior(posterior: &Posterior) -> Option<Sign> {
    (posterior.verdict == Verdict::Collapsed).then(|| Sign {
        name: "posterior collapse".into(),
        measured: posterior.active as f64,
        limit: 1.0,
        words: posterior.explanation(),
        repair: "It was trained once more with free bits; if that did not help, the windows may hold nothing \
                 that goes beyond the mean: try longer ones, or another family."
            .into(),
    })
}

/// How the windows that a model draws resemble the data, and what speaks against them; nothing where there
/// are too few to compare.
///
/// # Errors
///
/// Those of drawing windows.
pub fn of_draws(
    model: &Model<'_>,
    train: &Runs,
    held: &Runs,
) -> Result<(Option<Resemblance>, Vec<Sign>), Error> {
    let manifest: &Manifest = &model.manifest;
    let wanted = match manifest.generator {
        Some(Generator::Iterative { evaluations, .. }) if evaluations > 20 => COMPARED_SLOWLY,
        _ => COMPARED,
    };
    let cut = Cut::new(manifest.window.length);
    let (Ok(train), Ok(held)) = (Cuts::new(train, cut), Cuts::new(held, cut)) else {
        return Ok((None, Vec::new()));
    };
    let count = wanted.min(train.len()).min(held.len());
    if count < 2 * NEIGHBOURS {
        return Ok((None, Vec::new()));
    }
    let asking = Asking { seed: manifest.lineage.seed, ..Default::default() };
    let drawn = generate(model, count, &[], asking, |_| ControlFlow::Continue(()))?;
    let some = |cuts: &Cuts<'_>| -> Vec<f32> {
        (0..count).flat_map(|i| cuts.get(i * cuts.len() / count).values.to_vec()).collect()
    };
    Ok(compare(&manifest.schema, manifest.window.length, [&some(&held), &some(&train), &drawn]))
}

/// Compares held-back windows, training windows and drawn ones, as many of each, in raw units.
fn compare(
    schema: &Schema,
    length: usize,
    [held, train, drawn]: [&[f32]; 3],
) -> (Option<Resemblance>, Vec<Sign>) {
    let features = schema.features();
    let scale = deviations(train, features);
    let scaled = |x: &[f32]| -> Vec<f32> {
        x.iter().enumerate().map(|(i, v)| v / scale[i % features]).collect()
    };
    let [held_windows, train_windows, drawn_windows] = [held, train, drawn].map(scaled);
    let reached = |x: &[f32]| {
        let held = Windows::new(&held_windows, length, features)?;
        support(held, Windows::new(x, length, features)?, NEIGHBOURS)
    };
    let (mut resemblance, mut signs) = (None, Vec::new());
    if let (Ok(reference), Ok(found)) = (reached(&train_windows), reached(&drawn_windows)) {
        resemblance = Some(Resemblance {
            precision: found.precision,
            coverage: found.coverage,
            training: [reference.precision, reference.coverage],
        });
        let [telling, reachable] =
            [reference.precision, reference.coverage].map(|share| share >= TELLING);
        if telling && found.precision < LEAST * reference.precision {
            signs.push(Sign {
                name: "unlike the data".into(),
                measured: found.precision,
                limit: LEAST * reference.precision,
                words: format!(
                    "{:.0} % of the drawn windows lie among held-back ones, of as many training windows {:.0} %.",
                    percent(found.precision),
                    percent(reference.precision)
                ),
                repair: "Train longer (--steps), or take the family that measured best (`mote advise --for \
                         generate`)."
                    .into(),
            });
        } else if telling && reachable && found.coverage < LEAST * reference.coverage {
            signs.push(Sign {
                name: "mode collapse".into(),
                measured: found.coverage,
                limit: LEAST * reference.coverage,
                words: format!(
                    "The drawn windows are near {:.0} % of the held-back ones, as many training windows are near \
                     {:.0} %: some kinds are never drawn.",
                    percent(found.coverage),
                    percent(reference.coverage)
                ),
                repair: "Of a GAN, raise the penalty of the critic's slope or train longer; diffusion and \
                         flows do not have it."
                    .into(),
            });
        }
    }
    signs.extend(rare(schema, train, drawn));
    (resemblance, signs)
}

/// Values in the tails, and words, that the data has and the draws do not.
fn rare(schema: &Schema, train: &[f32], drawn: &[f32]) -> Option<Sign> {
    let features = schema.features();
    let column = |x: &[f32], f: usize| -> Vec<f64> {
        x.iter().skip(f).step_by(features).map(|&v| f64::from(v)).collect()
    };
    let (mut tails, mut never, mut first) = (Vec::new(), Vec::new(), 0);
    for c in &schema.columns {
        match &c.kind {
            Kind::Numeric => {
                let mut known = column(train, first);
                known.sort_unstable_by(f64::total_cmp);
                let ends = TAILS.map(|q| quantile(&known, q).unwrap_or(f64::NAN));
                let beyond = |x: &[f64]| {
                    x.iter().filter(|v| **v < ends[0] || **v > ends[1]).count() as f64
                        / x.len() as f64
                };
                let usual = beyond(&known);
                if usual > 0.0 {
                    tails.push(beyond(&column(drawn, first)) / usual);
                }
            }
            Kind::Categorical { levels } => {
                for (i, level) in levels.iter().enumerate() {
                    let share = |x: &[f32]| {
                        let taken = column(x, first + i);
                        taken.iter().sum::<f64>() / taken.len() as f64
                    };
                    if share(train) >= RARE_WORD && share(drawn) == 0.0 {
                        never.push(format!("{}={level}", c.name));
                    }
                }
            }
        }
        first += c.kind.features();
    }
    let tail = mote_eval::median(&tails).unwrap_or(1.0);
    if tail >= LEAST && never.is_empty() {
        return None;
    }
    let mut words = Vec::new();
    if tail < LEAST {
        words.push(format!(
            "values beyond the 1st and 99th percentile are drawn {:.0} % as often as they occur",
            100.0 * tail
        ));
    }
    if !never.is_empty() {
        words.push(format!("never drawn: {}", never.join(", ")));
    }
    Some(Sign {
        name: "rare events are missing".into(),
        measured: tail,
        limit: LEAST,
        words: format!("Of what is rare: {}.", words.join("; ")),
        repair: "Draw them on purpose with `mote generate --given COLUMN=WORD`, or train on more of them.".into(),
    })
}

/// The standard deviation of each feature, and 1 where it does not vary.
fn deviations(x: &[f32], features: usize) -> Vec<f32> {
    let rows = (x.len() / features) as f32;
    let of = |f: usize| x.iter().skip(f).step_by(features);
    (0..features)
        .map(|f| {
            let mean = of(f).sum::<f32>() / rows;
            let variance = of(f).map(|v| (v - mean).powi(2)).sum::<f32>() / rows;
            if variance > 0.0 { variance.sqrt() } else { 1.0 }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use mote_format::Column;
    use mote_learn::random::{Purpose, Random};

    use super::*;

    const LENGTH: usize = 4;
    const COUNT: usize = 200;

    fn schema() -> Schema {
        let levels = vec!["off".into(), "on".into()];
        let columns = vec![
            Column { name: "level".into(), kind: Kind::Numeric },
            Column { name: "valve".into(), kind: Kind::Categorical { levels } },
        ];
        Schema { columns, period_s: None }
    }

    /// Windows at one of `modes` places, with `noise`; the valve is on at the first place.
    fn windows(modes: std::ops::Range<usize>, noise: f32, seed: u64) -> Vec<f32> {
        let mut rng = Random::new(seed, Purpose::Noise, 0);
        let mut all = Vec::new();
        for i in 0..COUNT {
            let mode = modes.start + i % modes.len();
            for _ in 0..LENGTH {
                let on = if mode == 0 { 1.0 } else { 0.0 };
                all.extend([10.0 * mode as f32 + noise * rng.normal(1)[0], 1.0 - on, on]);
            }
        }
        all
    }

    fn signs(drawn: &[f32]) -> Vec<String> {
        let (resemblance, found) =
            compare(&schema(), LENGTH, [&windows(0..8, 1.0, 1), &windows(0..8, 1.0, 2), drawn]);
        assert!(resemblance.is_some_and(|r| r.training.iter().all(|share| *share > 0.8)));
        assert!(
            found.iter().all(|s| s.measured < s.limit || s.words.contains("never")),
            "{found:?}"
        );
        found.into_iter().map(|s| s.name).collect()
    }

    #[test]
    fn a_healthy_model_shows_none() {
        assert_eq!(signs(&windows(0..8, 1.0, 3)), [""; 0]);
        assert_eq!(signs(&windows(0..8, 1.2, 4)), [""; 0]);
    }

    #[test]
    fn data_that_has_moved_on_says_nothing_of_the_draws() {
        let (found, signs) = compare(
            &schema(),
            LENGTH,
            [&windows(20..28, 1.0, 1), &windows(1..8, 1.0, 2), &windows(1..8, 1.0, 3)],
        );
        assert!(found.is_some_and(|r| r.training[0] < TELLING));
        assert_eq!(signs, []);
    }

    #[test]
    fn few_kinds_are_a_collapse() {
        let found = signs(&windows(0..2, 1.0, 3));
        assert!(found.contains(&"mode collapse".into()), "{found:?}");
    }

    #[test]
    fn windows_between_those_of_the_data_are_unlike_it() {
        let blurred: Vec<f32> = windows(0..8, 40.0, 3);
        assert!(signs(&blurred).contains(&"unlike the data".into()));
    }

    #[test]
    fn what_is_rare_is_missed() {
        // The valve is never on.
        let (_, found) = compare(
            &schema(),
            LENGTH,
            [&windows(0..8, 1.0, 1), &windows(0..8, 1.0, 2), &windows(1..8, 1.0, 3)],
        );
        let sign = found.iter().find(|s| s.name == "rare events are missing").expect("it is told");
        assert!(sign.words.contains("valve=on"), "{}", sign.words);
        // The lowest and the highest values are cut off.
        let tame: Vec<f32> = windows(0..8, 0.2, 3);
        assert!(signs(&tame).contains(&"rare events are missing".into()));
    }
}
