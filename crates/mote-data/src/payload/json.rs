//! Plain JSON: an object for each record, alone or in an array.

use mote_format::Schema;
use serde_json::{Map, Value};

use super::{Scalar, nothing_known, offsets, put, scalars};
use crate::{
    error::{Error, ErrorKind},
    record::Record,
    time::{TimeFormat, Timestamp, guess_unit},
};

/// Keys that hold the time, in the order in which they are looked for.
const TIME_KEYS: [&str; 3] = ["time", "timestamp", "ts"];

/// Deeper objects than this are no measurements; the bound also keeps the flattening shallow.
const DEPTH_MAX: usize = 16;

/// The records in a message: an object, or an array of objects. Keys that the schema does not know
/// are left alone; columns that the message lacks are missing.
///
/// # Errors
///
/// [`ErrorKind::Payload`] for other JSON and for an object that has none of the columns;
/// [`ErrorKind::NotANumber`], [`ErrorKind::NotFinite`], [`ErrorKind::Time`].
pub fn records(
    schema: &Schema,
    value: Value,
    received: Option<Timestamp>,
) -> Result<Vec<Record>, Error> {
    match value {
        Value::Array(items) => {
            items.into_iter().map(|item| record(schema, item, received)).collect()
        }
        item => Ok(vec![record(schema, item, received)?]),
    }
}

fn record(schema: &Schema, item: Value, received: Option<Timestamp>) -> Result<Record, Error> {
    let fields = flatten(item)?;
    let mut values = vec![f32::NAN; schema.features()];
    let mut known = 0;
    for (column, offset) in schema.columns.iter().zip(offsets(schema)) {
        let Some((_, value)) = fields.iter().find(|(key, _)| *key == column.name) else { continue };
        known += 1;
        let scalar = match value {
            Value::Null => Scalar::Missing,
            Value::Bool(b) => Scalar::Bool(*b),
            Value::Number(n) => n.as_f64().map_or(Scalar::Missing, Scalar::Number),
            Value::String(text) => Scalar::Text(text),
            other => {
                let wanted = "one value";
                return Err(Error::wanted(ErrorKind::Payload, wanted, &other.to_string())
                    .in_column(&column.name));
            }
        };
        put(column, &scalar, &mut values[offset..][..column.kind.features()])?;
    }
    if known == 0 {
        let found: Vec<&str> = fields.iter().map(|(key, _)| key.as_str()).collect();
        return Err(nothing_known(schema, &found));
    }
    Ok(Record { time: time(schema, &fields)?.or(received), values, label: None })
}

/// The time of a message, under one of the usual keys unless that is a column of the model.
fn time(schema: &Schema, fields: &[(String, Value)]) -> Result<Option<Timestamp>, Error> {
    let is_column = |key: &str| schema.columns.iter().any(|c| c.name == key);
    let found = TIME_KEYS
        .iter()
        .filter(|key| !is_column(key))
        .find_map(|key| fields.iter().find(|(k, v)| k == key && !v.is_null()));
    let Some((key, value)) = found else { return Ok(None) };
    let instant = match value {
        Value::Number(n) => n.as_f64().and_then(|seconds| {
            let (unit, _) = guess_unit(key, seconds, seconds);
            n.as_i64().map_or_else(|| unit.of_number(seconds), |whole| unit.of_integer(whole))
        }),
        Value::String(text) => TimeFormat::Iso.parse(text),
        _ => None,
    };
    instant.map(Some).ok_or_else(|| {
        let wanted = "a time (ISO 8601, or a number since the epoch)";
        Error::wanted(ErrorKind::Time, wanted, &value.to_string()).in_column(key)
    })
}

/// The fields of an object with nested keys joined by dots, in the order of their keys.
///
/// # Errors
///
/// [`ErrorKind::Payload`] for anything but an object, and for objects nested too deeply.
pub(crate) fn flatten(value: Value) -> Result<Vec<(String, Value)>, Error> {
    let Value::Object(map) = value else {
        return Err(Error::wanted(ErrorKind::Payload, "a JSON object", &value.to_string()));
    };
    let mut fields = Vec::new();
    let mut open: Vec<(String, usize, Map<String, Value>)> = vec![(String::new(), 1, map)];
    while let Some((prefix, depth, map)) = open.pop() {
        for (key, value) in map {
            let key = if prefix.is_empty() { key } else { format!("{prefix}.{key}") };
            match value {
                Value::Object(_) if depth >= DEPTH_MAX => {
                    let what = format!("objects are nested more than {DEPTH_MAX} deep");
                    return Err(Error::new(ErrorKind::Payload, what).in_column(&key));
                }
                Value::Object(map) => open.push((key, depth + 1, map)),
                value => fields.push((key, value)),
            }
        }
    }
    Ok(fields)
}

/// A record as one JSON object on one line: `time` in RFC 3339, then the columns, `null` where
/// missing. [`records`] reads it back.
#[must_use]
pub fn encode(schema: &Schema, record: &Record) -> String {
    Value::Object(fields(schema, record)).to_string()
}

/// The fields of that object.
#[must_use]
pub fn fields(schema: &Schema, record: &Record) -> Map<String, Value> {
    let mut map = Map::new();
    if let Some(time) = record.time {
        map.insert("time".into(), time.to_string().into());
    }
    for (name, scalar) in scalars(schema, record) {
        let value = match scalar {
            Scalar::Missing => Value::Null,
            Scalar::Number(n) => n.into(),
            Scalar::Bool(b) => b.into(),
            Scalar::Text(text) => text.into(),
        };
        map.insert(name.into(), value);
    }
    map
}
