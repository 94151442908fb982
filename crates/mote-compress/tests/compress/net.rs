//! Networks to compress, and samples for them.

use mote_compress::{Found, Sample};
use mote_format::{
    Array, Dtype, Op, Program, Tensors, ValueId, Verified,
    program::{Port, Unary, Value},
};

/// Numbers in -1..1 that are the same on every run.
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn unit(&mut self) -> f32 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }

    pub(crate) fn fill(&mut self, n: usize, scale: f32) -> Vec<f32> {
        (0..n).map(|_| scale * self.unit()).collect()
    }
}

/// A network that grows layer by layer, with random weights.
#[derive(Clone, Debug)]
pub(crate) struct Net {
    pub(crate) program: Program,
    pub(crate) tensors: Tensors,
    pub(crate) random: Random,
}

impl Net {
    pub(crate) fn new(shape: &[usize]) -> Self {
        let program = Program {
            name: "net".into(),
            values: vec![Value::f32(shape)],
            inputs: vec![Port { name: "x".into(), value: ValueId(0) }],
            outputs: vec![],
            ops: vec![],
        };
        Self { program, tensors: Tensors::new(), random: Random(7) }
    }

    pub(crate) fn value(&mut self, value: Value) -> ValueId {
        self.program.values.push(value);
        ValueId(self.program.values.len() as u32 - 1)
    }

    pub(crate) fn tensor(&mut self, shape: &[usize], scale: f32) -> ValueId {
        let name = format!("t{}", self.tensors.len());
        let data = self.random.fill(shape.iter().product(), scale);
        self.tensors.insert(name.clone(), Array::new(shape, &data));
        self.value(Value::tensor(name, Dtype::F32, shape))
    }

    pub(crate) fn push(&mut self, op: impl FnOnce(ValueId) -> Op) -> ValueId {
        let op = op(ValueId(self.program.values.len() as u32));
        let shape = mote_format::shape::infer(&op, |id| self.program.shape(id)).unwrap();
        self.program.ops.push(op);
        self.value(Value::f32(shape))
    }

    pub(crate) fn conv(
        &mut self,
        x: ValueId,
        outputs: usize,
        dilation: usize,
        f: Option<Unary>,
    ) -> ValueId {
        let inputs = self.program.shape(x)[1];
        let w = self.tensor(&[outputs, 2, inputs], 1.0 / (inputs as f32).sqrt());
        let bias = Some(self.tensor(&[outputs], 0.2));
        let padding = [dilation, 0];
        self.push(|y| Op::Conv1d { x, w, bias, y, stride: 1, dilation, padding, activation: f })
    }

    pub(crate) fn linear(&mut self, x: ValueId, outputs: usize) -> ValueId {
        let inputs = *self.program.shape(x).last().unwrap();
        let w = self.tensor(&[outputs, inputs], 1.0 / (inputs as f32).sqrt());
        let bias = Some(self.tensor(&[outputs], 0.2));
        self.push(|y| Op::Linear { x, w, bias, y, activation: None })
    }

    pub(crate) fn finish(mut self, y: ValueId) -> (Verified, Tensors) {
        self.program.outputs.push(Port { name: "y".into(), value: y });
        let program = Verified::new(self.program, |n| self.tensors.get(n).map(Array::stored));
        (program.unwrap(), self.tensors)
    }
}

pub(crate) fn found(tensors: &Tensors) -> Found<'_> {
    tensors.iter().map(|(name, array)| (name.clone(), array.tensor())).collect()
}

pub(crate) fn samples(n: usize, elements: usize, seed: u64) -> Vec<Sample> {
    let mut random = Random(seed);
    (0..n).map(|_| vec![random.fill(elements, 2.0)]).collect()
}
