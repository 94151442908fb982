//! Labelled windows, divided so that nothing of a person, recording or machine is on both sides where the
//! data allows it.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use mote::{
    Error,
    source::{Reading, Source},
};
use mote_data::Series;
use mote_learn::baseline::Labelled;

pub(crate) const SETS: [&str; 3] = ["activity", "heartbeat", "bearing"];

/// Samples in a window, of all sets.
const LENGTH: usize = 64;

pub(crate) struct Set {
    pub(crate) name: &'static str,
    pub(crate) title: String,
    pub(crate) features: usize,
    pub(crate) classes: Vec<String>,
    /// In units of the mean and deviation of each feature in the training part.
    pub(crate) train: Labelled,
    pub(crate) test: Labelled,
}

impl Set {
    pub(crate) fn shape(&self) -> [usize; 2] {
        [LENGTH, self.features]
    }
}

pub(crate) fn read(name: &str, data: &Path) -> Result<Set, Error> {
    match name {
        "activity" => activity(&data.join("har_geotec")),
        "heartbeat" => heartbeat(&data.join("ecg5000")),
        "bearing" => bearing(&data.join("cwru")),
        other => panic!("wanted activity, heartbeat or bearing, found {other}"),
    }
}

/// Windows of a part, before they are scaled.
#[derive(Default)]
struct Part {
    windows: Vec<f32>,
    classes: Vec<usize>,
}

/// A telephone in a pocket. Where there are several people, every second one tests; of one person, every
/// second recording.
fn activity(folder: &Path) -> Result<Set, Error> {
    let files = files_below(folder, &|name| name.contains("_sp.csv"))?;
    let person = |f: &Path| f.parent().and_then(Path::file_name).map(ToOwned::to_owned);
    let people: BTreeSet<_> = files.iter().map(|f| person(f)).collect();
    let mut reading = Reading::default();
    reading.dataset.read.label = Some(String::new());
    reading.dataset.read.categorical = vec!["label".into()];
    let source = reading.learn(&files)?;
    let [features, words] = numbers_and_words(&source);
    let (mut train, mut test) = (Part::default(), Part::default());
    for (i, (series, file)) in source.runs.series().iter().zip(&files).enumerate() {
        let group = match people.len() {
            1 => i,
            _ => people.iter().position(|p| *p == person(file)).unwrap_or(0),
        };
        let (part, stride) = if group % 2 == 0 { (&mut train, 8) } else { (&mut test, 16) };
        for range in series.segments() {
            let starts = range.clone().step_by(stride).take_while(|s| s + LENGTH <= range.end);
            for start in starts {
                let Some(class) = class_of(series, start, features, words) else { continue };
                part.classes.push(class);
                let width = features + words;
                for row in
                    series.values()[start * width..(start + LENGTH) * width].chunks_exact(width)
                {
                    part.windows.extend_from_slice(&row[..features]);
                }
            }
        }
    }
    let split = if people.len() == 1 {
        "one person; every second recording tests".into()
    } else {
        format!("{} people, every second one tests", people.len())
    };
    let title = format!("Activity (GeoTec, a telephone's acceleration and turning; {split})");
    Ok(scaled("activity", title, features, levels(&source), train, test))
}

/// The class of a window, if three quarters of its samples agree.
fn class_of(series: &Series, start: usize, features: usize, words: usize) -> Option<usize> {
    let width = features + words;
    let rows = series.values()[start * width..(start + LENGTH) * width].chunks_exact(width);
    let mut votes = vec![0.0; words];
    rows.for_each(|row| votes.iter_mut().zip(&row[features..]).for_each(|(v, x)| *v += x));
    votes.iter().position(|&v| v >= 0.75 * LENGTH as f32)
}

