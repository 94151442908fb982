//! Results as people read them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    path::Path,
};

use mote::{Error, completion::judge::Errors};
use mote_eval::interval::mean_interval;

use super::{CONFIDENCE, DRAWS, FAMILIES, Outcome, SETS, Set};

/// What is read off a result.
type Measure = fn(&Errors) -> Option<f64>;

/// The measures, with their digits; whether less is better.
const MEASURES: [(&str, Measure, usize, bool); 3] = [
    ("CRPS", |e| Some(e.crps), 3, true),
    ("MAE", |e| Some(e.mae), 3, true),
    ("Coverage of the 90 % interval, %", |e| e.coverage.map(|c| 100.0 * c), 1, false),
];

pub(super) fn say(outcome: &Outcome) {
    let Outcome { set, model, seed, seconds, .. } = outcome;
    eprintln!("{set}, {model}, seed {seed}: trained in {seconds:.0} s");
    for (task, of) in &outcome.errors {
        eprintln!("  {task}");
        let mut of: Vec<_> = of.iter().collect();
        of.sort_by(|a, b| a.1.crps.total_cmp(&b.1.crps));
        for (method, e) in of {
            let coverage = e.coverage.map_or("    -".into(), |c| format!("{:5.1}", 100.0 * c));
            eprintln!("    {method:26} MAE {:.4}  CRPS {:.4}  {coverage}", e.mae, e.crps);
        }
    }
}

/// The document, of all results in a folder.
pub(super) fn make(store: &Path) -> Result<String, Error> {
    let tests = outcomes(store, "test-")?;
    let seeds = seeds(&tests.iter().collect::<Vec<_>>());
    let mut text = INTRODUCTION.replace("SEEDS", &seeds.to_string());
    let mut lost = Vec::new();
    for set in &SETS {
        let of: Vec<&Outcome> = tests.iter().filter(|o| o.set == set.name).collect();
        if !of.is_empty() {
            section(&mut text, set, &of, &mut lost);
        }
    }
    text += "## Where a baseline is better\n\n";
    match lost.is_empty() {
        true => {
            text +=
                "Nowhere in these tables: CRPS and MAE of the model are the lowest everywhere.\n";
        }
        false => lost.iter().for_each(|line| text += line),
    }
    let validations = outcomes(store, "validation-")?;
    if !validations.is_empty() {
        chosen(&mut text, &validations);
    }
    Ok(text)
}

const INTRODUCTION: &str = "\
# Holes filled and futures told, on public data

