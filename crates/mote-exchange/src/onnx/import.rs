//! From ONNX to a program.
//!
//! The first axis of every input is the batch. It falls away, and every node has to leave it alone;
//! a reshape may merge it with the axis behind it, so that rows of a series become samples for a
//! while. Between a DequantizeLinear and a QuantizeLinear an operator becomes one on integers.

mod attention;
mod constant;
mod elementwise;
mod integers;
mod layers;
mod moves;
mod names;
mod node;
mod reshape;

use std::collections::{HashMap, HashSet};

use mote_format::{Quantization, ValueId, limits, program::Value, shape};
use prost::Message;

use self::constant::{Constant, Data};
use super::{
    budget,
    proto::{self, Node, data_type},
};
use crate::{Error, Imported, draft::Draft};

/// The oldest opset whose operators mean what is read here.
const OLDEST_OPSET: i64 = 13;

/// The program `run` that an ONNX model computes.
///
/// # Errors
///
/// [`Error::Operator`] or [`Error::Node`] where programs have no counterpart, [`Error::Bytes`] and
/// [`Error::Limit`] where the bytes are no model or too large a one.
pub fn import(file: &[u8]) -> Result<Imported, Error> {
    budget::check(file)?;
    let model = proto::Model::decode(file)
        .map_err(|e| Error::Bytes { wanted: "an ONNX model", found: e.to_string() })?;
    let Some(graph) = &model.graph else {
        return Err(Error::Bytes { wanted: "an ONNX model", found: "no graph".into() });
    };
    let opset = model.opset_import.iter().find(|o| o.domain.is_empty() || o.domain == "ai.onnx");
    let opset = opset.map_or(0, |o| o.version);
    if opset < OLDEST_OPSET {
        let found = format!("opset {opset}");
        return Err(Error::Bytes { wanted: "an ONNX model of opset 13 or later", found });
    }
    if graph.node.len() > limits::OPS {
        let (limit, found) = (limits::OPS as u64, graph.node.len() as u64);
        return Err(Error::Limit { what: "nodes", limit, found });
    }
    let mut importer = Importer::new(graph);
    importer.constants()?;
    importer.inputs()?;
    for (i, node) in graph.node.iter().enumerate() {
        if !importer.done.contains(&i) {
            importer.node(i, node)?;
        }
    }
    importer.outputs()?;
    importer.draft.finish()
}

/// In which order the axes of a value lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// As in the model.
    Plain,
    /// Turned over: what the model calls `(channels, time)` lies as `(time, channels)`.
    Turned,
}

/// A value of the program and how it lies.
#[derive(Clone, Copy, Debug)]
struct Place {
    value: ValueId,
    order: Order,
}

/// A computed value of the model.
#[derive(Clone, Debug)]
struct Active {
    /// Per sample, in the order of the model; with `merged` the first axis goes with the batch.
    shape: Vec<usize>,
    merged: bool,
    /// As real numbers, once somebody has asked for them.
    real: Option<Place>,
    /// As bytes, and what they stand for.
    bytes: Option<(Place, Quantization)>,
    /// Whether the model itself speaks of the bytes, not of what they stand for.
    is_bytes: bool,
}

/// What a name of the model is.
#[derive(Clone, Debug)]
enum Known {
    Constant(Constant),
    /// Integers with their scales along an axis, already dequantized in the model.
    Scaled {
        integers: Constant,
        scale: Vec<f32>,
        axis: usize,
    },
    Active(Active),
    /// The lengths of a tensor with the batch in front; only `Expand` may read it.
    BatchShape,
}

struct Importer<'m> {
    draft: Draft,
    graph: &'m proto::Graph,
    known: HashMap<&'m str, Known>,
    /// The nodes that read a name.
    readers: HashMap<&'m str, Vec<usize>>,
    /// The names that leave the model.
    leaving: HashSet<&'m str>,
    /// Nodes that an earlier one has taken in.
    done: HashSet<usize>,
    /// The length of the batch axis, where the model fixes it.
    batch: Option<usize>,
}

