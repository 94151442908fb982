//! Answers in the words of the schema: columns with their names, words as words, times as times.

use mote_data::{Timestamp, align::Pace, write::Values};
use mote_format::{Kind, Schema};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Forecast, Question, draw::largest};

/// A forecast as it is printed: one object, or rows of a table.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename = "forecast")]
pub struct Told {
    /// The file, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The last sample that was known, counted from the first.
    pub after: u64,
    /// When that was, as ISO 8601 in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// `(horizon,)`: when each sample will be, where samples are evenly apart in time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub times: Vec<String>,
    /// By the name of the column: of numbers, an array for each quantile; of words, the likeliest
    /// `level` with its `share` of the draws.
    pub columns: Map<String, Value>,
}

impl Told {
    /// Puts a forecast after a sample of `time` into words.
    #[must_use]
    pub fn new(
        forecast: &Forecast,
        question: &Question,
        schema: &Schema,
        time: Option<Timestamp>,
        pace: Pace,
    ) -> Self {
        let features = schema.features();
        let mut columns = Map::new();
        let mut first = 0;
        for column in &schema.columns {
            let of = first..first + column.kind.features();
            first = of.end;
            let told = match &column.kind {
                Kind::Numeric => numbers(forecast, question, features, of.start),
                Kind::Categorical { levels } => words(forecast, question, features, of, levels),
            };
            columns.insert(column.name.clone(), told);
        }
        let steps = 1..=question.horizon as i64;
        let at = |step| later(time?, pace, step);
        Self {
            file: None,
            after: forecast.after,
            time: time.map(|t| t.to_string()),
            times: steps.map_while(at).map(|t| t.to_string()).collect(),
            columns,
        }
    }

    /// In one line, for people: each column at the last step.
    #[must_use]
    pub fn words(&self) -> String {
        let last = |values: &Value| values.as_array().and_then(|a| a.last()).cloned();
        let of = |(name, told): (&String, &Value)| {
            let parts = told.as_object().into_iter().flatten();
            let parts = parts.filter_map(|(level, values)| {
                let value = last(values)?;
                Some(
                    value
                        .as_f64()
                        .map_or(format!("{level}: {value}"), |v| format!("{level}: {v:.4}")),
                )
            });
            format!("{name} {{{}}}", parts.collect::<Vec<_>>().join(", "))
        };
        let columns: Vec<String> = self.columns.iter().map(of).collect();
        let when = self.time.clone().unwrap_or_else(|| format!("sample {}", self.after));
        let until = self.times.last().map_or(String::new(), |t| format!(" at {t}"));
        format!("after {when}{until}: {}", columns.join("  "))
    }
}

/// The quantiles of one feature, an array for each level.
fn numbers(forecast: &Forecast, question: &Question, features: usize, feature: usize) -> Value {
    let count = question.levels.len();
    let of = |(i, level): (usize, &f64)| {
        let step = |h: usize| forecast.quantiles[(h * features + feature) * count + i];
        let values: Vec<f64> = (0..question.horizon).map(step).map(rounded).collect();
        (level.to_string(), json!(values))
    };
    Value::Object(question.levels.iter().enumerate().map(of).collect())
}

/// The likeliest of some levels at each step.
fn words(
    forecast: &Forecast,
    question: &Question,
    features: usize,
    of: std::ops::Range<usize>,
    levels: &[String],
) -> Value {
    let width = question.horizon * features;
    let shares = |h: usize| -> Vec<f32> {
        let share = |feature: usize| {
            let draws = forecast.draws.iter().skip(h * features + feature).step_by(width);
            draws.sum::<f32>() / question.draws as f32
        };
        of.clone().map(share).collect()
    };
    let best = |h: usize| {
        let shares = shares(h);
        let at = largest(&shares);
        (levels[at].clone(), shares[at])
    };
    let (levels, shares): (Vec<String>, Vec<f32>) = (0..question.horizon).map(best).unzip();
    json!({ "level": levels, "share": shares })
}

/// The columns of a table of forecasts: a row for each file, step and column of the schema, in its order.
#[must_use]
pub fn table(all: &[Told], question: &Question, schema: &Schema) -> Vec<(String, Values)> {
    let dated = all.iter().any(|t| !t.times.is_empty());
    let worded = all.iter().flat_map(|t| t.columns.values()).any(|c| c.get("level").is_some());
    let (mut files, mut after, mut steps, mut times) = (vec![], vec![], vec![], vec![]);
    let (mut names, mut levels, mut shares) = (vec![], vec![], vec![]);
    let mut quantiles = vec![vec![]; question.levels.len()];
    for told in all {
        for h in 0..question.horizon {
            let known = |c: &'_ mote_format::Column| told.columns.get_key_value(&c.name);
            for (name, column) in schema.columns.iter().filter_map(known) {
                files.push(told.file.clone());
                after.push(told.after as i64);
                steps.push(h as i64 + 1);
                times.push(told.times.get(h).cloned());
                names.push(Some(name.clone()));
                let at = |key: &str| column.get(key).and_then(|c| c.get(h));
                for (to, level) in quantiles.iter_mut().zip(&question.levels) {
                    to.push(at(&level.to_string()).and_then(Value::as_f64).unwrap_or(f64::NAN));
                }
                levels.push(at("level").and_then(Value::as_str).map(str::to_owned));
                shares.push(at("share").and_then(Value::as_f64).unwrap_or(f64::NAN));
            }
        }
    }
    let mut table = vec![
        ("file".to_owned(), Values::Words(files)),
        ("after".to_owned(), Values::Integers(after)),
        ("step".to_owned(), Values::Integers(steps)),
    ];
    if dated {
        table.push(("time".to_owned(), Values::Words(times)));
    }
    table.push(("column".to_owned(), Values::Words(names)));
    let named = question.levels.iter().zip(quantiles);
    table.extend(named.map(|(level, values)| (format!("q{level}"), Values::Numbers(values))));
    if worded {
        table.push(("level".to_owned(), Values::Words(levels)));
        table.push(("share".to_owned(), Values::Numbers(shares)));
    }
    table
}

/// The columns of rows `(rows, features)` by their names: numbers, and words as the level whose feature is
/// largest. Missing where a feature is no number.
#[must_use]
pub fn columns(schema: &Schema, rows: &[f32]) -> Vec<(String, Values)> {
    let width = schema.features();
    let mut first = 0;
    let of = |column: &mote_format::Column| {
        let features = first..first + column.kind.features();
        first = features.end;
        let rows = rows.chunks_exact(width).map(|row| &row[features.clone()]);
        let values = match &column.kind {
            Kind::Numeric => Values::Numbers(rows.map(|row| rounded(row[0].into())).collect()),
            Kind::Categorical { levels } => {
                let level = |row: &[f32]| (!row[0].is_nan()).then(|| levels[largest(row)].clone());
                Values::Words(rows.map(level).collect())
            }
        };
        (column.name.clone(), values)
    };
    schema.columns.iter().map(of).collect()
}

/// So many steps after a time, where time has a pace.
fn later(time: Timestamp, pace: Pace, steps: i64) -> Option<Timestamp> {
    let (Pace::Steps { period_ns } | Pace::Bins { period_ns }) = pace else { return None };
    period_ns.checked_mul(steps)?.checked_add(time.0).map(Timestamp)
}

/// With the digits of a float of 32 bits, which is what there is.
pub(super) fn rounded(value: f64) -> f64 {
    (value as f32).to_string().parse().unwrap_or(value)
}
