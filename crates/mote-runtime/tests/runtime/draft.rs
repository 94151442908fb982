//! Builds programs by hand and runs them through `Loaded` and `Instance`.

use std::collections::BTreeMap;

use mote_format::{
    Array, Dtype, Op, Program, Quantization, ValueId, Verified,
    container::Tensor,
    program::{Port, Value},
    shape,
};
use mote_runtime::{Instance, Level, Loaded, Plan};

/// A program that grows by one value at a time.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) program: Program,
    pub(crate) tensors: BTreeMap<String, Array>,
}

impl Draft {
    pub(crate) fn new(name: &str) -> Self {
        let program = Program {
            name: name.into(),
            values: vec![],
            inputs: vec![],
            outputs: vec![],
            ops: vec![],
        };
        Self { program, tensors: BTreeMap::new() }
    }

    pub(crate) fn value(&mut self, value: Value) -> ValueId {
        self.program.values.push(value);
        ValueId(self.program.values.len() as u32 - 1)
    }

    pub(crate) fn input(&mut self, name: &str, shape: &[usize]) -> ValueId {
        let value = self.value(Value::f32(shape));
        self.program.inputs.push(Port { name: name.into(), value });
        value
    }

    pub(crate) fn tensor(&mut self, shape: &[usize], data: Vec<f32>) -> ValueId {
        self.array(Dtype::F32, shape, Array::new(shape, &data))
    }

    /// A tensor of any type; `shape` is that of the value, which four-bit ones are not stored in.
    pub(crate) fn array(&mut self, dtype: Dtype, shape: &[usize], array: Array) -> ValueId {
        let name = format!("t{}", self.tensors.len());
        self.tensors.insert(name.clone(), array);
        self.value(Value::tensor(name, dtype, shape))
    }

    /// Appends the operation that writes `y`, with the shape that follows from what it reads.
    pub(crate) fn push(&mut self, op: impl FnOnce(ValueId) -> Op) -> ValueId {
        let op = op(ValueId(self.program.values.len() as u32));
        let shape = shape::infer(&op, |id| self.program.shape(id)).unwrap();
        self.program.ops.push(op);
        self.value(Value::f32(shape))
    }

    /// The same, where the result is bytes.
    pub(crate) fn push_i8(&mut self, q: Quantization, op: impl FnOnce(ValueId) -> Op) -> ValueId {
        let y = self.push(op);
        let shape = self.program.shape(y).to_vec();
        self.program.values[y.index()] = Value::i8(shape, q);
        y
    }

    /// Appends a reshape, whose result is whatever is wanted.
    pub(crate) fn reshape(&mut self, x: ValueId, shape: &[usize]) -> ValueId {
        let y = self.value(Value { shape: shape.into(), ..self.program.values[x.index()].clone() });
        self.program.values[y.index()].tensor = None;
        self.program.ops.push(Op::Reshape { x, y });
        y
    }

    pub(crate) fn output(&mut self, name: &str, value: ValueId) {
        self.program.outputs.push(Port { name: name.into(), value });
    }

    pub(crate) fn verify(self) -> Ready {
        let shape = |name: &str| self.tensors.get(name).map(Array::stored);
        let program = Verified::new(self.program, shape).unwrap_or_else(|e| panic!("{e}"));
        Ready { program, tensors: self.tensors }
    }
}

/// A verified program with its weights.
#[derive(Clone, Debug)]
pub(crate) struct Ready {
    pub(crate) program: Verified,
    pub(crate) tensors: BTreeMap<String, Array>,
}

impl Ready {
    /// The tensors as they would lie in a file.
    pub(crate) fn tensors(&self) -> BTreeMap<String, Tensor<'_>> {
        self.tensors.iter().map(|(name, array)| (name.clone(), array.tensor())).collect()
    }

    pub(crate) fn instance(&self) -> Instance<'_> {
        self.instance_at(Level::Plain)
    }

    pub(crate) fn instance_at(&self, level: Level) -> Instance<'_> {
        Loaded::from_parts(level, &self.program, &self.tensors()).unwrap().instance()
    }

    pub(crate) fn plan(&self) -> Plan {
        Plan::new(&self.program)
    }

    /// Runs once; `inputs` and the result are in the order of the ports.
    pub(crate) fn run(&self, inputs: &[Vec<f32>]) -> Vec<Vec<f32>> {
        run(&mut self.instance(), inputs)
    }
}

/// Fills the inputs of `instance`, runs it, and copies its outputs.
pub(crate) fn run(instance: &mut Instance<'_>, inputs: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let program = instance.program();
    assert_eq!(inputs.len(), program.inputs.len());
    for (port, x) in program.inputs.iter().zip(inputs) {
        instance.input(port.value).copy_from_slice(x);
    }
    instance.run();
    program.outputs.iter().map(|port| instance.output(port.value).to_vec()).collect()
}

/// Compared as bits, so that NaN equals itself and zero is not minus zero.
pub(crate) fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}