type Result2<T> = Result<T, String>;

impl<'m> Importer<'m> {
    fn new(graph: &'m proto::Graph) -> Self {
        let mut readers: HashMap<&str, Vec<usize>> = HashMap::new();
        for (i, node) in graph.node.iter().enumerate() {
            for name in &node.input {
                readers.entry(name).or_default().push(i);
            }
        }
        let leaving = graph.output.iter().map(|o| o.name.as_str()).collect();
        Self {
            draft: Draft::new(),
            graph,
            known: HashMap::new(),
            readers,
            leaving,
            done: HashSet::new(),
            batch: None,
        }
    }

    fn constants(&mut self) -> Result<(), Error> {
        for tensor in &self.graph.initializer {
            let constant = Constant::read(tensor)
                .map_err(|why| Error::Port { port: tensor.name.clone(), why })?;
            self.known.insert(&tensor.name, Known::Constant(constant));
        }
        Ok(())
    }

    fn inputs(&mut self) -> Result<(), Error> {
        for input in &self.graph.input {
            // Old files list their weights among the inputs.
            if self.known.contains_key(input.name.as_str()) {
                continue;
            }
            let active =
                self.input(input).map_err(|why| Error::Port { port: input.name.clone(), why })?;
            self.known.insert(&input.name, Known::Active(active));
        }
        Ok(())
    }

    fn input(&mut self, input: &proto::ValueInfo) -> Result2<Active> {
        let tensor = input.kind.as_ref().and_then(|k| k.tensor.as_ref()).ok_or("is no tensor")?;
        let dims = &tensor.shape.as_ref().ok_or("has no shape")?.dim;
        let (batch, own) = dims.split_first().ok_or("wanted a batch axis, found a scalar")?;
        if let Some(n) = batch.value {
            let n = usize::try_from(n).ok().filter(|&n| n > 0);
            let n = n.ok_or("the batch axis is empty")?;
            if self.batch.replace(n).is_some_and(|known| known != n) {
                return Err(format!("wanted the batch of the other inputs, found {n}"));
            }
        }
        let length = |d: &proto::Dimension| d.value.and_then(|n| usize::try_from(n).ok());
        let shape: Option<Vec<usize>> = own.iter().map(length).collect();
        let shape = shape.ok_or("wanted fixed axes behind the batch, found free ones")?;
        shape::elements(&shape).ok_or_else(|| format!("{shape:?} has too many elements"))?;
        let is_bytes = match tensor.element {
            data_type::FLOAT => false,
            data_type::INT8 => true,
            other => return Err(format!("wanted float or int8, found type {other}")),
        };
        let mut active =
            Active { shape: shape.clone(), merged: false, real: None, bytes: None, is_bytes };
        if is_bytes {
            let q = self.meaning(&input.name).ok_or("nothing says what its bytes stand for")?;
            let value = self.draft.input(&input.name, Value::i8(shape, q));
            active.bytes = Some((Place { value, order: Order::Plain }, q));
        } else {
            let value = self.draft.input(&input.name, Value::f32(shape));
            active.real = Some(Place { value, order: Order::Plain });
        }
        Ok(active)
    }

    /// What the bytes of a name stand for, from the DequantizeLinear that reads it, now or after
    /// moves, which leave their meaning.
    fn meaning(&self, name: &str) -> Option<Quantization> {
        const MOVES: [&str; 4] = ["Transpose", "Reshape", "Slice", "Concat"];
        let mut name = name;
        for _ in 0..self.graph.node.len() {
            let readers = self.readers.get(name)?.iter().map(|&i| &self.graph.node[i]);
            let found = readers.clone().filter(|n| n.op_type == "DequantizeLinear");
            if let Some(q) = found.filter_map(|n| self.step(n).ok()).next() {
                return Some(q.0);
            }
            let mut moves = readers.filter(|n| MOVES.contains(&n.op_type.as_str()));
            name = moves.next()?.output.first()?;
        }
        None
    }

