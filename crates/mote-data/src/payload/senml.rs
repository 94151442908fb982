//! Sensor Measurement Lists in JSON, RFC 8428: base fields, relative times, several sensors a pack.

use std::collections::BTreeMap;

use mote_format::Schema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Scalar, nothing_known, offsets, put, scalars};
use crate::{
    error::{Error, ErrorKind},
    record::Record,
    time::Timestamp,
};

/// The version of SenML that is understood (section 4.4); a higher `bver` is refused.
const VERSION: i64 = 10;

/// Times below this are relative to now, others count from 1970 (section 4.5.3).
const ABSOLUTE_MIN: f64 = (1 << 28) as f64;

/// A record with its base fields applied (section 4.6).
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// Base name and name in one; globally unique by intent.
    pub name: String,
    /// Unit, by the registry of section 12.1.
    pub unit: Option<String>,
    /// When it was measured; `None` for *now* where now is not known.
    pub time: Option<Timestamp>,
    /// What was measured.
    pub value: Measured,
    /// The integral of the value over time, where given.
    pub sum: Option<f64>,
}

/// The value of a record.
#[derive(Clone, Debug, PartialEq)]
pub enum Measured {
    /// `v`
    Number(f64),
    /// `vb`
    Bool(bool),
    /// `vs`
    Text(String),
    /// `vd`, still in its base64 text
    Data(String),
    /// Only a sum was given.
    None,
}

/// A record as it stands in the JSON text.
#[derive(Deserialize)]
struct Raw {
    bn: Option<String>,
    bt: Option<f64>,
    bu: Option<String>,
    bv: Option<f64>,
    bs: Option<f64>,
    bver: Option<i64>,
    n: Option<String>,
    u: Option<String>,
    t: Option<f64>,
    v: Option<f64>,
    vb: Option<bool>,
    vs: Option<String>,
    vd: Option<String>,
    s: Option<f64>,
    #[serde(flatten)]
    other: Map<String, Value>,
}

/// Base fields, which hold from one record to the next.
#[derive(Default)]
struct Base {
    name: String,
    time: f64,
    unit: Option<String>,
    value: Option<f64>,
    sum: Option<f64>,
}

/// Whether JSON is a SenML pack: an array of objects, the first with one of its value fields or a
/// base field.
#[must_use]
pub fn is_pack(value: &Value) -> bool {
    let first = value.as_array().and_then(|a| a.first()).and_then(Value::as_object);
    let named = |o: &Map<String, Value>| o.contains_key("n") || o.contains_key("bn");
    let valued = ["v", "vb", "vs", "vd", "s", "bv", "bt", "bu", "bver"];
    first.is_some_and(|o| named(o) && valued.iter().any(|key| o.contains_key(*key)))
        || first.is_some_and(|o| o.contains_key("bn"))
}

/// Applies base fields and relative times. `now` stands for the time of reception.
///
/// # Errors
///
/// [`ErrorKind::Payload`] with the number of the record, from 1, for what the RFC forbids: wrong
/// types, unknown fields that must be understood (`_` at their end), a newer version, no name,
/// no or more than one value.
pub fn resolve(pack: Value, now: Option<Timestamp>) -> Result<Vec<Resolved>, Error> {
    let raw = match pack {
        Value::Array(items) => items,
        other => {
            return Err(Error::wanted(ErrorKind::Payload, "a SenML array", &other.to_string()));
        }
    };
    let mut base = Base::default();
    let mut resolved = Vec::with_capacity(raw.len());
    for (i, item) in raw.into_iter().enumerate() {
        let place = |e: Error| e.at_line(i as u64 + 1);
        let raw: Raw = serde_json::from_value(item).map_err(|e| {
            place(Error::new(ErrorKind::Payload, format!("wanted a SenML record: {e}")))
        })?;
        resolved.extend(one(raw, &mut base, now).map_err(place)?);
    }
    Ok(resolved)
}

/// `None` for a record that only sets base fields.
fn one(raw: Raw, base: &mut Base, now: Option<Timestamp>) -> Result<Option<Resolved>, Error> {
    let error = |what: String| Error::new(ErrorKind::Payload, what);
    if let Some(version) = raw.bver.filter(|&v| v > VERSION) {
        return Err(error(format!("wanted SenML version {VERSION} or lower, found {version}")));
    }
    if let Some(key) = raw.other.keys().find(|key| key.ends_with('_')) {
        return Err(error(format!("field `{key}` must be understood and is not")));
    }
    base.name = raw.bn.unwrap_or(std::mem::take(&mut base.name));
    base.time = raw.bt.unwrap_or(base.time);
    base.unit = raw.bu.or(base.unit.take());
    base.value = raw.bv.or(base.value);
    base.sum = raw.bs.or(base.sum);

    let values = [
        raw.v.map(|v| Measured::Number(v + base.value.unwrap_or(0.0))),
        raw.vb.map(Measured::Bool),
        raw.vs.map(Measured::Text),
        raw.vd.map(Measured::Data),
    ];
    let mut values = values.into_iter().flatten();
    let value = values.next();
    if values.next().is_some() {
        return Err(error("wanted one of v, vb, vs, vd; found several".into()));
    }
    let value = match (value, base.value, raw.s.or(base.sum)) {
        (Some(value), _, _) => value,
        // A base value alone is a value, of the sensor that the record names.
        (None, Some(value), _) if raw.n.is_some() => Measured::Number(value),
        (None, _, Some(_)) => Measured::None,
        (None, _, None) if raw.n.is_none() && raw.t.is_none() => return Ok(None),
        (None, _, None) => return Err(error("wanted one of v, vb, vs, vd, s; found none".into())),
    };
    let name = format!("{}{}", base.name, raw.n.unwrap_or_default());
    check_name(&name)?;
    let sum = match (raw.s, base.sum) {
        (None, None) => None,
        (s, bs) => Some(s.unwrap_or(0.0) + bs.unwrap_or(0.0)),
    };
    let time = instant(base.time + raw.t.unwrap_or(0.0), now)?;
    Ok(Some(Resolved { name, unit: raw.u.or_else(|| base.unit.clone()), time, value, sum }))
}

