//! `mote score`: a score for each row of files, and the events in them.

use std::{fmt::Write as _, path::PathBuf};

use clap::Args;
use mote::{
    Error,
    files::{self, Mapped},
    scoring::{Scores, score},
    training::Recipe,
};
use mote_data::Series;
use serde_json::json;

use super::{Style, data::Data, say, say_json};

#[derive(Args)]
pub(super) struct Score {
    /// A model that `mote train` wrote
    model: PathBuf,
    /// The files to score
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Write the scores as CSV to this file [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Also what each sensor adds to the score
    #[arg(long)]
    sensors: bool,
    /// Only the events, not the rows
    #[arg(long)]
    events: bool,
    #[command(flatten)]
    data: Data,
}

impl Score {
    pub(super) fn run(self, style: Style) -> Result<(), Error> {
        if let Some(out) = &self.out {
            files::apart(out, self.files.iter().chain([&self.model]))?;
        }
        let mapped = Mapped::open(&self.model)?;
        let model = mapped.model()?;
        let recipe = Recipe::of(&model.manifest)?;
        let reading = self.data.reading(Some(recipe.reading))?;
        let runs = reading.apply(&self.files, &model.manifest.schema, recipe.rules)?;
        let names: Vec<&str> =
            model.manifest.schema.columns.iter().map(|c| c.name.as_str()).collect();
        let mut text = String::new();
        for series in runs.series() {
            let scores = score(&model, series)?;
            match (self.events, style) {
                (true, _) => events(series, &scores, &mut text),
                (false, Style::Json) => lines(series, &scores, &names, self.sensors, &mut text),
                (false, Style::People) => {
                    table(series, &scores, &names, self.sensors, &mut text);
                }
            }
            if scores.scores.iter().all(Option::is_none) {
                eprintln!(
                    "note: {}: nothing could be scored, so nothing could be found: wanted {} samples in a row with values",
                    series.name(),
                    model.manifest.window.length
                );
            }
            if style == Style::People {
                match &model.manifest.detector {
                    Some(_) => eprintln!("{}: {} events", series.name(), scores.events.len()),
                    None => eprintln!("{}: scores only, the model has no threshold", series.name()),
                }
            }
        }
        match &self.out {
            Some(path) => {
                files::write(path, text.as_bytes())?;
                let done = json!({ "scores": path, "files": self.files.len() });
                if style == Style::Json { say_json(&done) } else { Ok(()) }
            }
            None => say(text.trim_end()),
        }
    }
}

fn time(series: &Series, sample: usize) -> Option<String> {
    series.times().map(|t| t[sample].to_string())
}

/// A CSV table with a line for each row of the file.
fn table(series: &Series, scores: &Scores, names: &[&str], sensors: bool, text: &mut String) {
    if text.is_empty() {
        text.push_str("file,row,time,score,alarm");
        if sensors {
            names.iter().for_each(|n| text.push_str(&format!(",{}", quoted(n))));
        }
        text.push('\n');
    }
    for (row, sample) in series.sample_of_row().iter().enumerate() {
        let Some(sample) = *sample else { continue };
        let score = scores.scores[sample].map_or(String::new(), |s| s.to_string());
        let time = time(series, sample).unwrap_or_default();
        let alarm = u8::from(scores.alarms[sample]);
        // Writing into a string cannot fail.
        let _ = write!(text, "{},{},{time},{score},{alarm}", quoted(series.name()), row + 1);
        if sensors {
            for share in &scores.shares[sample * names.len()..][..names.len()] {
                let _ = write!(text, ",{share}");
            }
        }
        text.push('\n');
    }
}

fn quoted(name: &str) -> String {
    if name.contains([',', '"', '\n']) {
        format!("\"{}\"", name.replace('"', "\"\""))
    } else {
        name.into()
    }
}

/// JSON lines with an object for each row of the file, then one for each event.
fn lines(series: &Series, scores: &Scores, names: &[&str], sensors: bool, text: &mut String) {
    for (row, sample) in series.sample_of_row().iter().enumerate() {
        let Some(sample) = *sample else { continue };
        let mut line = json!({
            "type": "score",
            "file": series.name(),
            "row": row + 1,
            "score": scores.scores[sample],
            "alarm": scores.alarms[sample],
        });
        if let Some(surprise) = scores.surprises[sample] {
            line["surprise"] = surprise.into();
        }
        if let Some(time) = time(series, sample) {
            line["time"] = time.into();
        }
        if sensors {
            let shares = &scores.shares[sample * names.len()..][..names.len()];
            line["sensors"] = names.iter().zip(shares).map(|(n, s)| (*n, *s)).collect();
        }
        let _ = writeln!(text, "{line}");
    }
    events(series, scores, text);
}

fn events(series: &Series, scores: &Scores, text: &mut String) {
    for event in &scores.events {
        let mut line = json!({ "type": "event", "file": series.name(), "event": event });
        if series.times().is_some() {
            line["start_time"] = time(series, event.start).into();
            line["end_time"] = time(series, event.end).into();
            line["peak_time"] = time(series, event.peak).into();
        }
        let _ = writeln!(text, "{line}");
    }
}
