//! Messages to records of a schema, and back: plain JSON and SenML.

use mote_format::{Column, Kind, Schema};
use serde_json::Value;

use crate::{
    error::{Error, ErrorKind, names},
    record::{Record, feature, one_hot, shortest},
    time::Timestamp,
};

pub mod json;
pub mod senml;

/// The most bytes of one message. A day of one sensor at 1 Hz is about 4 MiB of JSON; brokers
/// often allow far more, and a device must not be filled up by one message.
pub const MESSAGE_BYTES_MAX: usize = 4 << 20;

/// Reads a message, which is SenML if it is an array whose objects have SenML's short fields, and
/// plain JSON otherwise. `received` is now, for messages without a time of their own; `None`
/// leaves such records without time.
///
/// # Errors
///
/// [`ErrorKind::Payload`] saying what was found; [`ErrorKind::TooLarge`]; [`ErrorKind::Encoding`].
pub fn decode(
    schema: &Schema,
    message: &[u8],
    received: Option<Timestamp>,
) -> Result<Vec<Record>, Error> {
    let value = parse(message)?;
    if senml::is_pack(&value) {
        senml::records(schema, &senml::resolve(value, received)?)
    } else {
        json::records(schema, value, received)
    }
}

/// The JSON of a message within the limit.
fn parse(message: &[u8]) -> Result<Value, Error> {
    if message.len() > MESSAGE_BYTES_MAX {
        let what = format!(
            "wanted a message of at most {MESSAGE_BYTES_MAX} bytes, found {}",
            message.len()
        );
        return Err(Error::new(ErrorKind::TooLarge, what));
    }
    let text = std::str::from_utf8(message).map_err(|e| {
        let what = format!("wanted UTF-8 text, found another byte at offset {}", e.valid_up_to());
        Error::new(ErrorKind::Encoding, what)
    })?;
    serde_json::from_str(text)
        .map_err(|e| Error::new(ErrorKind::Payload, format!("wanted JSON: {e}")))
}

/// One value of a message, whatever its notation.
#[derive(Clone, Debug, PartialEq)]
enum Scalar<'a> {
    Missing,
    Number(f64),
    Bool(bool),
    Text(&'a str),
}

/// Writes the value of one column into the features of a record, which it owns from `offset` on.
fn put(column: &Column, value: &Scalar<'_>, features: &mut [f32]) -> Result<(), Error> {
    match (&column.kind, value) {
        (_, Scalar::Missing) => {}
        (Kind::Numeric, Scalar::Number(n)) => {
            features[0] = feature(*n).ok_or_else(|| {
                Error::wanted(ErrorKind::NotFinite, "a finite number", &n.to_string())
                    .in_column(&column.name)
            })?;
        }
        (Kind::Numeric, Scalar::Bool(b)) => features[0] = f32::from(u8::from(*b)),
        (Kind::Numeric, Scalar::Text(text)) => {
            return Err(
                Error::wanted(ErrorKind::NotANumber, "a number", text).in_column(&column.name)
            );
        }
        (Kind::Categorical { levels }, Scalar::Text(text)) => one_hot(levels, text, features),
        (Kind::Categorical { levels }, Scalar::Number(n)) => {
            one_hot(levels, &n.to_string(), features);
        }
        (Kind::Categorical { levels }, Scalar::Bool(b)) => {
            one_hot(levels, &b.to_string(), features);
        }
    }
    Ok(())
}

/// The first feature of each column.
fn offsets(schema: &Schema) -> Vec<usize> {
    schema
        .columns
        .iter()
        .scan(0, |next, column| {
            let offset = *next;
            *next += column.kind.features();
            Some(offset)
        })
        .collect()
}

/// The value of each column of a record, as it would stand in a message.
fn scalars<'a>(schema: &'a Schema, record: &Record) -> impl Iterator<Item = (&'a str, Scalar<'a>)> {
    let values: Vec<f32> = record.values.clone();
    schema.columns.iter().zip(offsets(schema)).map(move |(column, offset)| {
        let features = &values[offset..][..column.kind.features()];
        let scalar = match &column.kind {
            Kind::Numeric if features[0].is_finite() => Scalar::Number(shortest(features[0])),
            Kind::Numeric => Scalar::Missing,
            Kind::Categorical { levels } => features
                .iter()
                .position(|&f| f > 0.5)
                .map_or(Scalar::Missing, |at| Scalar::Text(&levels[at])),
        };
        (column.name.as_str(), scalar)
    })
}

/// The error for a message that holds nothing of the schema.
fn nothing_known(schema: &Schema, found: &[&str]) -> Error {
    let wanted: Vec<&str> = schema.columns.iter().map(|c| c.name.as_str()).collect();
    let what = format!("wanted any of {}, found {}", names(&wanted), names(found));
    Error::new(ErrorKind::Payload, what)
}