    fn outputs(&mut self) -> Result<(), Error> {
        for output in &self.graph.output {
            let port = |why: String| Error::Port { port: output.name.clone(), why };
            let value = match self.known.get(output.name.as_str()) {
                Some(Known::Active(a)) if a.merged => {
                    return Err(port("its rows are merged with the batch".into()));
                }
                Some(Known::Active(a)) if a.is_bytes => {
                    self.bytes(&output.name, Order::Plain).map_err(port)?
                }
                Some(_) => self.real(&output.name, Order::Plain).map_err(port)?,
                None => return Err(port("is never computed".into())),
            };
            self.draft.output(&output.name, value);
        }
        Ok(())
    }

    fn node(&mut self, i: usize, node: &'m Node) -> Result<(), Error> {
        if !(node.domain.is_empty() || node.domain == "ai.onnx") {
            return Err(self.unsupported(node));
        }
        let result = match node.op_type.as_str() {
            "MatMul" if node.operand(1).is_some_and(|w| self.is_active(w)) => self.attention(node),
            "Gemm" | "MatMul" => self.linear(node),
            "Conv" => self.conv(node),
            "ConvTranspose" => self.conv_transpose(node),
            "QuantizeLinear" => self.quantize(node),
            "DequantizeLinear" => self.dequantize(node),
            "Cast" => self.cast(node),
            "LayerNormalization" => self.layer_norm(node),
            "Softmax" => self.softmax(node),
            "Add" | "Sub" | "Mul" | "Div" | "Max" | "Min" | "Pow" => self.arithmetic(i, node),
            "Clip" => self.clip(node),
            "Neg" => self.affine_of(node, -1.0, 0.0),
            "LeakyRelu" => self.leaky(node),
            "BatchNormalization" => self.batch_norm(node),
            "CumSum" => self.cumulative_sum(node),
            "ReduceSum" | "ReduceMean" | "ReduceMax" | "GlobalAveragePool" => self.reduce(node),
            "Slice" => self.slice(node),
            "Split" => self.split(node),
            "Concat" => self.concat(node),
            "Pad" => self.pad(node),
            "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" => self.reshape(node),
            "Transpose" => self.transpose(node),
            "Constant" | "Identity" | "Dropout" | "Shape" | "Expand" => self.given(node),
            name => match elementwise::function(name) {
                Some(f) => self.unary(node, f),
                None => return Err(self.unsupported(node)),
            },
        };
        result.map_err(|why| Error::Node { node: label(node), operator: node.op_type.clone(), why })
    }

    fn unsupported(&self, node: &Node) -> Error {
        let domain =
            if node.domain.is_empty() { String::new() } else { format!("{}.", node.domain) };
        Error::Operator {
            node: label(node),
            operator: format!("{domain}{}", node.op_type),
            supported: SUPPORTED,
        }
    }
}

const SUPPORTED: &str = "Abs, Add, BatchNormalization, Clip, Concat, Constant, Conv, ConvTranspose, CumSum, \
    DequantizeLinear, Div, Dropout, Exp, Flatten, Gelu, Gemm, GlobalAveragePool, Identity, \
    LayerNormalization, LeakyRelu, Log, MatMul, Max, Min, Mul, Neg, Pad, Pow, QuantizeLinear, \
    Reciprocal, ReduceMax, ReduceMean, ReduceSum, Relu, Reshape, Sigmoid, Slice, Softmax, Softplus, \
    Split, Sqrt, Squeeze, Sub, Tanh, Transpose, Unsqueeze";

/// What people find a node by.
fn label(node: &Node) -> String {
    match (node.name.as_str(), node.output.first()) {
        ("", Some(y)) => y.clone(),
        (name, _) => name.into(),
    }
}
