//! Messages: plain JSON, and the examples of RFC 8428 (section 5.1) with what they resolve to.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use mote_data::{
    ErrorKind, Record, Timestamp,
    payload::{self, senml},
};
use mote_format::{Column, Kind, Schema};
use serde_json::Value;

fn schema() -> Schema {
    let levels = vec!["idle".into(), "run".into()];
    let column = |name: &str, kind| Column { name: name.into(), kind };
    let columns = vec![
        column("temperature", Kind::Numeric),
        column("pump.flow", Kind::Numeric),
        column("mode", Kind::Categorical { levels }),
    ];
    Schema { columns, period_s: Some(1.0) }
}

const NOW: Timestamp = Timestamp(1_700_000_000_000_000_000);

/// The message becomes these records; NaN is missing.
#[track_caller]
fn check(message: &str, wanted: &[(Timestamp, [f32; 4])]) {
    let found =
        payload::decode(&schema(), message.as_bytes(), Some(NOW)).unwrap_or_else(|e| panic!("{e}"));
    // As text, so that missing values compare as equal.
    let show = |r: &Record| format!("{:?} {:?}", r.time, r.values);
    let wanted: Vec<String> =
        wanted.iter().map(|(t, v)| show(&Record::new(Some(*t), v.to_vec()))).collect();
    assert_eq!(found.iter().map(show).collect::<Vec<_>>(), wanted);
}

#[track_caller]
fn refuse(message: &str, kind: ErrorKind, parts: &[&str]) {
    let error = payload::decode(&schema(), message.as_bytes(), Some(NOW)).expect_err("refused");
    assert_eq!(error.kind(), kind, "{error}");
    for part in parts {
        assert!(error.to_string().contains(part), "`{part}` is not in: {error}");
    }
}

const NO: f32 = f32::NAN;
const AT: Timestamp = Timestamp(1_714_979_289_500_000_000);