/// Single heartbeats, two samples averaged to one; divided as published.
fn heartbeat(folder: &Path) -> Result<Set, Error> {
    let mut reading = Reading::default();
    let read = &mut reading.dataset.read;
    (read.header, read.wide) = (Some(false), true);
    (read.label, read.categorical) = (Some(String::new()), vec!["c0".into()]);
    let [train, test] = ["ECG5000_TRAIN", "ECG5000_TEST"]
        .map(|name| files_below(folder, &|found| found.starts_with(name)));
    let source = reading.learn(&train?)?;
    let tests = reading.apply(&test?, &source.plan.schema, source.plan.rules)?;
    let words = levels(&source).len();
    let part = |series: &Series| {
        let mut part = Part::default();
        for beat in series.recordings() {
            let row = |t: usize| &series.values()[t * (1 + words)..][..1 + words];
            let first = row(beat.start);
            let Some(class) = first[1..].iter().position(|&v| v == 1.0) else { continue };
            part.classes.push(class);
            // Of 140 samples the middle 128.
            let pairs = (0..LENGTH).map(|i| beat.start + 6 + 2 * i);
            part.windows.extend(pairs.map(|t| 0.5 * (row(t)[0] + row(t + 1)[0])));
        }
        part
    };
    let (train, test) = (part(&source.runs.series()[0]), part(&tests.series()[0]));
    let title = "Heartbeats (ECG5000, one patient; divided as published)".into();
    Ok(scaled("heartbeat", title, 1, levels(&source), train, test))
}

/// Two accelerometers of a motor; each recording is a fault, its first half trains and its second tests,
/// for there is one recording of each.
fn bearing(folder: &Path) -> Result<Set, Error> {
    let files = files_below(folder, &|name| name.contains(".csv"))?;
    let source = Reading::default().learn(&files)?;
    let features = source.runs.schema().features();
    let (mut train, mut test) = (Part::default(), Part::default());
    let mut classes = Vec::new();
    for (class, (series, file)) in source.runs.series().iter().zip(&files).enumerate() {
        let name = file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        classes.push(name.split('.').next().unwrap_or_default().to_owned());
        let half = series.len() / 2;
        for start in (0..series.len().saturating_sub(LENGTH)).step_by(LENGTH) {
            let part = match (start + LENGTH <= half, start >= half + LENGTH) {
                (true, _) => &mut train,
                (_, true) => &mut test,
                _ => continue,
            };
            part.classes.push(class);
            part.windows
                .extend_from_slice(&series.values()[start * features..(start + LENGTH) * features]);
        }
    }
    let title =
        "Bearings (CWRU, one machine; the first half of each recording trains, the second tests)";
    Ok(scaled("bearing", title.into(), features, classes, train, test))
}

/// Features that are numbers, and those of the one column of words behind them.
fn numbers_and_words(source: &Source) -> [usize; 2] {
    let words = levels(source).len();
    [source.runs.schema().features() - words, words]
}

fn levels(source: &Source) -> Vec<String> {
    let last = source.runs.schema().columns.last().map(|c| c.kind.clone());
    match last {
        Some(mote_format::Kind::Categorical { levels }) => levels,
        found => panic!("wanted a last column of words, found {found:?}"),
    }
}

fn scaled(
    name: &'static str,
    title: String,
    features: usize,
    classes: Vec<String>,
    train: Part,
    test: Part,
) -> Set {
    let of = |feature: usize| train.windows.iter().skip(feature).step_by(features).copied();
    let n = (train.windows.len() / features) as f32;
    let moments: Vec<[f32; 2]> = (0..features)
        .map(|f| {
            let mean = of(f).sum::<f32>() / n;
            let variance = of(f).map(|x| (x - mean).powi(2)).sum::<f32>() / n;
            [mean, variance.sqrt().max(1e-6)]
        })
        .collect();
    let scale = |part: Part| {
        let scaled = part.windows.iter().enumerate().map(|(i, x)| {
            let [mean, deviation] = moments[i % features];
            (x - mean) / deviation
        });
        Labelled { windows: scaled.collect(), classes: part.classes }
    };
    Set { name, title, features, classes, test: scale(test), train: scale(train) }
}

fn files_below(folder: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    let entries = std::fs::read_dir(folder).map_err(|e| Error::io("read", folder, e))?;
    for entry in entries {
        let path = entry.map_err(|e| Error::io("read", folder, e))?.path();
        if path.is_dir() {
            found.extend(files_below(&path, wanted)?);
        } else if path.file_name().is_some_and(|n| wanted(&n.to_string_lossy())) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