Made by `cargo run --release -p mote --example completion -- --seeds SEEDS`. Each set is divided by time: the
first part trains, the next one chose the family and its settings, the last one is judged here. One
model for each seed does all tasks of a set (`mote train --model diffusion --for impute,forecast`); nothing
was tuned on the judged part. Errors are in standard deviations of each column in the training part; of an
answer without a range, CRPS is the absolute error. Cells are the mean over seeds with half of its 95 %
interval (Student's t); methods without randomness have none for forecasts. Missing values are hidden one
by one, or a column for 24 samples in a row; every seed hides others. Imputation is judged on the newest 3500
samples of the judged part, forecasts all along it, each from its own past. Kalman smoothers and filters are
fitted by maximum likelihood to what is known of each column, ETS to the 960 samples before each forecast.
Calibrated intervals are widened, or narrowed, by conformal prediction: for holes by how well a tenth of what is
known around them is filled, for forecasts by what has become of those before.

";

fn outcomes(store: &Path, part: &str) -> Result<Vec<Outcome>, Error> {
    let folder = std::fs::read_dir(store).map_err(|e| Error::io("read", store, e))?;
    let mut found = Vec::new();
    for entry in folder {
        let path = entry.map_err(|e| Error::io("read", store, e))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with(part) && name.ends_with(".json") {
            let text = std::fs::read_to_string(&path).map_err(|e| Error::io("read", &path, e))?;
            let read = serde_json::from_str(&text);
            found.push(read.map_err(|e| Error::Usage(format!("{}: {e}", path.display())))?);
        }
    }
    found.sort_by_key(|o: &Outcome| (o.set.clone(), o.model.clone(), o.seed));
    Ok(found)
}

/// How many seeds there are results of.
fn seeds(of: &[&Outcome]) -> usize {
    of.iter().map(|o| o.seed).collect::<BTreeSet<_>>().len()
}

/// The tables of one set.
fn section(text: &mut String, set: &Set, of: &[&Outcome], lost: &mut Vec<String>) {
    let mean = of.iter().map(|o| o.seconds).sum::<f64>() / of.len() as f64;
    let seeds = seeds(of);
    let (title, window, steps) = (set.title, set.window, of[0].steps);
    *text += &format!(
        "## {title}\n\nWindows of {window} samples, {steps} steps of training in {mean:.0} s (the mean of \
         {seeds} seeds, on two cores that others used too).\n\n"
    );
    let tasks: BTreeSet<&String> = of.iter().flat_map(|o| o.errors.keys()).collect();
    let (ahead, missing): (Vec<_>, Vec<_>) = tasks.into_iter().partition(|t| t.ends_with("ahead"));
    for tasks in [missing, ahead] {
        for (name, measure, digits, less) in MEASURES {
            let cells = cells(of, &tasks, measure);
            let _ = writeln!(text, "| {name} | {} |", list(tasks.iter().map(|t| t.as_str())));
            let _ = writeln!(text, "|---|{}", "---|".repeat(tasks.len()));
            for (method, row) in &cells {
                let shown = tasks.iter().map(|task| {
                    let best = less && beats_all(&cells, task, row);
                    row.get(task.as_str()).map_or("–".into(), |c| cell(c, digits, best))
                });
                let _ = writeln!(text, "| {method} | {} |", list(shown));
            }
            *text += "\n";
            if less {
                lost.extend(losses(set, name, &tasks, &cells));
            }
        }
    }
}

/// Values by method and task.
type Cells<'o> = BTreeMap<&'o str, BTreeMap<&'o str, Vec<f64>>>;

fn cells<'o>(of: &[&'o Outcome], tasks: &[&'o String], measure: Measure) -> Cells<'o> {
    let mut cells = Cells::new();
    for outcome in of {
        for task in tasks {
            for (method, errors) in outcome.errors.get(*task).into_iter().flatten() {
                if let Some(value) = measure(errors) {
                    let row = cells.entry(method).or_default();
                    row.entry(task.as_str()).or_default().push(value);
                }
            }
        }
    }
    cells
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn beats_all(cells: &Cells<'_>, task: &str, row: &BTreeMap<&str, Vec<f64>>) -> bool {
    let of = |row: &BTreeMap<&str, Vec<f64>>| row.get(task).map(|v| mean(v));
    let best = cells.values().filter_map(of).fold(f64::INFINITY, f64::min);
    of(row).is_some_and(|mean| mean <= best)
}

fn cell(values: &[f64], digits: usize, best: bool) -> String {
    let half = match mean_interval(values, 0.95) {
        Ok(interval) if values.len() > 1 => {
            format!(" ± {:.digits$}", (interval.high - interval.low) / 2.0)
        }
        _ => String::new(),
    };
    let bold = if best { "**" } else { "" };
    format!("{bold}{:.digits$}{bold}{half}", mean(values))
}

/// Says where what needs no model has the lower mean.
fn losses(set: &Set, name: &str, tasks: &[&String], cells: &Cells<'_>) -> Vec<String> {
    let is_model = |method: &str| FAMILIES.iter().any(|m| method.starts_with(m));
    let best = |task: &str, model: bool| {
        let rows = cells.iter().filter(|(method, _)| is_model(method) == model);
        let of = rows.filter_map(|(method, row)| Some((*method, mean(row.get(task)?))));
        of.min_by(|a, b| a.1.total_cmp(&b.1))
    };
    let line = |task: &&String| {
        let ((_, ours), (method, theirs)) = (best(task, true)?, best(task, false)?);
        let title = set.title;
        (theirs < ours).then(|| {
            format!("- {title}, {task}: {name} {theirs:.3} of {method}, {ours:.3} ours.\n")
        })
    };
    tasks.iter().filter_map(line).collect()
}

/// What was looked at before the judged part was.
fn chosen(text: &mut String, of: &[Outcome]) {
    *text += "\n## How the family was chosen\n\nMean CRPS on the held-back part, after this many steps:\n\n\
              | set | family | steps | seconds | holes | futures |\n|---|---|---|---|---|---|\n";
    for outcome in of {
        let Outcome { set, model, steps, seconds, errors, .. } = outcome;
        let mean_of = |ahead: bool| {
            let tasks = errors.iter().filter(|(task, _)| task.ends_with("ahead") == ahead);
            mean(&tasks.filter_map(|(_, of)| Some(of.get(model)?.crps)).collect::<Vec<_>>())
        };
        let (holes, futures) = (mean_of(false), mean_of(true));
        let _ = writeln!(
            text,
            "| {set} | {model} | {steps} | {seconds:.0} | {holes:.3} | {futures:.3} |"
        );
    }
    let _ = writeln!(
        text,
        "\nPromised coverage everywhere: {:.0} %. Intervals of {} draws.",
        100.0 * CONFIDENCE,
        DRAWS
    );
}

fn list(cells: impl Iterator<Item = impl Into<String>>) -> String {
    cells.map(Into::into).collect::<Vec<_>>().join(" | ")
}
