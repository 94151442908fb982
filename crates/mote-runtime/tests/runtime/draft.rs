//! Builds programs by hand and runs them through `Loaded` and `Instance`.

use std::collections::BTreeMap;

use mote_format::{
    Op, Program, ValueId, Verified,
    container::{Dtype, Tensor},
    program::{Port, Value},
    shape,
};
use mote_runtime::{Instance, Loaded, Plan};

/// A program that grows by one value at a time.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) program: Program,
    /// By name: shape and elements.
    pub(crate) tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
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

    fn value(&mut self, shape: &[usize], tensor: Option<String>) -> ValueId {
        self.program.values.push(Value { shape: shape.into(), tensor });
        ValueId(self.program.values.len() as u32 - 1)
    }

    pub(crate) fn input(&mut self, name: &str, shape: &[usize]) -> ValueId {
        let value = self.value(shape, None);
        self.program.inputs.push(Port { name: name.into(), value });
        value
    }

    pub(crate) fn tensor(&mut self, shape: &[usize], data: Vec<f32>) -> ValueId {
        let name = format!("t{}", self.tensors.len());
        self.tensors.insert(name.clone(), (shape.into(), data));
        self.value(shape, Some(name))
    }

    /// Appends the operation that writes `y`, with the shape that follows from what it reads.
    pub(crate) fn push(&mut self, op: impl FnOnce(ValueId) -> Op) -> ValueId {
        let op = op(ValueId(self.program.values.len() as u32));
        let shape = shape::infer(&op, |id| self.program.shape(id)).unwrap();
        self.program.ops.push(op);
        self.value(&shape, None)
    }

    /// Appends a reshape, whose result is whatever is wanted.
    pub(crate) fn reshape(&mut self, x: ValueId, shape: &[usize]) -> ValueId {
        let y = self.value(shape, None);
        self.program.ops.push(Op::Reshape { x, y });
        y
    }

    pub(crate) fn output(&mut self, name: &str, value: ValueId) {
        self.program.outputs.push(Port { name: name.into(), value });
    }

    pub(crate) fn verify(self) -> Ready {
        let shape = |name: &str| self.tensors.get(name).map(|(shape, _)| shape.as_slice());
        let program = Verified::new(self.program, shape).unwrap_or_else(|e| panic!("{e}"));
        Ready { program, tensors: self.tensors }
    }
}

/// A verified program with its weights.
#[derive(Clone, Debug)]
pub(crate) struct Ready {
    pub(crate) program: Verified,
    pub(crate) tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
}

impl Ready {
    /// The tensors as they would lie in a file.
    pub(crate) fn tensors(&self) -> BTreeMap<String, Tensor<'_>> {
        self.tensors
            .iter()
            .map(|(name, (shape, data))| {
                let bytes = bytemuck::cast_slice(data);
                (name.clone(), Tensor { dtype: Dtype::F32, shape: shape.clone(), bytes })
            })
            .collect()
    }

    pub(crate) fn instance(&self) -> Instance<'_> {
        Loaded::from_parts(&self.program, &self.tensors()).unwrap().instance()
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
