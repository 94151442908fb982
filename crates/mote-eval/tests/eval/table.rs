//! Similarities of tables against SDMetrics.

use mote_eval::{
    Error,
    table::{
        Column, TableQuality, contingency_similarity, correlation_similarity, ks_complement,
        tv_complement,
    },
};
use serde_json::Value;

use crate::golden::{cases, check_close, number, numbers};

fn columns(value: &Value) -> Vec<Vec<f64>> {
    value.as_array().unwrap().iter().map(numbers).collect()
}

fn codes(values: &[f64]) -> Vec<u32> {
    values.iter().map(|v| *v as u32).collect()
}

fn typed<'a>(kinds: &[bool], numbers: &'a [Vec<f64>], codes: &'a [Vec<u32>]) -> Vec<Column<'a>> {
    let pick = |j: usize| {
        if kinds[j] { Column::Numerical(&numbers[j]) } else { Column::Categorical(&codes[j]) }
    };
    (0..kinds.len()).map(pick).collect()
}

#[test]
fn similarities_and_report_equal_sdmetrics() {
    for case in cases(include_str!("../golden/table.json")) {
        let kinds: Vec<bool> =
            case["kinds"].as_array().unwrap().iter().map(|k| k == "numerical").collect();
        let (real, synthetic) = (columns(&case["real"]), columns(&case["synthetic"]));
        let real_codes: Vec<_> = real.iter().map(|c| codes(c)).collect();
        let synthetic_codes: Vec<_> = synthetic.iter().map(|c| codes(c)).collect();

        let ks = ks_complement(&real[0], &synthetic[0]).unwrap();
        check_close("ks", ks, number(&case["ks"]));
        let tv = tv_complement(&real_codes[3], &synthetic_codes[3]).unwrap();
        check_close("tv", tv, number(&case["tv"]));
        let correlation =
            correlation_similarity((&real[0], &real[1]), (&synthetic[0], &synthetic[1])).unwrap();
        check_close("correlation", correlation, number(&case["correlation"]));
        let contingency = contingency_similarity(
            (&real_codes[2], &real_codes[3]),
            (&synthetic_codes[2], &synthetic_codes[3]),
        )
        .unwrap();
        check_close("contingency", contingency, number(&case["contingency"]));

        let ours = TableQuality::of(
            &typed(&kinds, &real, &real_codes),
            &typed(&kinds, &synthetic, &synthetic_codes),
        )
        .unwrap();
        for (a, b) in ours.shapes.iter().zip(numbers(&case["shapes"])) {
            check_close("shape", *a, b);
        }
        for pair in &ours.pairs {
            let name: String =
                [pair.first, pair.second].map(|j| char::from(b'a' + j as u8)).iter().collect();
            match (&case["pairs"][&name], pair.similarity) {
                (Value::Null, ours) => assert_eq!(ours, None, "{name}"),
                (golden, ours) => check_close(&name, ours.unwrap(), number(golden)),
            }
        }
        let properties = numbers(&case["properties"]);
        check_close("shapes", ours.column_shapes, properties[0]);
        check_close("trends", ours.column_pair_trends.unwrap(), properties[1]);
        check_close("overall", ours.overall, number(&case["overall"]));
    }
}

#[test]
fn edges_of_tables() {
    let one = [Column::Numerical(&[1.0, 2.0])];
    let ours = TableQuality::of(&one, &one).unwrap();
    assert_eq!((ours.overall, ours.column_pair_trends), (1.0, None));
    let coded = [Column::Categorical(&[1, 2])];
    assert_eq!(TableQuality::of(&one, &coded).unwrap_err(), Error::Kinds { column: 0 });
    assert!(matches!(TableQuality::of(&[], &[]), Err(Error::Empty { .. })));
    assert!(matches!(TableQuality::of(&one, &[]), Err(Error::Lengths { .. })));
    let nan = [Column::Numerical(&[f64::NAN])];
    assert!(matches!(TableQuality::of(&one, &nan), Err(Error::BadValue { .. })));
    let ragged = [Column::Numerical(&[1.0, 2.0]), Column::Categorical(&[1])];
    assert!(matches!(TableQuality::of(&ragged, &ragged), Err(Error::Lengths { .. })));
    assert_eq!(tv_complement(&[1, 2], &[3]).unwrap(), 0.0);
    assert_eq!(ks_complement(&[1.0, 2.0], &[5.0]).unwrap(), 0.0);
    let constant = correlation_similarity((&[1.0; 2], &[1.0, 2.0]), (&[1.0, 2.0], &[1.0, 2.0]));
    assert!(matches!(constant, Err(Error::Constant { .. })));
}
