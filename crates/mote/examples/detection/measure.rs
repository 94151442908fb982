//! One model of one seed on one set: it learns, judges, and is measured.

use std::{collections::BTreeMap, ops::ControlFlow, path::Path};

use mote::{
    Error,
    evaluation::{Judged, Metrics, Rarity, Separation, judge, metrics, rarity},
    report::{Answer, verdict},
    scoring::score,
    source::Source,
    training::{Finished, Model, Recipe, run},
};
use mote_data::split::split;
use mote_eval::{events::Confusion, nab::Profile};
use mote_learn::{
    device::Device,
    families::{MafConfig, TimeVaeConfig},
};
use serde::{Deserialize, Serialize};

use crate::{
    runs::{Rows, change_points, change_score, nab, onsets, rows, standardized},
    sets::{files_of, reading},
};

/// What one model of one seed reached on one data set.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) set: String,
    pub(crate) model: String,
    pub(crate) seed: u64,
    /// Means over the files.
    pub(crate) values: BTreeMap<String, f64>,
    /// For each file and space, the answer to R1 and its AUROC.
    pub(crate) rarity: Vec<Rare>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Rare {
    pub(crate) file: String,
    pub(crate) space: String,
    pub(crate) auroc: f64,
    pub(crate) answer: String,
}

fn model_of(name: &str) -> Model {
    match name {
        "vae" => Model::Vae(TimeVaeConfig::default()),
        "flow" => Model::Flow(MafConfig::default()),
        other => panic!("wanted vae or flow, found {other}"),
    }
}

fn trained(source: &Source, recipe: &Recipe) -> Result<Finished, Error> {
    run(source, recipe, Device::Cpu, None, &mut |_| ControlFlow::Continue(()))
}

fn open(file: &[u8]) -> mote_format::Model<'_> {
    mote_format::Model::open(file).expect("written a moment ago")
}

/// By the labels of each file.
pub(crate) fn labelled(set: &str, model: &str, seed: u64, data: &Path) -> Result<Outcome, Error> {
    let reading = reading(set)?;
    let (mut all, mut fixed): (Vec<Metrics>, Vec<Confusion>) = Default::default();
    let (mut plain, mut tracked, mut rare): (Vec<Rows>, Vec<Rows>, Vec<Rare>) = Default::default();
    let mut changes = Vec::new();
    for file in files_of(set, data)? {
        let source = reading.learn(std::slice::from_ref(&file))?;
        let mut recipe = Recipe::new(reading.clone(), &source, model_of(model))?;
        recipe.train.seed = seed;
        let finished = trained(&source, &recipe)?;
        let loaded = open(&finished.file);
        let judged = judge(&loaded, &source.runs, Some(&reading.dataset.split))?;
        for run in &judged {
            all.extend(metrics(run)?);
            fixed.extend(run.judged.as_ref().map(|j| at_fixed_threshold(&loaded, j)));
        }
        let training = split(&source.runs, &reading.dataset.split)?.train;
        rare.extend(answers(&file, rarity(&loaded, &judged, &training)?));
        match set {
            "nab" => {
                plain.extend(judged.iter().map(|run| standardized(rows(run, &run.scores.scores))));
                tracked.push(onsets(loaded, &source, &recipe)?);
            }
            "skab" => {
                let truth = change_points(&file)?;
                changes.extend(judged.into_iter().map(|run| (run, truth.clone())));
            }
            _ => {}
        }
    }
    let mut values = means(&all);
    let shares = |f: &dyn Fn(&Confusion) -> Option<f64>| mean(fixed.iter().map(f));
    values.insert("F1, fixed threshold".into(), shares(&|c| Some(c.f1().f1)));
    values.insert("FAR %, fixed threshold".into(), shares(&Confusion::false_alarm_percent));
    values.insert("MAR %, fixed threshold".into(), shares(&Confusion::missed_alarm_percent));
    if set == "nab" {
        for (name, profile) in [
            ("NAB standard", Profile::STANDARD),
            ("NAB low FP", Profile::REWARD_LOW_FP_RATE),
            ("NAB low FN", Profile::REWARD_LOW_FN_RATE),
        ] {
            values.insert(name.into(), nab(&tracked, profile)?);
            values.insert(format!("{name}, plain score"), nab(&plain, profile)?);
        }
    }
    if set == "skab" {
        let score = change_score(&changes)?;
        values.insert("change points, NAB standard".into(), score.standard);
        values.insert("change points, NAB low FP".into(), score.low_fp);
        values.insert("change points, NAB low FN".into(), score.low_fn);
    }
    Ok(Outcome { set: set.into(), model: model.into(), seed, values, rarity: rare })
}

