//! Ten thousand model files, each with a true digest and one rule broken, are refused by that rule or
//! one before it, in bounded memory: overlapping tensors, huge counts, bad shapes, cycles, wrong
//! types, bad scales and clamps.

use std::collections::BTreeMap;

use mote_format::{Dtype, Error, Model, Op, Program, ValueId, dtype::Quantization, model};
use proptest::{prelude::*, sample::Index, test_runner::Config};
use serde_json::{Value, json};

use crate::{memory::check_peak, quantized, sample};

/// One broken rule; what it is broken at is drawn.
#[derive(Clone, Debug)]
enum Break {
    /// A value of another type.
    Type(Index, Index),
    /// A scale that is no positive number.
    Scale(Index, Index),
    /// A clamp whose ends are in the wrong order.
    Clamp(Index, i8),
    /// An axis of a value of another length, at times a huge one.
    Axis(Index, Index, Index),
    /// An operation that reads what it, or one behind it, writes.
    Cycle(Index, Index, Index),
    /// An operation that reads or writes what does not exist.
    Missing(Index, u32),
    /// An operation that writes what is there already.
    Twice(Index, Index),
    /// A value that is a tensor that the file lacks.
    Name(Index),
    /// Four bits without groups, or eight with them.
    Groups(Index),
    /// The offsets of a tensor: it overlaps another, leaves a gap, or lies outside the file.
    Offsets(Index, bool, Index),
    /// A tensor of another type in the file.
    Stored(Index, Index),
    /// A tensor of another shape in the file.
    Shape(Index, Index),
}

const LENGTHS: [u64; 8] = [0, 1, 13, 1 << 28, (1 << 28) + 1, u32::MAX as u64, 1 << 63, u64::MAX];

fn broken() -> impl Strategy<Value = Break> {
    let i = any::<Index>;
    prop_oneof![
        (i(), i()).prop_map(|(v, d)| Break::Type(v, d)),
        (i(), i()).prop_map(|(v, s)| Break::Scale(v, s)),
        (i(), -127..=127i8).prop_map(|(o, low)| Break::Clamp(o, low)),
        (i(), i(), i()).prop_map(|(v, a, n)| Break::Axis(v, a, n)),
        (i(), i(), i()).prop_map(|(o, x, to)| Break::Cycle(o, x, to)),
        (i(), 21..=u32::MAX).prop_map(|(o, id)| Break::Missing(o, id)),
        (i(), i()).prop_map(|(o, y)| Break::Twice(o, y)),
        i().prop_map(Break::Name),
        i().prop_map(Break::Groups),
        (i(), any::<bool>(), i()).prop_map(|(t, end, n)| Break::Offsets(t, end, n)),
        (i(), i()).prop_map(|(t, d)| Break::Stored(t, d)),
        (i(), i()).prop_map(|(t, n)| Break::Shape(t, n)),
    ]
}

impl Break {
    /// The file of the model of integers with this rule broken.
    fn file(&self) -> Vec<u8> {
        let mut manifest = quantized::manifest();
        self.program(&mut manifest.programs[0]);
        let file = model::write(&manifest, &quantized::tensors());
        let length = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
        let (header, data) = file[8..].split_at(length);
        let mut header: BTreeMap<String, Value> = serde_json::from_slice(header).unwrap();
        self.header(&mut header);
        sample::sealed(serde_json::to_string(&header).unwrap().as_bytes(), data)
    }

