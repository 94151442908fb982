//! Builds programs by hand and runs them sample by sample.

use std::collections::BTreeMap;

use mote_format::{
    Array, Dtype, Op, Program, Quantization, ValueId, Verified,
    container::Tensor,
    program::{Port, Value},
    shape,
};
use mote_runtime::{Level, Loaded};

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

    /// The bytes of an ONNX model.
    pub(crate) fn onnx(&self) -> Vec<u8> {
        self.try_onnx().unwrap_or_else(|e| panic!("{e}"))
    }

    pub(crate) fn try_onnx(&self) -> Result<Vec<u8>, mote_exchange::Error> {
        mote_exchange::onnx::export(&self.program, &self.tensors())
    }

    /// Runs one sample; inputs and outputs in the order of the ports, bytes as whole numbers.
    pub(crate) fn run(&self, inputs: &[Vec<f32>]) -> Vec<Vec<f32>> {
        let tensors = self.tensors();
        let loaded = Loaded::from_parts(Level::Plain, &self.program, &tensors).unwrap();
        let mut instance = loaded.instance();
        for (port, x) in self.program.inputs.iter().zip(inputs) {
            match self.program.dtype(port.value) {
                Dtype::I8 => {
                    let x: Vec<i8> = x.iter().map(|&x| x as i8).collect();
                    instance.input_of(port.value).copy_from_slice(&x);
                }
                _ => instance.input(port.value).copy_from_slice(x),
            }
        }
        instance.run();
        let output = |id| match self.program.dtype(id) {
            Dtype::I8 => instance.output_of::<i8>(id).iter().map(|&y| y.into()).collect(),
            _ => instance.output(id).to_vec(),
        };
        self.program.outputs.iter().map(|port| output(port.value)).collect()
    }
}