/// The mean of what is defined.
fn mean(values: impl Iterator<Item = Option<f64>>) -> f64 {
    let values: Vec<f64> = values.flatten().collect();
    values.iter().sum::<f64>() / values.len() as f64
}

fn means(all: &[Metrics]) -> BTreeMap<String, f64> {
    let mean = |f: &dyn Fn(&Metrics) -> Option<f64>| mean(all.iter().map(f));
    let values = [
        ("AUROC", mean(&|m| m.auroc)),
        ("AUPRC", mean(&|m| m.auprc)),
        ("VUS-PR", mean(&|m| m.vus_pr)),
        ("VUS-ROC", mean(&|m| m.vus_roc)),
        ("F1", mean(&|m| Some(m.f1))),
        ("F1 point-adjusted", mean(&|m| Some(m.f1_point_adjusted))),
        ("best F1", mean(&|m| m.best_f1)),
        ("event F1", mean(&|m| Some(m.event_f1))),
        ("FAR %", mean(&|m| m.false_alarms_percent)),
        ("MAR %", mean(&|m| m.missed_alarms_percent)),
    ];
    values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// What the alarms would be without tracking.
fn at_fixed_threshold(model: &mote_format::Model<'_>, judged: &Judged) -> Confusion {
    let threshold = model.manifest.detector.as_ref().map_or(f64::INFINITY, |d| d.threshold);
    let alarms: Vec<bool> = judged.scores.iter().map(|&s| s > threshold).collect();
    Confusion::of(&judged.labels, &alarms).expect("as many alarms as labels")
}

fn answers(file: &Path, rarity: Rarity) -> Vec<Rare> {
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let spaces = [("data", rarity.data), ("latent", rarity.latent)];
    let of = |(space, separation): (&str, Option<Separation>)| {
        let separation = separation?;
        let answer = match verdict(&separation.test(), space).answer {
            Answer::Yes => "yes",
            Answer::No => "no",
            Answer::NotShown => "not shown",
        };
        let auroc = separation.rank.auroc;
        Some(Rare { file: name.clone(), space: space.into(), auroc, answer: answer.into() })
    };
    spaces.into_iter().filter_map(of).collect()
}

/// Normal connections train, those of another day are judged; each is judged by itself, because
/// neighbours in the file are no neighbours in time.
pub(crate) fn connections(model: &str, seed: u64, data: &Path) -> Result<Outcome, Error> {
    let reading = reading("nsl_kdd")?;
    let folder = data.join("nsl_kdd");
    let source = reading.learn(&[folder.join("KDDTrain+_20Percent.txt.gz")])?;
    let mut recipe = Recipe::new(reading.clone(), &source, model_of(model))?;
    recipe.train.seed = seed;
    // The shortest windows that the families have.
    recipe.window = Some(if model == "vae" { 8 } else { 1 });
    recipe.tail = Some(1);
    let finished = trained(&source, &recipe)?;
    let schema = &finished.manifest.schema;
    let runs = reading.apply(&[folder.join("KDDTest+.even.txt.gz")], schema, recipe.rules)?;
    let judged = judge(&open(&finished.file), &runs, None)?;
    let all: Vec<Metrics> =
        judged.iter().map(metrics).collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
    let mut values = means(&all);
    // Neighbours are no neighbours in time, so there are no events and no tolerance around them.
    values.retain(|name, _| !["VUS", "event", "adjusted"].iter().any(|n| name.contains(n)));
    Ok(Outcome { set: "nsl_kdd".into(), model: model.into(), seed, values, rarity: Vec::new() })
}

/// Without labels: how improbable the test part is, and how often it alarms though nothing is known
/// to be wrong in it.
pub(crate) fn unlabelled(model: &str, seed: u64, data: &Path) -> Result<Outcome, Error> {
    let reading = reading("ett")?;
    let (mut nats, mut alarms) = (Vec::new(), Vec::new());
    for file in files_of("ett", data)? {
        let source = reading.learn(std::slice::from_ref(&file))?;
        let mut recipe = Recipe::new(reading.clone(), &source, model_of(model))?;
        recipe.train.seed = seed;
        let finished = trained(&source, &recipe)?;
        let Some(test) = split(&source.runs, &reading.dataset.split)?.test else { continue };
        for series in test.series() {
            let scores = score(&open(&finished.file), series)?;
            nats.push(Some(mean(scores.scores.iter().copied())));
            alarms.push(Some(
                100.0 * mean(scores.alarms.iter().map(|&a| Some(f64::from(u8::from(a))))),
            ));
        }
    }
    let values = [
        ("nats per value".to_owned(), mean(nats.into_iter())),
        ("alarms, % of samples".to_owned(), mean(alarms.into_iter())),
    ];
    let values = BTreeMap::from(values);
    Ok(Outcome { set: "ett".into(), model: model.into(), seed, values, rarity: Vec::new() })
}
