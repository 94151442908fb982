//! `mote forecast`: what comes next, after files and along streams.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use clap::Args;
use mote::{
    Error,
    advice::Seconds,
    completion::{
        Follower, Forecasting, MEMORY, Question, Told, calibrate,
        draw::{Drawer, Known, Passes},
        table,
    },
    files::Mapped,
    source::Reading,
    stream::Live,
    training::Recipe,
};
use mote_data::{Series, Table, align::Rules};
use mote_format::{Model, Schema};
use serde_json::json;

use super::{
    Style,
    answer::{Asking, Destination, Watcher},
    data::Data,
    link::Link,
    say, say_json,
};

#[derive(Args)]
pub(super) struct Forecast {
    /// A model that `mote train` wrote, best with `--for forecast`
    model: PathBuf,
    /// Files whose ends are gone on from; or none, with --from
    #[arg(required_unless_present = "from", conflicts_with = "from")]
    files: Vec<PathBuf>,
    /// Samples ahead; more than half of a window are rolled out of several
    #[arg(long, value_name = "SAMPLES")]
    horizon: usize,
    /// Levels of the quantiles
    #[arg(long, value_name = "LEVELS", value_delimiter = ',', default_value = "0.05,0.5,0.95")]
    quantiles: Vec<f64>,
    /// Draws of each future
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    draws: usize,
    /// Forecast after every so many samples, not only from the end [default for streams: 1]
    #[arg(long, value_name = "SAMPLES")]
    every: Option<usize>,
    /// Widen intervals until they cover what they promise: measured on this file, or on this share of
    /// each file, at its end; `none` for the quantiles of the draws [default: as measured in training]
    #[arg(long, value_name = "FILE|SHARE|none")]
    calibrate: Option<String>,
    /// Write to this file: .csv, .jsonl or .parquet [default: CSV to standard output]
    #[arg(long, short, value_name = "FILE", conflicts_with_all = ["from", "to"])]
    out: Option<PathBuf>,
    #[command(flatten)]
    asking: Asking,
    #[command(flatten)]
    link: Link,
    #[command(flatten)]
    data: Data,
}

/// What intervals are calibrated on.
enum Calibration {
    /// What the model says of itself.
    Model,
    /// Nothing: quantiles are those of the draws.
    None,
    File(PathBuf),
    Share(f64),
}

impl Forecast {
    pub(super) fn run(self, style: Style) -> Result<(), Error> {
        let mapped = Mapped::open(&self.model)?;
        let model = mapped.model()?;
        let calibrated_on = self.calibrate.as_ref().map(PathBuf::from);
        let read = self.files.iter().chain([&self.model]).chain(&calibrated_on);
        let destination = Destination::of(self.out.as_deref(), read, style)?;
        let recipe = Recipe::of(&model.manifest)?;
        let reading = self.data.reading(Some(recipe.reading))?;
        let mut rules = recipe.rules;
        rules.lateness = reading.dataset.read.lateness.unwrap_or(rules.lateness);
        if self.every == Some(0) {
            return Err(Error::Usage("wanted --every of at least 1, found 0".into()));
        }
        let question = Question {
            horizon: self.horizon,
            levels: self.quantiles.clone(),
            draws: self.draws,
            asking: self.asking.asking(),
        };
        let schema = &model.manifest.schema;
        let calibration = self.calibration()?;
        let mut follower = Follower::new(&model, &question)?;
        follower = match (&calibration, &model.manifest.margins) {
            (Calibration::Model, Some(margins)) => follower.widened(margins),
            (Calibration::Model | Calibration::None, _) => follower,
            (Calibration::File(_) | Calibration::Share(_), _) => follower.calibrating()?,
        };
        if let Calibration::File(path) = &calibration {
            let runs = reading.apply(std::slice::from_ref(path), schema, rules)?;
            let watcher = Watcher::new(runs.samples(), "samples to calibrate on");
            let made = calibrate(&mut follower, &runs, MEMORY, &mut |done, _| watcher.at(done))?;
            if made == 0 {
                let wanted = follower.context() + follower.horizon() + 1;
                let found = runs.series().iter().flat_map(Series::segments).map(|s| s.len()).max();
                return Err(short(&path.display().to_string(), wanted, found.unwrap_or(0)));
            }
        }
        if !matches!(calibration, Calibration::None | Calibration::Share(_)) {
            self.say_what_is_kept(follower.promised());
        }
        if self.link.from.is_some() {
            if let Calibration::Share(_) = calibration {
                let what = "wanted a file to calibrate on: a stream has no share";
                return Err(Error::Usage(what.into()));
            }
            if let Some(period) = schema.period_s {
                self.say_if_late(&model, period)?;
            }
            return self.stream(follower, question, (schema, &reading, rules), style);
        }
        let told = self.files(&model, follower, &question, &calibration, (&reading, rules))?;
        if style == Style::Json && destination.is_stdout() {
            return told.iter().try_for_each(say_json);
        }
        let name = self.model.display().to_string();
        destination
            .write(&Table::of_values(name, table(&told, &question, &model.manifest.schema))?)?;
        let Some(out) = &self.out else { return Ok(()) };
        let (count, horizon) = (told.len(), question.horizon);
        match style {
            Style::Json => say_json(&json!({ "out": out, "forecasts": count, "horizon": horizon })),
            Style::People => {
                say(format_args!("{}: {count} forecasts of {horizon} samples", out.display()))
            }
        }
    }

