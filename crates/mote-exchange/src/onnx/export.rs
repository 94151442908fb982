//! From a program to ONNX.
//!
//! ONNX wants the channels of a convolution before its time, programs have them after. So each value
//! has up to two names, one for each order, and the second is made by a transpose when it is asked
//! for: between two convolutions nothing is transposed at all.

mod attention;
mod elementwise;
mod integers;
pub(super) mod layers;
mod moves;

pub(crate) use layers::turn;
use mote_format::{Dtype, Op, Program, Quantization, ValueId, Verified, container::Element};
use prost::Message;

use super::{
    IR_VERSION, OPSET,
    graph::{Graph, int, ints},
    proto::{self, data_type},
};
use crate::{Error, Stored};

/// The bytes of an ONNX model that computes `program`.
///
/// `i4` weights are written in `f32`, because the opset has no such integers.
///
/// # Errors
///
/// [`Error::Port`] where a value has no elements: other runtimes disagree on what that means.
/// [`Error::Limit`] where attention compares more than 2²⁴ pairs of a query and a key, of which it has a constant.
/// [`Error::Program`] where there are operations that gradients are made of.
///
/// # Panics
///
/// If the program was verified against other tensors.
pub fn export(program: &Verified, tensors: &Stored<'_>) -> Result<Vec<u8>, Error> {
    for (i, value) in program.values.iter().enumerate() {
        if value.shape.contains(&0) {
            let why = format!("wanted elements, found a shape of {:?}", value.shape);
            return Err(Error::Port { port: format!("value {i}"), why });
        }
    }
    attention::check(program)?;
    let names = program.values.iter().map(|_| Names::default()).collect();
    let mut exporter = Exporter { program, tensors, graph: Graph::default(), names };
    let inputs = exporter.inputs();
    for (i, op) in program.ops.iter().enumerate() {
        if op.is_adjoint() {
            return Err(Error::Program(mote_format::Error::Program {
                program: program.name.clone(),
                op: Some(format!("{i} ({})", op.name())),
                why: "belongs to a training program, which is not written as ONNX".into(),
            }));
        }
        exporter.op(op);
    }
    let output = exporter.outputs();
    let graph = proto::Graph {
        node: exporter.graph.nodes,
        name: program.name.clone(),
        initializer: exporter.graph.constants,
        input: inputs,
        output,
    };
    let model = proto::Model {
        ir_version: IR_VERSION,
        producer_name: "mote".into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        graph: Some(graph),
        opset_import: vec![proto::OperatorSet { domain: String::new(), version: OPSET }],
    };
    Ok(model.encode_to_vec())
}

/// What a value is called in the graph.
#[derive(Clone, Debug, Default)]
struct Names {
    /// With the axes in the order that the program gives them.
    plain: Option<String>,
    /// `(batch, channels, time)`
    series: Option<String>,
}

/// The order of axes in which a value is read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// As in the program.
    Plain,
    /// Channels before time.
    Series,
}

struct Exporter<'a> {
    program: &'a Program,
    tensors: &'a Stored<'a>,
    graph: Graph,
    names: Vec<Names>,
}

