//! Several programs as one, so that what they share is changed once.
//!
//! The programs of a model read the same tensors: a decoder stands in `score` and in `complete`. A pass over
//! one of them alone would give each a version of its own. Joined they are one program, whose ports are
//! called `{program}/{port}`, and a pass over that sees every place where a tensor is read.

use mote_format::{Op, Program, Tensors, ValueId, Verified, program::Port};

use crate::{Error, Sample, verified};

/// What stands between the name of a program and that of its port.
pub(crate) const BETWEEN: char = '/';

/// All operations of `programs`, one program after the other; a tensor is one value, however many read
/// it. Their names hold no `/`.
///
/// # Errors
///
/// [`Error::Format`] if they read tensors of one name as different ones, or are too large together.
pub fn join<'p>(
    programs: impl IntoIterator<Item = &'p Program>,
    tensors: &Tensors,
) -> Result<Verified, Error> {
    let mut all = empty("model");
    for program in programs {
        let known: Vec<ValueId> = program
            .values
            .iter()
            .map(|value| {
                let shared =
                    value.tensor.is_some().then(|| all.values.iter().position(|v| v == value));
                let at = shared.flatten().unwrap_or_else(|| {
                    all.values.push(value.clone());
                    all.values.len() - 1
                });
                ValueId(at as u32)
            })
            .collect();
        let port = |port: &Port| Port {
            name: format!("{}{BETWEEN}{}", program.name, port.name),
            value: known[port.value.index()],
        };
        all.inputs.extend(program.inputs.iter().map(port));
        let outputs: Vec<Port> = program.outputs.iter().map(port).collect();
        all.ops.extend(program.ops.iter().map(|op| renumbered(op, |id| known[id.index()])));
        for output in outputs {
            // What two programs give out as it lies in the file is one value only once.
            let taken = all.outputs.iter().any(|other| other.value == output.value);
            let value = if taken { copied(&mut all, output.value) } else { output.value };
            all.outputs.push(Port { value, ..output });
        }
    }
    verified(all, tensors)
}

/// The programs that [`join`] made one of, as they are now, in their order.
#[must_use]
pub fn split(joined: &Program) -> Vec<Program> {
    let mut names: Vec<&str> = Vec::new();
    for port in joined.inputs.iter().chain(&joined.outputs) {
        let (program, _) = parts(&port.name);
        if !names.contains(&program) {
            names.push(program);
        }
    }
    names.into_iter().map(|name| one(joined, name)).collect()
}

/// The samples of each program as samples of all together: as many as there are of the one with most, the
/// others begin again. No samples where one program has none.
#[must_use]
pub fn side_by_side(each: &[Vec<Sample>]) -> Vec<Sample> {
    let most = each.iter().map(Vec::len).max().unwrap_or(0);
    if each.iter().any(Vec::is_empty) {
        return Vec::new();
    }
    (0..most).map(|i| each.iter().flat_map(|s| s[i % s.len()].clone()).collect()).collect()
}

fn one(joined: &Program, name: &str) -> Program {
    let own = |ports: &[Port]| -> Vec<Port> {
        let of = |port: &Port| {
            let (program, rest) = parts(&port.name);
            (program == name).then(|| Port { name: rest.into(), value: port.value })
        };
        ports.iter().filter_map(of).collect()
    };
    let (mut inputs, mut outputs) = (own(&joined.inputs), own(&joined.outputs));
    let mut wanted = vec![false; joined.values.len()];
    inputs.iter().chain(&outputs).for_each(|port| wanted[port.value.index()] = true);
    let mut kept = vec![false; joined.ops.len()];
    for (at, op) in joined.ops.iter().enumerate().rev() {
        if wanted[op.result().index()] {
            kept[at] = true;
            op.for_each_operand(|x| wanted[x.index()] = true);
        }
    }
    let mut program = empty(name);
    let mut known = vec![ValueId(0); joined.values.len()];
    for (i, value) in joined.values.iter().enumerate().filter(|(i, _)| wanted[*i]) {
        known[i] = ValueId(program.values.len() as u32);
        program.values.push(value.clone());
    }
    let ops = joined.ops.iter().zip(kept).filter(|(_, kept)| *kept);
    program.ops = ops.map(|(op, _)| renumbered(op, |id| known[id.index()])).collect();
    inputs.iter_mut().chain(&mut outputs).for_each(|port| port.value = known[port.value.index()]);
    Program { inputs, outputs, ..program }
}

fn parts(port: &str) -> (&str, &str) {
    port.split_once(BETWEEN).unwrap_or(("", port))
}

fn empty(name: &str) -> Program {
    let (values, inputs, outputs, ops) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    Program { name: name.into(), values, inputs, outputs, ops }
}

fn renumbered(op: &Op, number: impl Fn(ValueId) -> ValueId) -> Op {
    let mut op = op.clone();
    op.for_each_operand_mut(|x| *x = number(*x));
    *op.result_mut() = number(op.result());
    op
}

/// The same numbers as a value of its own.
fn copied(program: &mut Program, x: ValueId) -> ValueId {
    let value = mote_format::program::Value { tensor: None, ..program.values[x.index()].clone() };
    program.values.push(value);
    let y = ValueId(program.values.len() as u32 - 1);
    program.ops.push(Op::Reshape { x, y });
    y
}

#[cfg(test)]
mod tests {
    use mote_format::{Array, Dtype, program::Value};

    use super::*;

    /// `y = x · w`, and what it reads besides is given out too.
    fn program(name: &str, f: Option<mote_format::program::Unary>) -> Program {
        let mut made = empty(name);
        made.values =
            vec![Value::f32([1, 2]), Value::tensor("w", Dtype::F32, [3, 2]), Value::f32([1, 3])];
        made.inputs = vec![Port { name: "x".into(), value: ValueId(0) }];
        let [y, w] = [("y", 2), ("w", 1)].map(|(n, v)| Port { name: n.into(), value: ValueId(v) });
        made.outputs = vec![y, w];
        let (x, w, y) = (ValueId(0), ValueId(1), ValueId(2));
        made.ops = vec![Op::Linear { x, w, bias: None, y, activation: f }];
        made
    }

    #[test]
    fn programs_that_are_joined_come_apart_again() {
        let programs = [program("a", None), program("b", Some(mote_format::program::Unary::Relu))];
        let tensors = Tensors::from([("w".into(), Array::new([3, 2], &[1.0f32; 6]))]);
        let joined = join(&programs, &tensors).expect("valid");
        assert_eq!(joined.values.iter().filter(|v| v.tensor.is_some()).count(), 1, "shared");
        assert_eq!(joined.input("b/x"), Some(joined.inputs[1].value));
        let apart = split(&joined);
        assert_eq!(apart[0], programs[0]);
        // What both give out had to be copied for the second.
        assert_eq!((apart[1].name.as_str(), apart[1].ops.len()), ("b", 2));
        for program in apart {
            assert!(verified(program, &tensors).is_ok());
        }
    }

    #[test]
    fn samples_of_the_shorter_row_begin_again() {
        let sample = |x: f32| vec![vec![x]];
        let each = [vec![sample(1.0)], vec![sample(2.0), sample(3.0)]];
        let wanted = vec![vec![vec![1.0], vec![2.0]], vec![vec![1.0], vec![3.0]]];
        assert_eq!(side_by_side(&each), wanted);
        assert!(side_by_side(&[vec![sample(1.0)], vec![]]).is_empty());
    }
}
