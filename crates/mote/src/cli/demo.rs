//! `mote demo`: everything once, on data that it makes itself: simulate, train, watch, report.

use std::{
    path::{Path, PathBuf},
    sync::atomic::Ordering,
    time::Instant,
};

use clap::Args;
use mote::{
    Error,
    assemble::{describe, describe_training},
    evaluation::{judge, metrics, rarity},
    files,
    source::Reading,
    stream::{Live, Output},
    training::Recipe,
};
use mote_data::{
    pump::{self, Fault, FaultKind, Sensor},
    split::split,
};
use mote_format::Model;
use serde_json::json;

use super::{
    Style, interrupt,
    link::words,
    say, say_json,
    train::{Family, Options, train},
};

#[derive(Args)]
pub(super) struct Demo {
    /// Where to put the data, the model and the report
    #[arg(long, value_name = "FOLDER", default_value = "mote-demo")]
    out: PathBuf,
    /// Which family of models
    #[arg(long, value_name = "MODEL", default_value = "vae")]
    model: Family,
    /// Where randomness comes from
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// At one sample a second: two hours of normal work to learn from, then four hours with faults.
const NORMAL: usize = 7200;
const SAMPLES: usize = 3 * NORMAL;

/// What goes wrong, in turn, half as bad as it can be. The leak is last, because the fresh water
/// that replaces what is lost leaves the tank cold for hours.
const FAULTS: [FaultKind; 8] = [
    FaultKind::ValveClosing,
    FaultKind::BearingWear,
    FaultKind::SensorStuck(Sensor::Pressure),
    FaultKind::Cavitation,
    FaultKind::Imbalance,
    FaultKind::SensorDrift(Sensor::TemperatureMotor),
    FaultKind::PowerSag,
    FaultKind::Leak,
];
const SEVERITY: f64 = 0.5;
/// Each lasts ten minutes and leaves the machine as long to settle.
const FAULT_S: usize = 600;

impl Demo {
    pub(super) fn run(self, style: Style) -> Result<(), Error> {
        let began = Instant::now();
        std::fs::create_dir_all(&self.out).map_err(|e| Error::io("create", &self.out, e))?;
        let (normal, watched) = self.simulate(style)?;

        let mut reading = Reading::default();
        reading.dataset.read.label = Some("anomaly".into());
        let source = reading.learn(std::slice::from_ref(&normal))?;
        let options = Options::demo(self.model, self.seed);
        let recipe = options.recipe(reading, &source)?;
        let finished = train(&source, &recipe, options.device()?, None, None)?;
        let path = self.out.join("pump.mote");
        files::write(&path, &finished.file)?;
        let trained = began.elapsed().as_secs_f64();
        if style == Style::People {
            say(format_args!(
                "Trained {} in {trained:.0} s: {} ({:.1} KiB).\n",
                finished.manifest.family,
                path.display(),
                finished.file.len() as f64 / 1024.0
            ))?;
            say("Now four more hours pass, with faults; events as they end:")?;
        }

        let mapped = files::Mapped::open(&path)?;
        let model = mapped.model()?;
        let rate = watch(&model, &recipe, &watched, style)?;

        let runs = recipe.reading.apply(
            std::slice::from_ref(&watched),
            &model.manifest.schema,
            recipe.rules,
        )?;
        let judged = judge(&model, &runs, None)?;
        let measured = metrics(&judged[0])?;
        let training = split(&source.runs, &recipe.reading.dataset.split)?.train;
        let rarity = rarity(&model, &judged, &training)?;
        let all: Vec<_> = measured.into_iter().collect();
        let mut report = describe(&model, &recipe, &judged, &all, Some(&rarity))?;
        report.header.title = "A simulated pump, watched for four hours".into();
        report.header.command = super::command_line();
        report.header.made_at = super::now();
        describe_training(&mut report, &finished, &source, trained);
        let page = self.out.join("report.html");
        files::write(&page, mote::report::render(&report).as_bytes())?;
        match (style, all.first()) {
            (Style::Json, measured) => say_json(&json!({
                "model": path, "report": page, "measured": measured, "rarity": rarity,
                "samples_per_second": rate, "training_seconds": trained,
                "seconds": began.elapsed().as_secs_f64(),
            })),
            (Style::People, Some(m)) => {
                say(format_args!(
                    "\nOf {} faults {} were found, with {} alarms that were none. Sample by sample: AUROC {:.3}, F1 {:.3}.",
                    m.events.true_events,
                    m.events.detected_events,
                    m.events.predicted_events - m.events.confirmed_events,
                    m.auroc.unwrap_or(f64::NAN),
                    m.f1,
                ))?;
                say(format_args!(
                    "{rate:.0} samples a second went through the detector; all in all {:.0} s.",
                    began.elapsed().as_secs_f64()
                ))?;
                say(format_args!("Look at {}", page.display()))
            }
            (Style::People, None) => Ok(()),
        }
    }