#[test]
fn reads_plain_json() {
    check(r#"{"temperature": 21.5, "other": [1]}"#, &[(NOW, [21.5, NO, NO, NO])]);
    let full = r#"{"pump": {"flow": 3}, "mode": "run", "temperature": null, "ts": 1714979289500}"#;
    check(full, &[(AT, [NO, 3.0, 0.0, 1.0])]);
    check(
        r#"{"pump.flow": true, "time": "2024-05-06T09:08:09.5+02:00"}"#,
        &[(AT, [NO, 1.0, NO, NO])],
    );
    check(r#"{"mode": "walk", "timestamp": 1714979289.5}"#, &[(AT, [NO, NO, 0.0, 0.0])]);
    let two = r#"[{"temperature": 1}, {"temperature": 2, "ts": 1714979289500000000}]"#;
    check(two, &[(NOW, [1.0, NO, NO, NO]), (AT, [2.0, NO, NO, NO])]);
    check("[]", &[]);
}

#[test]
fn refuses_other_messages_with_what_was_found() {
    refuse("{", ErrorKind::Payload, &["wanted JSON"]);
    refuse("42", ErrorKind::Payload, &["a JSON object", "`42`"]);
    refuse(r#"{"a": 1, "b": 2}"#, ErrorKind::Payload, &["`temperature`", "found `a`, `b`"]);
    refuse(r#"{"temperature": "hot"}"#, ErrorKind::NotANumber, &["`temperature`", "`hot`"]);
    refuse(r#"{"temperature": [1]}"#, ErrorKind::Payload, &["`temperature`", "`[1]`"]);
    refuse(r#"{"temperature": 1e300}"#, ErrorKind::NotFinite, &["`temperature`"]);
    refuse(r#"{"temperature": 1, "time": "soon"}"#, ErrorKind::Time, &["`time`", "soon"]);
    let deep = format!("{}1{}", r#"{"a":"#.repeat(20), "}".repeat(20));
    refuse(&deep, ErrorKind::Payload, &["16 deep"]);
    refuse(&" ".repeat(payload::MESSAGE_BYTES_MAX + 1), ErrorKind::TooLarge, &["4194304"]);
    let error = payload::decode(&schema(), b"\"\xff\"", None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Encoding);
}

#[test]
fn json_and_senml_read_back_what_they_write() {
    for values in [[21.1, 3.25, 0.0, 1.0], [-0.1, NO, 1.0, 0.0], [NO, 1e9, NO, NO]] {
        let record = Record::new(Some(AT), values.to_vec());
        let json = payload::json::encode(&schema(), &record);
        check(&json, &[(AT, values)]);
        check(&senml::encode(&schema(), &record, "urn:dev:mac:0024befffe804ff1:"), &[(AT, values)]);
    }
    let record = Record::new(Some(AT), vec![21.1, NO, NO, NO]);
    assert_eq!(
        payload::json::encode(&schema(), &record),
        r#"{"mode":null,"pump.flow":null,"temperature":21.1,"time":"2024-05-06T07:08:09.5Z"}"#
    );
}

/// A pack resolves to these names, units, times in seconds (relative to now below 2²⁸) and values.
#[track_caller]
fn resolves(pack: &str, wanted: &[(&str, &str, f64, Value)]) {
    let pack: Value = serde_json::from_str(pack).expect("valid JSON");
    assert!(senml::is_pack(&pack));
    let found = senml::resolve(pack, Some(NOW)).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(found.len(), wanted.len());
    for (found, (name, unit, seconds, value)) in found.iter().zip(wanted) {
        assert_eq!(found.name, *name);
        assert_eq!(found.unit.as_deref().unwrap_or(""), *unit, "{name}");
        let absolute = if *seconds < 268_435_456.0 { NOW.seconds() + seconds } else { *seconds };
        let time = found.time.expect("now is known").seconds();
        assert!((time - absolute).abs() < 1e-6, "{name}: wanted {absolute}, found {time}");
        let found = match &found.value {
            senml::Measured::Number(n) => Value::from(*n),
            senml::Measured::Bool(b) => Value::from(*b),
            senml::Measured::Text(t) | senml::Measured::Data(t) => Value::from(t.as_str()),
            senml::Measured::None => Value::Null,
        };
        assert_eq!(&found, value, "{name}");
    }
}

#[test]
fn resolves_a_single_datapoint() {
    let pack = r#"[{"n":"urn:dev:ow:10e2073a01080063","u":"Cel","v":23.1}]"#;
    resolves(pack, &[("urn:dev:ow:10e2073a01080063", "Cel", 0.0, 23.1.into())]);
}

#[test]
fn resolves_base_name_time_and_unit() {
    let pack = r#"[{"bn":"urn:dev:ow:10e2073a01080063:","n":"voltage","u":"V","v":120.1},
        {"n":"current","u":"A","v":1.2}]"#;
    let wanted = [
        ("urn:dev:ow:10e2073a01080063:voltage", "V", 0.0, 120.1.into()),
        ("urn:dev:ow:10e2073a01080063:current", "A", 0.0, 1.2.into()),
    ];
    resolves(pack, &wanted);
    let pack = r#"[
        {"bn":"urn:dev:ow:10e2073a0108006:","bt":1.276020076001e+09,"bu":"A","bver":5,
         "n":"voltage","u":"V","v":120.1},
        {"n":"current","t":-5,"v":1.2}, {"n":"current","t":-4,"v":1.3},
        {"n":"current","t":-3,"v":1.4}, {"n":"current","t":-2,"v":1.5},
        {"n":"current","t":-1,"v":1.6}, {"n":"current","v":1.7}]"#;
    let (base, current) = (1_276_020_076.001, "urn:dev:ow:10e2073a0108006:current");
    let wanted = [
        ("urn:dev:ow:10e2073a0108006:voltage", "V", base, 120.1.into()),
        (current, "A", base - 5.0, 1.2.into()),
        (current, "A", base - 4.0, 1.3.into()),
        (current, "A", base - 3.0, 1.4.into()),
        (current, "A", base - 2.0, 1.5.into()),
        (current, "A", base - 1.0, 1.6.into()),
        (current, "A", base, 1.7.into()),
    ];
    resolves(pack, &wanted);
}

#[test]
fn resolves_multiple_measurements_and_values_of_other_types() {
    let pack = r#"[
        {"bn":"urn:dev:ow:10e2073a01080063","bt":1.320067464e+09,"bu":"%RH","v":20},
        {"u":"lon","v":24.30621}, {"u":"lat","v":60.07965}, {"t":60,"v":20.3},
        {"u":"lon","t":60,"v":24.30622}, {"u":"%EL","t":150,"v":98}]"#;
    let (name, base) = ("urn:dev:ow:10e2073a01080063", 1_320_067_464.0);
    let wanted = [
        (name, "%RH", base, 20.0.into()),
        (name, "lon", base, 24.30621.into()),
        (name, "lat", base, 60.07965.into()),
        (name, "%RH", base + 60.0, 20.3.into()),
        (name, "lon", base + 60.0, 24.30622.into()),
        (name, "%EL", base + 150.0, 98.0.into()),
    ];
    resolves(pack, &wanted);
    let pack = r#"[{"bn":"urn:dev:ow:10e2073a01080063:","n":"temp","u":"Cel","v":23.1},
        {"n":"label","vs":"Machine Room"}, {"n":"open","vb":false}, {"n":"nfc-reader","vd":"aGkgCg"}]"#;
    let wanted = [
        ("urn:dev:ow:10e2073a01080063:temp", "Cel", 0.0, 23.1.into()),
        ("urn:dev:ow:10e2073a01080063:label", "", 0.0, "Machine Room".into()),
        ("urn:dev:ow:10e2073a01080063:open", "", 0.0, false.into()),
        ("urn:dev:ow:10e2073a01080063:nfc-reader", "", 0.0, "aGkgCg".into()),
    ];
    resolves(pack, &wanted);
}

#[test]
fn resolves_a_collection_of_resources() {
    let pack = r#"[
        {"bn":"2001:db8::2/","bt":1.320078429e+09,"n":"temperature","u":"Cel","v":25.2},
        {"n":"humidity","u":"%RH","v":30},
        {"bn":"2001:db8::1/","n":"temperature","u":"Cel","v":12.3},
        {"n":"humidity","u":"%RH","v":67}]"#;
    let base = 1_320_078_429.0;
    let wanted = [
        ("2001:db8::2/temperature", "Cel", base, 25.2.into()),
        ("2001:db8::2/humidity", "%RH", base, 30.0.into()),
        ("2001:db8::1/temperature", "Cel", base, 12.3.into()),
        ("2001:db8::1/humidity", "%RH", base, 67.0.into()),
    ];
    resolves(pack, &wanted);
    refuse(
        pack,
        ErrorKind::Payload,
        &["`temperature`", "2001:db8::2/", "2001:db8::1/", "both fit"],
    );
}

#[test]
fn adds_base_value_and_base_sum() {
    let pack = r#"[{"bn":"a:","bv":20,"n":"x","v":1.5},{"n":"y","v":-1},{"n":"z"},{"bs":5,"n":"w","s":2}]"#;
    let found = senml::resolve(serde_json::from_str(pack).unwrap(), None).unwrap();
    let values: Vec<&senml::Measured> = found.iter().map(|r| &r.value).collect();
    let number = senml::Measured::Number;
    assert_eq!(values, [&number(21.5), &number(19.0), &number(20.0), &number(20.0)]);
    assert_eq!(found[3].sum, Some(7.0));
    assert!(found.iter().all(|r| r.time.is_none()), "now is not known");
}

#[test]
fn groups_measurements_of_one_time() {
    let pack = r#"[{"bn":"urn:dev:mac:1:","bt":1714979289.5,"n":"temperature","v":20},
        {"n":"pump.flow","v":3,"t":1}, {"n":"mode","vs":"idle"}, {"n":"noise","v":7},
        {"n":"temperature","v":21,"t":1}]"#;
    let next = Timestamp(AT.0 + 1_000_000_000);
    check(pack, &[(AT, [20.0, NO, 1.0, 0.0]), (next, [21.0, 3.0, NO, NO])]);
}

#[test]
fn refuses_what_the_rfc_forbids() {
    refuse(r#"[{"bn":"a","bver":11,"v":1}]"#, ErrorKind::Payload, &["version 10", "11"]);
    refuse(r#"[{"n":"a","v":1,"new_":2}]"#, ErrorKind::Payload, &["`new_`"]);
    refuse(r#"[{"n":"a","v":1,"vs":"b"}]"#, ErrorKind::Payload, &["several"]);
    refuse(r#"[{"n":"a","v":1},{"n":"b"}]"#, ErrorKind::Payload, &["line 2", "none"]);
    refuse(r#"[{"n":"a","v":"1"}]"#, ErrorKind::Payload, &["SenML record"]);
    refuse(r#"[{"n":"ä","v":1}]"#, ErrorKind::Payload, &["letters"]);
    refuse(r#"[{"n":"-a","v":1}]"#, ErrorKind::Payload, &["starts with"]);
    refuse(r#"[{"n":"a","v":1}]"#, ErrorKind::Payload, &["`temperature`", "found `a`"]);
    refuse(r#"[{"n":"temperature","v":1,"t":1e300}]"#, ErrorKind::Time, &["years"]);
}