    fn calibration(&self) -> Result<Calibration, Error> {
        let Some(text) = &self.calibrate else { return Ok(Calibration::Model) };
        if text == "none" {
            return Ok(Calibration::None);
        }
        match text.parse::<f64>() {
            Ok(share) if share > 0.0 && share < 1.0 => Ok(Calibration::Share(share)),
            Ok(share) => Err(Error::Usage(format!(
                "wanted a file or a share between 0 and 1 to calibrate on, found {share}"
            ))),
            Err(_) => Ok(Calibration::File(text.into())),
        }
    }

    /// Where an answer takes longer than the time to the next one, a person has to know before it runs.
    fn say_if_late(&self, model: &Model<'_>, period_s: f64) -> Result<(), Error> {
        let mut drawer = Drawer::new(model, self.draws, self.asking.asking())?;
        let [length, features] = drawer.shape();
        let nothing = vec![0.0; length * features];
        let known = Known { values: &nothing, mask: &nothing };
        let mut noise = drawer.noise(0);
        let mut draw = || {
            let began = Instant::now();
            drawer.complete(known, Passes::across_holes(length), &mut noise, |_, _| {});
            began.elapsed().as_secs_f64()
        };
        // The first one also fills caches.
        draw();
        let windows = self.horizon.div_ceil(length.div_ceil(2));
        let took = draw() * windows as f64;
        let due = period_s * self.every.unwrap_or(1) as f64;
        if took > due {
            eprintln!(
                "note: a forecast takes about {} here, and one is due every {}: they will come late. --every {}                  keeps up, and so may fewer --draws",
                Seconds(took),
                Seconds(due),
                (took / period_s).ceil()
            );
        }
        Ok(())
    }

    /// Where intervals are only as wide as the draws, a person has to know.
    fn say_what_is_kept(&self, promised: usize) {
        let only_median = self.quantiles.iter().all(|l| (l - 0.5).abs() < 1e-9);
        if only_median || promised >= self.horizon {
            return;
        }
        let from =
            if promised == 0 { String::new() } else { format!("beyond {promised} samples, ") };
        eprintln!(
            "note: {from}intervals are those of the draws and may cover less than they say; --calibrate \
             widens them"
        );
    }

    fn stream(
        &self,
        mut follower: Follower<'_>,
        question: Question,
        (schema, reading, rules): (&Schema, &Reading, Rules),
        style: Style,
    ) -> Result<(), Error> {
        follower.forget();
        let every = self.every.unwrap_or(1);
        let watch = Forecasting::new(follower, question, schema, rules.pace, every);
        let mut live = Live::watched(schema, rules, watch);
        let purpose = format!("forecast {}", self.model.display());
        self.link.follow(&mut live, (schema, reading), &purpose, style, |_| true)
    }

    fn files(
        &self,
        model: &Model<'_>,
        mut follower: Follower<'_>,
        question: &Question,
        calibration: &Calibration,
        (reading, rules): (&Reading, Rules),
    ) -> Result<Vec<Told>, Error> {
        let schema = &model.manifest.schema;
        let runs = reading.apply(&self.files, schema, rules)?;
        let watcher = Watcher::new(runs.samples(), "samples");
        let (mut told, mut done) = (Vec::new(), 0);
        for series in runs.series() {
            follower.restart();
            let last = series.segments().last().map_or(0, |s| s.len());
            if last < follower.context() {
                return Err(short(series.name(), follower.context(), last));
            }
            let learns = match calibration {
                Calibration::Share(share) => {
                    let samples = (share * series.len() as f64) as usize;
                    let judged = samples.saturating_sub(question.horizon);
                    Some((series.len() - samples, judged.div_ceil(MEMORY).max(1)))
                }
                _ => None,
            };
            for segment in series.segments() {
                follower.forget();
                for t in segment {
                    follower.push_of(series, t);
                    let asked = t + 1 == series.len()
                        || self.every.is_some_and(|every| (series.len() - t - 1) % every == 0);
                    let learned = learns.is_some_and(|(from, stride)| {
                        t + 1 >= from && (t + 1 - from) % stride == 0
                    });
                    if (asked || learned)
                        && let Some(forecast) = follower.forecast()
                        && asked
                    {
                        let time = series.times().map(|times| times[t]);
                        let one = Told::new(&forecast, question, schema, time, rules.pace);
                        told.push(Told { file: Some(series.name().into()), ..one });
                    }
                    if watcher.at(done + t + 1).is_break() {
                        return Err(Error::Interrupted(": nothing was written".into()));
                    }
                }
            }
            done += series.len();
        }
        Ok(told)
    }
}

fn short(name: &str, wanted: usize, found: usize) -> Error {
    let name = Path::new(name).display();
    Error::Usage(format!(
        "{name}: wanted {wanted} samples without a break to forecast from, found {found}"
    ))
}