impl Exporter<'_> {
    fn op(&mut self, op: &Op) {
        match op {
            Op::Linear { .. } | Op::Conv1d { .. } | Op::ConvTranspose1d { .. } => self.layer(op),
            Op::QuantizedLinear { .. }
            | Op::QuantizedConv1d { .. }
            | Op::QuantizedConvTranspose1d { .. }
            | Op::QuantizedAdd { .. }
            | Op::Quantize { .. }
            | Op::Dequantize { .. }
            | Op::Lookup { .. } => self.integers(op),
            Op::LayerNorm { .. }
            | Op::Softmax { .. }
            | Op::Unary { .. }
            | Op::Affine { .. }
            | Op::Clamp { .. }
            | Op::Binary { .. } => self.elementwise(op),
            Op::Reduce { .. }
            | Op::CumulativeSum { .. }
            | Op::Slice { .. }
            | Op::Concat { .. }
            | Op::Reshape { .. }
            | Op::Permute { .. } => self.moves(op),
            Op::Attention { .. } => self.attention(op),
            _ => unreachable!("refused before anything is written"),
        }
    }

    fn inputs(&mut self) -> Vec<proto::ValueInfo> {
        let program = self.program;
        program
            .inputs
            .iter()
            .map(|port| {
                let name = self.graph.fresh(&port.name);
                self.set(port.value, Order::Plain, name.clone());
                self.port(name, port.value)
            })
            .collect()
    }

    /// Gives outputs the names that callers know, with a copy where a value has a name already.
    fn outputs(&mut self) -> Vec<proto::ValueInfo> {
        let program = self.program;
        program
            .outputs
            .iter()
            .map(|port| {
                let found = self.read(port.value, Order::Plain);
                let name = self.graph.fresh(&port.name);
                let is_port = program
                    .outputs
                    .iter()
                    .any(|other| other.name != port.name && other.value == port.value)
                    || program.inputs.iter().any(|i| i.value == port.value);
                if is_port || !self.graph.rename(&found, &name) {
                    let copy = self.graph.node("Identity", &[&found], Vec::new());
                    self.graph.rename(&copy, &name);
                } else {
                    self.set(port.value, Order::Plain, name.clone());
                }
                self.port(name, port.value)
            })
            .collect()
    }

    fn port(&self, name: String, id: ValueId) -> proto::ValueInfo {
        let batch = proto::Dimension { parameter: Some("batch".into()), ..Default::default() };
        let axes = self.program.shape(id).iter();
        let axes = axes.map(|&n| proto::Dimension { value: Some(n as i64), ..Default::default() });
        let element = match self.program.dtype(id) {
            Dtype::I8 => data_type::INT8,
            _ => data_type::FLOAT,
        };
        let shape = Some(proto::Shape { dim: [batch].into_iter().chain(axes).collect() });
        let tensor = Some(proto::TensorType { element, shape });
        proto::ValueInfo { name, kind: Some(proto::Type { tensor }) }
    }

    /// The name of a value in one order of its axes, with the batch in front.
    fn read(&mut self, id: ValueId, order: Order) -> String {
        let names = &self.names[id.index()];
        let (found, other) = match order {
            Order::Plain => (&names.plain, &names.series),
            Order::Series => (&names.series, &names.plain),
        };
        if let Some(found) = found {
            return found.clone();
        }
        let Some(other) = other.clone() else {
            let lifted = self.lifted(id);
            self.set(id, Order::Plain, lifted);
            return self.read(id, order);
        };
        let swapped = self.graph.node("Transpose", &[&other], vec![ints("perm", vec![0, 2, 1])]);
        self.set(id, order, swapped.clone());
        swapped
    }

    fn set(&mut self, id: ValueId, order: Order, name: String) {
        let names = &mut self.names[id.index()];
        match order {
            Order::Plain => names.plain = Some(name),
            Order::Series => names.series = Some(name),
        }
    }

    /// The order in which a value is there already.
    fn order(&self, id: ValueId) -> Order {
        match &self.names[id.index()] {
            Names { plain: None, series: Some(_) } => Order::Series,
            _ => Order::Plain,
        }
    }

    /// A tensor of the file, repeated for each sample of the batch.
    fn lifted(&mut self, id: ValueId) -> String {
        let constant = self.constant(id);
        let batch = match self.program.inputs.first() {
            Some(port) => {
                let x = self.read(port.value, Order::Plain);
                self.graph.node("Shape", &[&x], vec![int("start", 0), int("end", 1)])
            }
            None => self.graph.list(&[1]),
        };
        let own: Vec<i64> = self.program.shape(id).iter().map(|&n| n as i64).collect();
        let shape = if own.is_empty() {
            batch
        } else {
            let own = self.graph.list(&own);
            self.graph.node("Concat", &[&batch, &own], vec![int("axis", 0)])
        };
        self.graph.node("Expand", &[&constant, &shape], Vec::new())
    }

    /// A tensor of the file as it is.
    fn constant(&mut self, id: ValueId) -> String {
        let (program, name) = (self.program, self.tensor_name(id));
        let shape = program.shape(id);
        match program.dtype(id) {
            Dtype::I8 => {
                let data = self.elements::<i8>(id);
                self.graph.bytes(name, shape, &data)
            }
            _ => {
                let data = self.reals(id);
                self.graph.floats(name, shape, &data)
            }
        }
    }

    fn is_tensor(&self, id: ValueId) -> bool {
        self.program.values[id.index()].tensor.is_some()
    }

    fn tensor_name(&self, id: ValueId) -> &'static str {
        match self.program.dtype(id) {
            Dtype::I8 | Dtype::I4 => "weight_i8",
            Dtype::I32 => "bias_i32",
            _ => "weight",
        }
    }

    /// Those of a tensor of real numbers. What is of half precision is exported as what it widens to.
    fn reals(&self, id: ValueId) -> Vec<f32> {
        let name = self.program.values[id.index()].tensor.as_ref().expect("verified");
        self.tensors[name].reals().expect("verified: they are real numbers")
    }

    /// The elements of a tensor of the file.
    fn elements<T: Element>(&self, id: ValueId) -> Vec<T> {
        let name = self.program.values[id.index()].tensor.as_ref().expect("verified");
        let tensor = &self.tensors[name];
        assert_eq!(tensor.dtype, T::DTYPE, "the type of tensor `{name}`");
        // Copied, because a caller's bytes may begin anywhere.
        tensor.bytes.chunks_exact(size_of::<T>()).map(bytemuck::pod_read_unaligned).collect()
    }

    fn quantization(&self, id: ValueId) -> Quantization {
        self.program.values[id.index()].quantization.expect("verified: it is an activation in `i8`")
    }
}