    /// Writes two recordings of the simulated pump: one to learn from and one to watch.
    fn simulate(&self, style: Style) -> Result<(PathBuf, PathBuf), Error> {
        if style == Style::People {
            say(
                "Simulating a pump: motor, valves, tank, friction, heat and noise, from first principles.",
            )?;
        }
        // Indoors and well cooled, so that two hours show all that is normal. Outdoors a model needs
        // to see whole days.
        let mut plant = pump::Plant { ambient_swing_k: 0.0, ..pump::Plant::default() };
        plant.cooling[2] *= 50.0;
        let config =
            pump::Config { seed: self.seed, samples: SAMPLES, plant, ..pump::Config::default() };
        let apart = (SAMPLES - NORMAL) / FAULTS.len();
        let faults = FAULTS.iter().enumerate().map(|(i, &kind)| {
            let start = NORMAL + i * apart + apart / 2;
            Fault { kind, start, end: start + FAULT_S, severity: SEVERITY }
        });
        let csv = pump::simulate(&pump::Config { faults: faults.collect(), ..config }).csv();
        let mut lines = csv.split_inclusive('\n');
        let header = lines.next().unwrap_or_default();
        let mut recording = |rows: usize| -> String {
            std::iter::once(header).chain(lines.by_ref().take(rows)).collect()
        };
        let mut paths = Vec::new();
        for (name, rows) in [("normal.csv", NORMAL), ("watched.csv", SAMPLES - NORMAL)] {
            let path = self.out.join(name);
            files::write(&path, recording(rows).as_bytes())?;
            paths.push(path);
        }
        let watched = paths.pop().unwrap_or_default();
        Ok((paths.pop().unwrap_or_default(), watched))
    }
}

/// Streams a recording through the model and prints the events; samples a second.
fn watch(model: &Model<'_>, recipe: &Recipe, file: &Path, style: Style) -> Result<f64, Error> {
    let interrupted = interrupt::flag();
    let records = recipe.reading.records(file, &model.manifest.schema)?;
    let count = records.len();
    let mut live = Live::new(model, recipe.rules)?;
    let mut out = Vec::new();
    let began = Instant::now();
    for record in records {
        live.push(record, &mut out);
        print_events(&mut out, style)?;
        if interrupted.load(Ordering::SeqCst) {
            return Err(Error::Interrupted(String::new()));
        }
    }
    live.finish(&mut out);
    print_events(&mut out, style)?;
    Ok(count as f64 / began.elapsed().as_secs_f64())
}

fn print_events(out: &mut Vec<Output>, style: Style) -> Result<(), Error> {
    for output in out.drain(..) {
        match (&output, style) {
            (Output::Event(_), Style::People) => say(format_args!("  {}", words(&output)))?,
            (Output::Event(_), Style::Json) => say_json(&output)?,
            (Output::Score(_), _) => {}
        }
    }
    Ok(())
}
