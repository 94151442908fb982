//! `mote eval`: a model against labelled files, with the usual measures and their warnings.

use std::path::PathBuf;

use clap::Args;
use mote::{
    Error,
    assemble::describe,
    evaluation::{Metrics, Rarity, Run, judge, metrics, rarity},
    files::{self, Mapped},
    report::verdict,
    training::Recipe,
};
use mote_data::{Runs, split::split};
use serde_json::json;

use super::{Style, data::Data, say, say_json};

#[derive(Args)]
pub(super) struct Eval {
    /// A model that `mote train` wrote
    model: PathBuf,
    /// Labelled files; those that the model was trained on count from where their training part ends
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Count all rows, also those that the model was trained on
    #[arg(long)]
    all_rows: bool,
    /// Write a report as one HTML file
    #[arg(long, value_name = "HTML")]
    report: Option<PathBuf>,
    #[command(flatten)]
    data: Data,
}

impl Eval {
    pub(super) fn run(self, style: Style) -> Result<(), Error> {
        if let Some(report) = &self.report {
            files::apart(report, self.files.iter().chain([&self.model]))?;
        }
        let mapped = Mapped::open(&self.model)?;
        let model = mapped.model()?;
        let recipe = Recipe::of(&model.manifest)?;
        let reading = self.data.reading(Some(recipe.reading.clone()))?;
        let runs = reading.apply(&self.files, &model.manifest.schema, recipe.rules)?;
        let how = &recipe.reading.dataset.split;
        let mut judged = Vec::new();
        for series in runs.series() {
            let seen = model.manifest.lineage.files.iter().any(|f| f == series.name());
            let how = (seen && !self.all_rows).then_some(how);
            let one = Runs::new(runs.schema().clone(), vec![series.clone()])?;
            judged.extend(judge(&model, &one, how)?);
        }
        let all = judged.iter().map(metrics).collect::<Result<Vec<_>, _>>()?;
        let all: Vec<Metrics> = all.into_iter().flatten().collect();
        let rarity = match all.is_empty() {
            true => None,
            false => Some(rarity(&model, &judged, &normal(&runs, &judged, &recipe)?)?),
        };
        match style {
            Style::Json => {
                say_json(&json!({ "runs": all, "mean": Means::of(&all), "rarity": rarity }))?;
            }
            Style::People => print(&judged, &all, rarity.as_ref())?,
        }
        if let Some(path) = &self.report {
            let mut report = describe(&model, &recipe, &judged, &all, rarity.as_ref())?;
            report.header.command = super::command_line();
            report.header.made_at = super::now();
            files::write(path, mote::report::render(&report).as_bytes())?;
            if style == Style::People {
                say(format_args!("report: {}", path.display()))?;
            }
        }
        Ok(())
    }
}

/// What the latent density is taken from: the training parts where the files were trained on, and
/// otherwise whatever is not labelled as an anomaly.
fn normal(runs: &Runs, judged: &[Run], recipe: &Recipe) -> Result<Runs, Error> {
    let trained = judged
        .iter()
        .any(|r| r.judged.as_ref().is_some_and(|j| j.rows.len() < r.series.sample_of_row().len()));
    if trained {
        return Ok(split(runs, &recipe.reading.dataset.split)?.train);
    }
    let normal = runs.series().iter().filter_map(mote_data::Series::normal).collect();
    Ok(Runs::new(runs.schema().clone(), normal)?)
}

/// Means over runs, of what is defined there.
#[derive(serde::Serialize)]
struct Means {
    auroc: Option<f64>,
    auprc: Option<f64>,
    vus_roc: Option<f64>,
    vus_pr: Option<f64>,
    best_f1: Option<f64>,
    f1: Option<f64>,
    f1_point_adjusted: Option<f64>,
    event_f1: Option<f64>,
    false_alarms_percent: Option<f64>,
    missed_alarms_percent: Option<f64>,
}

impl Means {
    fn of(all: &[Metrics]) -> Self {
        let mean = |f: fn(&Metrics) -> Option<f64>| {
            let values: Vec<f64> = all.iter().filter_map(f).collect();
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        };
        Self {
            auroc: mean(|m| m.auroc),
            auprc: mean(|m| m.auprc),
            vus_roc: mean(|m| m.vus_roc),
            vus_pr: mean(|m| m.vus_pr),
            best_f1: mean(|m| m.best_f1),
            f1: mean(|m| Some(m.f1)),
            f1_point_adjusted: mean(|m| Some(m.f1_point_adjusted)),
            event_f1: mean(|m| Some(m.event_f1)),
            false_alarms_percent: mean(|m| m.false_alarms_percent),
            missed_alarms_percent: mean(|m| m.missed_alarms_percent),
        }
    }
}

fn print(judged: &[Run], all: &[Metrics], rarity: Option<&Rarity>) -> Result<(), Error> {
    if all.is_empty() {
        for run in judged {
            say(format_args!(
                "{}: {} events, no labels to compare with",
                run.name,
                run.scores.events.len()
            ))?;
        }
        return Ok(());
    }
    let number = |v: Option<f64>| v.map_or("     -".into(), |v| format!("{v:6.3}"));
    let percent = |v: Option<f64>| v.map_or("     -".into(), |v| format!("{v:6.1}"));
    let width = all.iter().map(|m| m.name.chars().count()).max().unwrap_or(4).max(4);
    say(format_args!(
        "{:width$}   rows  anom.  AUROC  AUPRC VUS-ROC VUS-PR best F1     F1 F1 adj. event F1  FAR %  MAR %",
        "file"
    ))?;
    let means = Means::of(all);
    for m in all {
        say(format_args!(
            "{:width$} {:6} {:6} {} {}  {} {}  {} {:6.3}  {:6.3}   {:6.3} {} {}",
            m.name,
            m.rows,
            m.anomalies,
            number(m.auroc),
            number(m.auprc),
            number(m.vus_roc),
            number(m.vus_pr),
            number(m.best_f1),
            m.f1,
            m.f1_point_adjusted,
            m.event_f1,
            percent(m.false_alarms_percent),
            percent(m.missed_alarms_percent),
        ))?;
    }
    if all.len() > 1 {
        say(format_args!(
            "{:width$}               {} {}  {} {}  {} {}  {}   {} {} {}",
            "mean",
            number(means.auroc),
            number(means.auprc),
            number(means.vus_roc),
            number(means.vus_pr),
            number(means.best_f1),
            number(means.f1),
            number(means.f1_point_adjusted),
            number(means.event_f1),
            percent(means.false_alarms_percent),
            percent(means.missed_alarms_percent),
        ))?;
    }
    say("F1 adj. credits a whole event for one hit and flatters; compare F1.")?;
    for (space, separation) in [
        ("data space", rarity.and_then(|r| r.data.as_ref())),
        ("latent space", rarity.and_then(|r| r.latent.as_ref())),
    ] {
        if let Some(separation) = separation {
            let verdict = verdict(&separation.test(), space);
            say(verdict.sentence)?;
        }
    }
    Ok(())
}