    fn program(&self, p: &mut Program) {
        let ops = p.ops.len();
        match self {
            Self::Type(v, d) => {
                let value = v.get(&p.values).clone();
                let others = [Dtype::F32, Dtype::I8, Dtype::I4, Dtype::I32, Dtype::U8];
                let others = others.into_iter().filter(|&d| d != value.dtype).collect::<Vec<_>>();
                p.values[v.index(21)].dtype = *d.get(&others);
            }
            Self::Scale(v, s) => {
                let bytes = p.values.iter_mut().filter(|v| v.quantization.is_some());
                let mut bytes: Vec<_> = bytes.collect();
                let scale = *s.get(&[0.0, -0.0, -1.0, -f32::MAX, 1e-40, -1e-40]);
                let i = v.index(bytes.len());
                bytes[i].quantization = Some(Quantization { scale, zero_point: 0 });
            }
            Self::Clamp(o, low) => {
                let clamps = p.ops.iter_mut().filter_map(|op| match op {
                    Op::QuantizedLinear { clamp, .. }
                    | Op::QuantizedConv1d { clamp, .. }
                    | Op::QuantizedConvTranspose1d { clamp, .. }
                    | Op::QuantizedAdd { clamp, .. } => Some(clamp),
                    _ => None,
                });
                let mut clamps: Vec<_> = clamps.collect();
                let i = o.index(clamps.len());
                *clamps[i] = [*low, low - 1];
            }
            Self::Axis(v, a, n) => {
                let shape = &mut p.values[v.index(21)].shape;
                let axis = a.index(shape.len());
                let others = LENGTHS.map(|n| n as usize);
                let others: Vec<_> = others.into_iter().filter(|&n| n != shape[axis]).collect();
                shape[axis] = *n.get(&others);
            }
            Self::Cycle(o, x, to) => {
                let o = o.index(ops);
                let result = p.ops[o + to.index(ops - o)].result();
                operand(&mut p.ops[o], x, result);
            }
            Self::Missing(o, id) if id % 2 == 0 => *p.ops[o.index(ops)].result_mut() = ValueId(*id),
            Self::Missing(o, id) => operand(&mut p.ops[o.index(ops)], o, ValueId(*id)),
            Self::Twice(o, y) => {
                let there: Vec<_> = (0..21).map(ValueId).collect();
                let o = o.index(ops);
                let there = there.into_iter().filter(|&y| y != p.ops[o].result());
                *p.ops[o].result_mut() = *y.get(&there.collect::<Vec<_>>());
            }
            Self::Name(v) => p.values[v.index(21)].tensor = Some("none".into()),
            Self::Groups(o) => {
                let weights = p.ops.iter_mut().filter_map(|op| match op {
                    Op::QuantizedLinear { weights, .. }
                    | Op::QuantizedConv1d { weights, .. }
                    | Op::QuantizedConvTranspose1d { weights, .. } => Some(weights),
                    _ => None,
                });
                let mut weights: Vec<_> = weights.collect();
                let i = o.index(weights.len());
                let groups = &mut weights[i].groups;
                *groups = if groups.is_some() { None } else { Some(ValueId(15)) };
            }
            Self::Offsets(..) | Self::Stored(..) | Self::Shape(..) => {}
        }
    }

    fn header(&self, header: &mut BTreeMap<String, Value>) {
        let names = header.keys().filter(|name| *name != "__metadata__").cloned();
        let names: Vec<String> = names.collect();
        match self {
            Self::Offsets(t, end, n) => {
                let offset =
                    &mut header.get_mut(t.get(&names)).unwrap()["data_offsets"][usize::from(*end)];
                let old = offset.as_u64().unwrap();
                let others = LENGTHS.into_iter().chain([old + 4, old.saturating_sub(4)]);
                *offset = (*n.get(&others.filter(|&n| n != old).collect::<Vec<_>>())).into();
            }
            Self::Stored(t, d) => {
                let dtype = &mut header.get_mut(t.get(&names)).unwrap()["dtype"];
                let others =
                    ["F32", "F16", "I32", "I8", "U8", "I4", "F64", "BF16", "BOOL", "f32", ""];
                let others = others.into_iter().filter(|d| *d != *dtype).collect::<Vec<_>>();
                *dtype = (*d.get(&others)).into();
            }
            Self::Shape(t, n) => {
                let shape = &mut header.get_mut(t.get(&names)).unwrap()["shape"];
                let old = shape.clone();
                let n = *n.get(&LENGTHS);
                let others = [
                    json!([n]),
                    json!([n, n]),
                    json!([1, 1, 1, 1, 1]),
                    json!([-1]),
                    json!([0.5]),
                    json!(null),
                    json!({}),
                ];
                let others: Vec<_> = others.into_iter().filter(|s| *s != old).collect();
                *shape = others[n as usize % others.len()].clone();
            }
            _ => {}
        }
    }
}

/// The operand of `op` that `which` names becomes another.
fn operand(op: &mut Op, which: &Index, to: ValueId) {
    let mut n = 0;
    op.for_each_operand(|_| n += 1);
    let (wanted, mut i) = (which.index(n), 0);
    op.for_each_operand_mut(|x| {
        if i == wanted {
            *x = to;
        }
        i += 1;
    });
}

proptest! {
    #![proptest_config(Config::with_cases(10_000))]

    #[test]
    fn a_broken_rule_is_named(broken in broken()) {
        let file = broken.file();
        check_peak(&file, file.len());
        let error = Model::open(&file).expect_err("a rule is broken");
        prop_assert!(!matches!(error, Error::Digest { .. } | Error::Foreign { .. }), "{error}");
        prop_assert!(!error.to_string().is_empty());
    }
}

#[test]
fn the_file_that_is_broken_above_opens() {
    assert!(Model::open(&quantized::file()).is_ok());
}
