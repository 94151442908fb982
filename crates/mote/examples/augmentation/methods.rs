//! Ways to more training data than there is.

use std::{collections::HashMap, ops::ControlFlow};

use mote::{
    Error,
    completion::{Asking, generate},
    source::{Reading, Source},
    training::{Model, Recipe, Task, run},
};
use mote_data::{Record, Runs, Series, align::Rules, infer::Plan};
use mote_format::{Column, Kind, Schema};
use mote_learn::{
    baseline::Labelled,
    device::Device,
    random::{Purpose, Random},
};

use crate::sets::Set;

/// Real windows alone, what needs no model, and models; the last is both.
pub(crate) const METHODS: [&str; 9] = [
    "real",
    "oversampling",
    "jitter",
    "noise",
    "smote",
    "vae",
    "diffusion",
    "gan",
    "diffusion+noise",
];

/// What is done to a window each time that it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    /// Nothing.
    AsIs,
    /// Noise of a deviation up to that of the data, another for each window.
    Noise,
    /// A tenth of noise, and each feature a tenth larger or smaller.
    Jitter,
}

impl Show {
    pub(crate) fn disturb(self, window: &mut [f32], features: usize, rng: &mut Random) {
        let (noise, scale) = match self {
            Self::AsIs => return,
            Self::Noise => (rng.unit(), 0.0),
            Self::Jitter => (0.1, 0.1),
        };
        let scales: Vec<f32> = rng.normal(features).iter().map(|n| 1.0 + scale * n).collect();
        let added = rng.normal(window.len());
        for (i, (v, n)) in window.iter_mut().zip(added).enumerate() {
            *v = *v * scales[i % features] + noise * n;
        }
    }
}

/// Windows from which a model can learn something.
const ENOUGH: usize = 30;

/// Steps of a training at most: as many as `mote train` takes for the fewest windows, and half of what it
/// takes for hundreds of them, because there are dozens of trainings.
const STEPS: u64 = 1000;

/// Windows that models have drawn from the same real ones, by model and class.
pub(crate) type Drawn = HashMap<String, Vec<Vec<Vec<f32>>>>;

/// The windows that a classifier is trained on, and how they are shown; `None` where there are too few
/// for the method.
pub(crate) fn augment(
    set: &Set,
    real: &Labelled,
    method: &str,
    seed: u64,
    drawn: &mut Drawn,
) -> Result<Option<(Labelled, Show)>, Error> {
    let (name, show) = match method {
        "noise" => return Ok(Some((real.clone(), Show::Noise))),
        "jitter" => return Ok(Some((real.clone(), Show::Jitter))),
        "real" => return Ok(Some((real.clone(), Show::AsIs))),
        other => match other.strip_suffix("+noise") {
            Some(name) => (name, Show::Noise),
            None => (other, Show::AsIs),
        },
    };
    let made = match name {
        "oversampling" => {
            balanced(set, real, seed, &mut |_, own, rng| own[pick(own.len(), rng)].to_vec())
        }
        "smote" => balanced(set, real, seed, &mut |_, own, rng| between(own, rng)),
        model => {
            if real.classes.len() < ENOUGH {
                return Ok(None);
            }
            if !drawn.contains_key(model) {
                let (_, found) = Model::all()
                    .into_iter()
                    .find(|(name, _)| *name == model)
                    .unwrap_or_else(|| panic!("wanted one of {METHODS:?}, found {method}"));
                drawn.insert(model.into(), generated(set, real, found, seed)?);
            }
            let mut left = drawn[model].clone();
            balanced(set, real, seed, &mut |class, _, _| {
                left[class].pop().expect("as many as asked")
            })
        }
    };
    let mut all = real.clone();
    all.windows.extend(made.windows);
    all.classes.extend(made.classes);
    Ok(Some((all, show)))
}

/// How many windows of each class are made: so that all classes have as many as the largest, and then as
/// many again as there are real ones.
fn wanted(set: &Set, real: &Labelled) -> Vec<usize> {
    let count = |class| real.classes.iter().filter(|&&c| c == class).count();
    let counts: Vec<usize> = (0..set.classes.len()).map(count).collect();
    let largest = counts.iter().copied().max().unwrap_or(0);
    let again = real.classes.len().div_ceil(counts.iter().filter(|&&n| n > 0).count().max(1));
    counts.iter().map(|&n| if n == 0 { 0 } else { largest - n + again }).collect()
}

/// Makes a window of a class, given the real ones of it.
type Make<'m> = &'m mut dyn FnMut(usize, &[&[f32]], &mut Random) -> Vec<f32>;