/// Section 4.5.1: letters, digits and `-:./_`, starting with a letter or digit.
fn check_name(name: &str) -> Result<(), Error> {
    let starts = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    let rest = name.chars().all(|c| c.is_ascii_alphanumeric() || "-:./_".contains(c));
    if starts && rest {
        return Ok(());
    }
    let wanted = "a name of letters, digits and -:./_ that starts with a letter or digit";
    Err(Error::wanted(ErrorKind::Payload, wanted, name))
}

fn instant(seconds: f64, now: Option<Timestamp>) -> Result<Option<Timestamp>, Error> {
    let time = if seconds >= ABSOLUTE_MIN {
        Timestamp::from_seconds(seconds)
    } else {
        let Some(now) = now else { return Ok(None) };
        Timestamp::from_seconds(seconds).and_then(|t| now.0.checked_add(t.0)).map(Timestamp)
    };
    time.map(Some).ok_or_else(|| {
        Error::wanted(ErrorKind::Time, "a time of the years 1677 to 2262", &seconds.to_string())
    })
}

/// Groups resolved records of one time into one [`Record`], in the order of time; those without
/// time come first, as one.
///
/// A record belongs to a column if its name is the column's, or ends with it after one of `:/.-_`.
///
/// # Errors
///
/// [`ErrorKind::Payload`] where no name fits a column, or two sensors at one time fit the same;
/// [`ErrorKind::NotANumber`], [`ErrorKind::NotFinite`].
pub fn records(schema: &Schema, pack: &[Resolved]) -> Result<Vec<Record>, Error> {
    let offsets = offsets(schema);
    let mut at: BTreeMap<Option<Timestamp>, (Record, Vec<Option<&str>>)> = BTreeMap::new();
    for resolved in pack {
        let Some(i) = column(schema, &resolved.name) else { continue };
        let (record, owners) = at.entry(resolved.time).or_insert_with(|| {
            let values = vec![f32::NAN; schema.features()];
            (Record::new(resolved.time, values), vec![None; schema.columns.len()])
        });
        let column = &schema.columns[i];
        if let Some(other) = owners[i].replace(&resolved.name).filter(|o| *o != resolved.name) {
            let what = format!("`{other}` and `{}` both fit it", resolved.name);
            return Err(Error::new(ErrorKind::Payload, what).in_column(&column.name));
        }
        let scalar = match &resolved.value {
            Measured::Number(n) => Scalar::Number(*n),
            Measured::Bool(b) => Scalar::Bool(*b),
            Measured::Text(text) | Measured::Data(text) => Scalar::Text(text),
            Measured::None => Scalar::Missing,
        };
        let features = &mut record.values[offsets[i]..][..column.kind.features()];
        put(column, &scalar, features)?;
    }
    if at.is_empty() {
        let found: Vec<&str> = pack.iter().map(|r| r.name.as_str()).collect();
        return Err(nothing_known(schema, &found));
    }
    Ok(at.into_values().map(|(record, _)| record).collect())
}

/// The column of a name: the longest that it ends with.
fn column(schema: &Schema, name: &str) -> Option<usize> {
    let fits = |column: &str| {
        name.strip_suffix(column)
            .is_some_and(|front| front.is_empty() || front.ends_with([':', '/', '.', '-', '_']))
    };
    let candidates = schema.columns.iter().enumerate().filter(|(_, c)| fits(&c.name));
    candidates.max_by_key(|(_, c)| c.name.len()).map(|(i, _)| i)
}

/// A record as a pack of one record a column, missing ones left out; [`resolve`] and [`records`]
/// read it back. `base_name` ends with its own separator, as in `urn:dev:mac:0024befffe804ff1:`.
#[must_use]
pub fn encode(schema: &Schema, record: &Record, base_name: &str) -> String {
    let mut pack = Vec::new();
    for (name, scalar) in scalars(schema, record) {
        let (key, value): (&str, Value) = match scalar {
            Scalar::Missing => continue,
            Scalar::Number(n) => ("v", n.into()),
            Scalar::Bool(b) => ("vb", b.into()),
            Scalar::Text(text) => ("vs", text.into()),
        };
        let mut map = Map::new();
        if pack.is_empty() {
            map.insert("bn".into(), base_name.into());
            if let Some(time) = record.time {
                map.insert("bt".into(), time.seconds().into());
            }
        }
        map.insert("n".into(), name.into());
        map.insert(key.into(), value);
        pack.push(Value::Object(map));
    }
    Value::Array(pack).to_string()
}
