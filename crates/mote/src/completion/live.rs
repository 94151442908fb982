//! Streams: futures every so many samples, and holes filled as they pass. Memory is bounded.

use mote_data::{
    Record, Timestamp,
    align::{Pace, Sample},
    payload,
};
use mote_eval::interval::quantile;
use mote_format::{Kind, Schema};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    Follower, Question, Told,
    draw::{Drawer, Known, largest},
    told::rounded,
};
use crate::{Error, stream::Watch};

/// Forecasts a stream.
#[derive(Debug)]
pub struct Forecasting<'m> {
    follower: Follower<'m>,
    question: Question,
    schema: &'m Schema,
    pace: Pace,
    every: usize,
    since: usize,
}

impl<'m> Forecasting<'m> {
    /// A forecast after every so many samples, at least 1, from the first that has past enough.
    ///
    /// # Panics
    ///
    /// If `every` is zero.
    #[must_use]
    pub fn new(
        follower: Follower<'m>,
        question: Question,
        schema: &'m Schema,
        pace: Pace,
        every: usize,
    ) -> Self {
        assert!(every > 0, "a forecast after no sample");
        Self { follower, question, schema, pace, every, since: every }
    }
}

impl Watch for Forecasting<'_> {
    type Said = Told;

    fn sample(&mut self, sample: &Sample, out: &mut Vec<Told>) {
        self.follower.push(&sample.values, &sample.mask);
        self.since += 1;
        if self.since < self.every || !self.follower.is_ready() {
            return;
        }
        if let Some(forecast) = self.follower.forecast() {
            self.since = 0;
            let Self { question, schema, pace, .. } = self;
            out.push(Told::new(&forecast, question, schema, sample.time, *pace));
        }
    }

    fn end(&mut self, _: &mut Vec<Told>) {
        self.follower.forget();
        self.since = self.every;
    }
}

/// A sample of a stream without holes, as far as they could be filled.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Whole(Map<String, Value>);

impl Whole {
    /// In one line, for people.
    #[must_use]
    pub fn words(&self) -> String {
        Value::Object(self.0.clone()).to_string()
    }
}

/// Fills the holes of a stream.
#[derive(Debug)]
pub struct Filling<'m> {
    drawer: Drawer<'m>,
    confidence: f64,
    /// Samples that follow a hole before it is filled.
    delay: usize,
    /// The newest samples, at most as many as a window.
    times: Vec<Option<Timestamp>>,
    values: Vec<f32>,
    mask: Vec<f32>,
    /// How many of them have been put out.
    told: usize,
    /// Samples that left since the drawer last looked.
    moved: usize,
    /// Samples of the stream that have left.
    gone: u64,
}

impl<'m> Filling<'m> {
    /// With ranges of a coverage of `confidence`. A sample is put out when `delay` others have followed
    /// it: the more, the better are holes filled; `None` for a quarter of a window.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] for a delay that is no shorter than a window, or a confidence out of range.
    pub fn new(drawer: Drawer<'m>, confidence: f64, delay: Option<usize>) -> Result<Self, Error> {
        let [length, _] = drawer.shape();
        let delay = delay.unwrap_or(length / 4);
        if delay >= length || !(confidence > 0.0 && confidence < 1.0) {
            return Err(Error::Usage(format!(
                "wanted a delay shorter than the window of {length} and intervals between 0 and 1, found {delay} and {confidence}"
            )));
        }
        let (times, values, mask) = Default::default();
        Ok(Self { drawer, confidence, delay, times, values, mask, told: 0, moved: 0, gone: 0 })
    }

    /// Puts out the samples of the window before `end`.
    fn tell(&mut self, end: usize, out: &mut Vec<Whole>) {
        let [length, features] = self.drawer.shape();
        let fresh = self.told * features..end * features;
        let holes = self.mask[fresh].contains(&0.0);
        let mut draws = Vec::new();
        if holes && self.times.len() == length {
            self.drawer.advance(std::mem::take(&mut self.moved));
            let known = Known { values: &self.values, mask: &self.mask };
            // What one pass settles never depends on how often the drawer looked before.
            let mut noise = self.drawer.noise(self.gone + self.told as u64);
            draws = self.drawer.settle(known, end, &mut noise);
        }
        let rows = draws.len() / self.drawer.draws() / features;
        for t in self.told..end {
            // What was settled ends here, and may begin before what is new.
            let back = end - t;
            let of = |draw: &[f32]| draw[(rows - back) * features..][..features].to_vec();
            let drawn: Vec<Vec<f32>> = match rows {
                0 => Vec::new(),
                _ => draws.chunks_exact(rows * features).map(of).collect(),
            };
            out.push(self.whole(t, &drawn));
        }
        self.told = end;
    }

    /// One sample, with what was drawn for it.
    fn whole(&self, t: usize, drawn: &[Vec<f32>]) -> Whole {
        let schema = self.drawer.schema();
        let features = schema.features();
        let row = t * features..(t + 1) * features;
        let (mut values, mask) = (self.values[row.clone()].to_vec(), &self.mask[row]);
        let (mut imputed, mut first) = (Map::new(), 0);
        for column in &schema.columns {
            let of = first..first + column.kind.features();
            first = of.end;
            if mask[of.start] == 1.0 {
                continue;
            }
            if drawn.is_empty() {
                values[of].fill(f32::NAN);
                continue;
            }
            let said = match &column.kind {
                Kind::Numeric => {
                    let mut draws: Vec<f64> =
                        drawn.iter().map(|d| f64::from(d[of.start])).collect();
                    draws.sort_unstable_by(f64::total_cmp);
                    let level = |q| quantile(&draws, q).unwrap_or(f64::NAN);
                    values[of.start] = level(0.5) as f32;
                    let half = self.confidence / 2.0;
                    json!({ "lower": rounded(level(0.5 - half)), "upper": rounded(level(0.5 + half)) })
                }
                Kind::Categorical { .. } => {
                    let share =
                        |i: usize| drawn.iter().map(|d| d[i]).sum::<f32>() / drawn.len() as f32;
                    let shares: Vec<f32> = of.clone().map(share).collect();
                    let best = largest(&shares);
                    for (i, value) in values[of].iter_mut().enumerate() {
                        *value = f32::from(u8::from(i == best));
                    }
                    json!({ "share": shares[best] })
                }
            };
            imputed.insert(column.name.clone(), said);
        }
        let record = Record::new(self.times[t], values);
        let mut fields = payload::json::fields(schema, &record);
        if !imputed.is_empty() {
            fields.insert("imputed".into(), imputed.into());
        }
        Whole(fields)
    }
}

impl Watch for Filling<'_> {
    type Said = Whole;

    fn sample(&mut self, sample: &Sample, out: &mut Vec<Whole>) {
        let [length, features] = self.drawer.shape();
        if self.times.len() == length {
            self.times.remove(0);
            self.values.drain(..features);
            self.mask.drain(..features);
            self.told = self.told.saturating_sub(1);
            self.moved += 1;
            self.gone += 1;
        }
        self.times.push(sample.time);
        self.values.extend_from_slice(&sample.values);
        self.mask.extend_from_slice(&sample.mask);
        if self.times.len() == length {
            self.tell(length - self.delay, out);
        }
    }

    fn end(&mut self, out: &mut Vec<Whole>) {
        self.tell(self.times.len(), out);
        self.drawer.forget();
        self.gone += self.times.len() as u64;
        self.times.clear();
        self.values.clear();
        self.mask.clear();
        (self.told, self.moved) = (0, 0);
    }
}