fn balanced(set: &Set, real: &Labelled, seed: u64, make: Make<'_>) -> Labelled {
    let mut rng = Random::new(seed, Purpose::Noise, 1);
    let [length, features] = set.shape();
    let mut made = Labelled::default();
    for (class, count) in wanted(set, real).into_iter().enumerate() {
        let windows = real.windows.chunks_exact(length * features).zip(&real.classes);
        let own: Vec<&[f32]> = windows.filter(|(_, c)| **c == class).map(|(w, _)| w).collect();
        for _ in 0..count {
            made.windows.extend(make(class, &own, &mut rng));
            made.classes.push(class);
        }
    }
    made
}

fn pick(n: usize, rng: &mut Random) -> usize {
    ((rng.unit() * n as f32) as usize).min(n - 1)
}

/// A point between a window and one of its five nearest of the class (SMOTE, Chawla et al. 2002).
fn between(own: &[&[f32]], rng: &mut Random) -> Vec<f32> {
    let from = own[pick(own.len(), rng)];
    let distance = |w: &&[f32]| -> f32 { w.iter().zip(from).map(|(a, b)| (a - b).powi(2)).sum() };
    let mut near: Vec<&[f32]> = own.to_vec();
    near.sort_by(|a, b| distance(a).total_cmp(&distance(b)));
    let near = &near[..near.len().min(6)];
    let to = near[if near.len() > 1 { 1 + pick(near.len() - 1, rng) } else { 0 }];
    let share = rng.unit();
    from.iter().zip(to).map(|(a, b)| a + share * (b - a)).collect()
}

/// Windows of each class that a model draws, as many as are wanted.
fn generated(
    set: &Set,
    real: &Labelled,
    model: Model,
    seed: u64,
) -> Result<Vec<Vec<Vec<f32>>>, Error> {
    let source = source(set, real);
    let mut reading = Reading::default();
    reading.dataset.split.validation = 0.1;
    let mut recipe = Recipe::for_tasks(reading, &source, model, &[Task::Generate])?;
    recipe.window = Some(set.shape()[0]);
    recipe.train.seed = seed;
    recipe.train.steps = recipe.train.steps.min(STEPS);
    let finished =
        run(&source, &recipe, Device::default(), None, &mut |_| ControlFlow::Continue(()))?;
    let model = mote_format::Model::open(&finished.file).expect("written a moment ago");
    let width = set.features + set.classes.len();
    let mut drawn = Vec::new();
    for (class, count) in wanted(set, real).into_iter().enumerate() {
        let given = [("class".to_owned(), set.classes[class].clone())];
        let asking = Asking { seed: seed + class as u64, ..Default::default() };
        let rows = match count {
            0 => Vec::new(),
            _ => generate(&model, count, &given, asking, |_| ControlFlow::Continue(()))?,
        };
        let window = |w: &[f32]| -> Vec<f32> {
            w.chunks_exact(width).flat_map(|row| &row[..set.features]).copied().collect()
        };
        drawn.push(rows.chunks_exact(width * set.shape()[0]).map(window).collect());
    }
    Ok(drawn)
}

/// Each window is a recording of its features and its class.
fn source(set: &Set, real: &Labelled) -> Source {
    let number = |f| Column { name: format!("f{f}"), kind: Kind::Numeric };
    let class =
        Column { name: "class".into(), kind: Kind::Categorical { levels: set.classes.clone() } };
    let columns = (0..set.features).map(number).chain([class]).collect();
    let schema = Schema { columns, period_s: None };
    let rules = Rules::for_schema(&schema);
    let [length, features] = set.shape();
    let one = |(i, (window, &class)): (usize, (&[f32], &usize))| {
        let level = |c| if c == class { 1.0 } else { 0.0 };
        let row = |row: &[f32]| {
            let words = (0..set.classes.len()).map(level);
            Record::new(None, row.iter().copied().chain(words).collect())
        };
        let rows = window.chunks_exact(features).map(row).collect();
        Series::from_records(format!("window {i}"), &schema, rules, rows).expect("rows of one kind")
    };
    let windows = real.windows.chunks_exact(length * features).zip(&real.classes);
    let series = windows.enumerate().map(one).collect();
    let runs = Runs::new(schema.clone(), series).expect("runs of one kind");
    let plan = Plan { schema, rules, decisions: Vec::new(), notes: Vec::new() };
    Source { plan, runs, digest: set.name.into(), names: vec![set.name.into()] }
}
