//! A model on live data: records in, scores and events out, or holes filled, or futures; in bounded
//! memory.
//!
//! The same aligner and the same detector as for files, so a stream that is recorded and scored
//! later gives the same numbers.

use mote_data::{
    Record, Timestamp,
    align::{Aligner, Gaps, Rules, Sample},
};
use mote_format::{Model, Schema};
use mote_runtime::{Detector, Event, Sample as Observed, Step};
use serde::Serialize;

use crate::{
    Error,
    scoring::{Found, describe},
};

/// What comes out, in the order in which it becomes certain.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Output {
    /// The score of a sample.
    Score(Line),
    /// An event that is over.
    Event(Dated),
}

/// The score of one sample.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// Counted from the first sample of the stream.
    pub sample: u64,
    /// When it was measured, as ISO 8601 in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// Nats per observed value; `None` while the window fills.
    pub score: Option<f64>,
    /// How many deviations it lies above the scores of late, where the model tracks them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub surprise: Option<f64>,
    /// Whether it is an alarm.
    pub alarm: bool,
}

/// An event with the times of its samples.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Dated {
    /// What was found.
    #[serde(flatten)]
    pub found: Found,
    /// When it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<String>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time: Option<String>,
    /// When it was worst.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_time: Option<String>,
}

/// What looks at the samples of a stream, one after another, and says something of them.
pub trait Watch {
    /// What it says.
    type Said;

    /// Looks at the next sample of a segment; appends what has become certain.
    fn sample(&mut self, sample: &Sample, out: &mut Vec<Self::Said>);

    /// The segment is over, because time has jumped or the stream has ended: appends what it still
    /// has to say, and forgets it.
    fn end(&mut self, out: &mut Vec<Self::Said>);
}

/// A stream of records, aligned, under the eyes of something.
#[derive(Debug)]
pub struct Live<W> {
    watch: W,
    aligner: Aligner,
    segment: u64,
    rows: u64,
    /// Samples that the last record made certain; kept to be used again.
    samples: Vec<Sample>,
}

impl<W: Watch> Live<W> {
    /// A stream of which nothing was seen.
    #[must_use]
    pub fn watched(schema: &Schema, rules: Rules, watch: W) -> Self {
        let aligner = Aligner::new(schema, rules);
        Self { watch, aligner, segment: 0, rows: 0, samples: Vec::new() }
    }

    /// Takes a record; what it makes certain is appended to `out`.
    pub fn push(&mut self, record: Record, out: &mut Vec<W::Said>) {
        let mut samples = std::mem::take(&mut self.samples);
        self.aligner.push(self.rows, record, &mut samples);
        self.rows += 1;
        self.take(&mut samples, out);
    }

    /// The stream is over: appends what is still held back.
    pub fn finish(&mut self, out: &mut Vec<W::Said>) {
        let mut samples = std::mem::take(&mut self.samples);
        self.aligner.finish(&mut samples);
        self.take(&mut samples, out);
        self.watch.end(out);
    }

    /// What had to be mended so far.
    #[must_use]
    pub fn gaps(&self) -> Gaps {
        self.aligner.gaps()
    }

    fn take(&mut self, samples: &mut Vec<Sample>, out: &mut Vec<W::Said>) {
        for sample in samples.drain(..) {
            if sample.segment != self.segment {
                self.segment = sample.segment;
                self.watch.end(out);
            }
            self.watch.sample(&sample, out);
        }
        self.samples = std::mem::take(samples);
    }
}

impl<'m> Live<Detection<'m>> {
    /// A detector on a stream.
    ///
    /// # Errors
    ///
    /// [`Error::Load`] if the model has no `score`.
    pub fn new(model: &'m Model<'m>, rules: Rules) -> Result<Self, Error> {
        let detector = Detector::new(model)?;
        let watch = Detection { model, detector, times: EventTimes::default() };
        Ok(Self::watched(&model.manifest.schema, rules, watch))
    }

    /// Bytes that the detector holds beside the weights.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.watch.detector.memory_bytes()
    }
}

/// Scores each sample and joins alarms into events.
#[derive(Debug)]
pub struct Detection<'m> {
    model: &'m Model<'m>,
    detector: Detector<'m>,
    times: EventTimes,
}

/// The times of the event that is open.
#[derive(Clone, Copy, Debug, Default)]
struct EventTimes {
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    peak: Option<Timestamp>,
}

impl Watch for Detection<'_> {
    type Said = Output;

    fn sample(&mut self, sample: &Sample, out: &mut Vec<Output>) {
        let was_open = self.detector.open().is_some();
        let observed = Observed { values: &sample.values, mask: &sample.mask };
        let Step { scored, ended } = self.detector.push(observed);
        if let Some(event) =
            self.detector.open().filter(|_| scored.is_some_and(|s| s.alarm.is_some()))
        {
            if !was_open {
                self.times.start = sample.time;
            }
            self.times.end = sample.time;
            if event.peak == sample.index {
                self.times.peak = sample.time;
            }
        }
        out.push(Output::Score(Line {
            sample: sample.index,
            time: sample.time.map(|t| t.to_string()),
            score: scored.map(|s| s.score),
            surprise: scored.and_then(|s| s.surprise),
            alarm: scored.is_some_and(|s| s.alarm.is_some()),
        }));
        self.close(ended, out);
    }

    fn end(&mut self, out: &mut Vec<Output>) {
        let event = self.detector.reset();
        self.close(event, out);
    }
}

impl Detection<'_> {
    fn close(&mut self, event: Option<Event>, out: &mut Vec<Output>) {
        let Some(event) = event else { return };
        let found = describe(event, self.detector.cause(), &self.model.manifest.schema);
        let text = |t: Option<Timestamp>| t.map(|t| t.to_string());
        out.push(Output::Event(Dated {
            found,
            start_time: text(self.times.start),
            end_time: text(self.times.end),
            peak_time: text(self.times.peak),
        }));
        self.times = EventTimes::default();
    }
}
