//! From TFLite to a program.

use std::collections::HashMap;

use mote_format::{
    Op, Quantization, ValueId, limits,
    program::{Binary, Reduction, Unary, Value},
    shape,
};

use super::{
    flatbuffer::Result,
    model::{Element, Model, Operator, Tensor},
};
use crate::{Error, Imported, draft::Draft};

/// The program `run` that a TFLite model computes.
///
/// # Errors
///
/// [`Error::Operator`] or [`Error::Node`] where programs have no counterpart, [`Error::Bytes`] and
/// [`Error::Limit`] where the bytes are no model or too large a one.
pub fn import(file: &[u8]) -> std::result::Result<Imported, Error> {
    let model =
        Model::read(file).map_err(|found| Error::Bytes { wanted: "a TFLite model", found })?;
    if model.operators.len() > limits::OPS {
        let (limit, found) = (limits::OPS as u64, model.operators.len() as u64);
        return Err(Error::Limit { what: "operators", limit, found });
    }
    let batch = model.inputs.first().and_then(|&i| model.tensors[i].shape.first().copied());
    let batch = batch.filter(|&n| n > 0).ok_or_else(|| Error::Bytes {
        wanted: "a TFLite model whose first input has a batch axis",
        found: "none".into(),
    })?;
    let mut importer = Importer {
        model: &model,
        batch,
        draft: Draft::new(),
        real: HashMap::new(),
        bytes: HashMap::new(),
        padded: HashMap::new(),
    };
    importer.inputs()?;
    for (i, operator) in model.operators.iter().enumerate() {
        importer.operator(i, operator)?;
    }
    importer.outputs()?;
    importer.draft.finish()
}

pub(super) struct Importer<'m, 'a> {
    pub(super) model: &'m Model<'a>,
    pub(super) batch: usize,
    pub(super) draft: Draft,
    /// Tensors as real numbers and as bytes, where they are there.
    pub(super) real: HashMap<usize, ValueId>,
    pub(super) bytes: HashMap<usize, ValueId>,
    /// Tensors that are another one with rows of zeros around it, for a convolution to read.
    pub(super) padded: HashMap<usize, (usize, [usize; 2])>,
}

impl<'a> Importer<'_, 'a> {
    fn inputs(&mut self) -> std::result::Result<(), Error> {
        for &i in &self.model.inputs {
            let tensor = &self.model.tensors[i];
            let port = |why| Error::Port { port: tensor.name.clone(), why };
            let (shape, merged) = self.own_shape(tensor).map_err(port)?;
            if merged {
                return Err(port(format!(
                    "wanted a batch of {}, found {:?}",
                    self.batch, tensor.shape
                )));
            }
            if self.real.contains_key(&i) || self.bytes.contains_key(&i) {
                return Err(port("is an input twice".into()));
            }
            match tensor.element {
                Element::F32 => {
                    let value = self.draft.input(&tensor.name, Value::f32(shape));
                    self.real.insert(i, value);
                }
                Element::I8 => {
                    let q = tensor.quantization().map_err(port)?;
                    let value = self.draft.input(&tensor.name, Value::i8(shape, q));
                    self.bytes.insert(i, value);
                }
                other => return Err(port(format!("wanted float32 or int8, found {other:?}"))),
            }
        }
        Ok(())
    }

    fn outputs(&mut self) -> std::result::Result<(), Error> {
        for &i in &self.model.outputs {
            let tensor = &self.model.tensors[i];
            let port = |why| Error::Port { port: tensor.name.clone(), why };
            if self.own_shape(tensor).map_err(port)?.1 {
                return Err(port("its rows are merged with the batch".into()));
            }
            let value = match tensor.element {
                Element::I8 => self.bytes_of(i),
                _ => self.real_of(i),
            };
            let value = value.map_err(port)?;
            self.draft.output(&tensor.name, value);
        }
        Ok(())
    }

    fn operator(&mut self, i: usize, op: &Operator<'a>) -> std::result::Result<(), Error> {
        let Some(&(_, name)) = NAMES.iter().find(|(code, _)| *code == op.code) else {
            return Err(Error::Operator {
                node: i.to_string(),
                operator: format!("builtin operator {}", op.code),
                supported: SUPPORTED,
            });
        };
        let result = match name {
            "FULLY_CONNECTED" => self.fully_connected(op),
            "CONV_2D" => self.conv(op),
            "TRANSPOSE_CONV" => self.conv_transpose(op),
            "QUANTIZE" => self.quantize(op),
            "DEQUANTIZE" => self.dequantize(op),
            "ADD" => self.add(op),
            "SUB" => self.binary(op, Binary::Sub),
            "MUL" => self.binary(op, Binary::Mul),
            "DIV" => self.binary(op, Binary::Div),
            "MAXIMUM" => self.binary(op, Binary::Max),
            "MINIMUM" => self.binary(op, Binary::Min),
            "SOFTMAX" => self.softmax(op),
            "MEAN" => self.reduce(op, Reduction::Mean),
            "SUM" => self.reduce(op, Reduction::Sum),
            "REDUCE_MAX" => self.reduce(op, Reduction::Max),
            "RESHAPE" | "SQUEEZE" | "EXPAND_DIMS" => self.reshape(op),
            "CONCATENATION" => self.concat(op),
            "SLICE" => self.slice(op),
            "TRANSPOSE" => self.transpose(op),
            "PAD" => self.pad(op),
            "LOGISTIC" => self.unary(op, Unary::Sigmoid, |x| 1.0 / (1.0 + (-x).exp())),
            "TANH" => self.unary(op, Unary::Tanh, f32::tanh),
            "RELU" => self.unary(op, Unary::Relu, |x| x.max(0.0)),
            "EXP" => self.unary(op, Unary::Exp, f32::exp),
            "LOG" => self.unary(op, Unary::Log, f32::ln),
            "SQRT" => self.unary(op, Unary::Sqrt, f32::sqrt),
            "ABS" => self.unary(op, Unary::Abs, f32::abs),
            "SQUARE" => self.unary(op, Unary::Square, |x| x * x),
            "RELU6" => self.relu6(op),
            _ => self.negate(op),
        };
        result.map_err(|why| Error::Node { node: i.to_string(), operator: name.into(), why })
    }

    // What operators ask of tensors.

    /// The number of operand `i`.
    pub(super) fn operand(&self, op: &Operator<'_>, i: usize) -> Result<usize> {
        self.optional(op, i)?.ok_or_else(|| format!("wanted an operand {i}, found none"))
    }

    pub(super) fn optional(&self, op: &Operator<'_>, i: usize) -> Result<Option<usize>> {
        match op.inputs.get(i) {
            None | Some(-1) => Ok(None),
            Some(&n) => self.known(n).map(Some),
        }
    }

    pub(super) fn result(&self, op: &Operator<'_>) -> Result<usize> {
        match op.outputs.as_slice() {
            &[n] => self.known(n),
            found => Err(format!("wanted one result, found {}", found.len())),
        }
    }

    fn known(&self, n: i32) -> Result<usize> {
        let found = usize::try_from(n).ok().filter(|&n| n < self.model.tensors.len());
        found.ok_or_else(|| format!("tensor {n} does not exist"))
    }

    pub(super) fn tensor(&self, i: usize) -> &Tensor<'a> {
        &self.model.tensors[i]
    }

    /// The shape per sample, and whether its first axis goes with the batch.
    pub(super) fn own_shape(&self, tensor: &Tensor<'_>) -> Result<(Vec<usize>, bool)> {
        let Some((&first, own)) = tensor.shape.split_first() else {
            return Err(format!("tensor `{}` has no batch axis", tensor.name));
        };
        if first == self.batch {
            return Ok((own.into(), false));
        }
        if first % self.batch != 0 {
            return Err(format!(
                "tensor `{}` has {first} rows for a batch of {}",
                tensor.name, self.batch
            ));
        }
        Ok(([first / self.batch].iter().chain(own).copied().collect(), true))
    }

    /// Axis `axis` of a tensor as one of its value.
    pub(super) fn own_axis(&self, i: usize, axis: i32) -> Result<usize> {
        let tensor = self.tensor(i);
        let rank = tensor.shape.len() as i32;
        let found = if axis < 0 { axis.saturating_add(rank) } else { axis };
        match (found, self.own_shape(tensor)?.1) {
            (0, _) => Err("it works along the batch".into()),
            (a, _) if !(0..rank).contains(&a) => {
                Err(format!("axis {axis} of {rank} does not exist"))
            }
            (a, true) => Ok(a as usize),
            (a, false) => Ok(a as usize - 1),
        }
    }

    /// A tensor as real numbers.
    pub(super) fn real_of(&mut self, i: usize) -> Result<ValueId> {
        if let Some(&value) = self.real.get(&i) {
            return Ok(value);
        }
        let value = if let Some(&x) = self.bytes.get(&i) {
            self.draft.push(|y| Op::Dequantize { x, y })?
        } else {
            let (shape, data) = self.repeated(i, self.constant(i)?)?;
            self.draft.tensor("constant", &shape, &data)
        };
        self.real.insert(i, value);
        Ok(value)
    }

    /// A constant as real numbers, whatever it is stored as.
    pub(super) fn constant(&self, i: usize) -> Result<Vec<f32>> {
        let tensor = self.tensor(i);
        if tensor.data.is_empty() {
            return Err(format!("tensor `{}` is read before it is computed", tensor.name));
        }
        if tensor.element != Element::I8 {
            return tensor.floats();
        }
        let q = tensor.quantization()?;
        Ok(tensor.bytes()?.into_iter().map(|b| q.dequantize(b)).collect())
    }

    /// The shape and the numbers of one sample of a constant that is the same for all of them.
    pub(super) fn repeated<T: Copy + PartialEq>(
        &self,
        i: usize,
        mut data: Vec<T>,
    ) -> Result<(Vec<usize>, Vec<T>)> {
        let tensor = self.tensor(i);
        let own = data.len() / self.batch;
        let same = own > 0 && data.chunks_exact(own).all(|sample| *sample == data[..own]);
        match tensor.shape.split_first() {
            Some((&rows, shape)) if rows == self.batch && same => {
                data.truncate(own);
                Ok((shape.into(), data))
            }
            _ => Err(format!("a constant of {:?} meets the batch", tensor.shape)),
        }
    }

    /// A tensor as bytes.
    pub(super) fn bytes_of(&mut self, i: usize) -> Result<ValueId> {
        if let Some(&value) = self.bytes.get(&i) {
            return Ok(value);
        }
        let tensor = self.tensor(i);
        let q = tensor.quantization()?;
        let (shape, data) = self.repeated(i, tensor.bytes()?)?;
        let value = self.draft.tensor("constant", &shape, &data);
        self.draft.program.values[value.index()].quantization = Some(q);
        self.bytes.insert(i, value);
        Ok(value)
    }

    /// What the bytes of a computed tensor stand for.
    pub(super) fn stands_for(&self, i: usize) -> Option<Quantization> {
        let value = self.bytes.get(&i)?;
        self.draft.program.values[value.index()].quantization
    }

    /// Names a result: real numbers become bytes where the model wants them.
    pub(super) fn set(&mut self, i: usize, value: ValueId) -> Result<()> {
        let tensor = self.tensor(i);
        let (wanted, _) = self.own_shape(tensor)?;
        let found = self.draft.program.shape(value);
        if wanted != found {
            return Err(format!("its result is {found:?}, declared as {wanted:?}"));
        }
        let is_bytes = self.draft.program.values[value.index()].quantization;
        match (tensor.element, is_bytes) {
            (Element::F32, None) => {
                self.real.insert(i, value);
            }
            (Element::I8, Some(found)) if tensor.quantization()? == found => {
                self.bytes.insert(i, value);
            }
            (Element::I8, Some(_)) => {
                let q = tensor.quantization()?;
                let value = self.draft.table(value, q, |x| x)?;
                self.bytes.insert(i, value);
            }
            (Element::I8, None) => {
                let q = tensor.quantization()?;
                let value = self.draft.push_i8(q, |y| Op::Quantize { x: value, y })?;
                self.bytes.insert(i, value);
            }
            (other, _) => return Err(format!("wanted float32 or int8, found {other:?}")),
        }
        Ok(())
    }

    fn quantize(&mut self, op: &Operator<'_>) -> Result<()> {
        let (x, y) = (self.operand(op, 0)?, self.result(op)?);
        let value = if self.bytes.contains_key(&x) { self.bytes_of(x)? } else { self.real_of(x)? };
        self.set(y, value)
    }

    fn dequantize(&mut self, op: &Operator<'_>) -> Result<()> {
        let (x, y) = (self.operand(op, 0)?, self.result(op)?);
        let value = self.real_of(x)?;
        if self.tensor(x).data.is_empty() {
            self.set(y, value)
        } else {
            self.real.insert(y, value);
            Ok(())
        }
    }

    fn unary(&mut self, op: &Operator<'_>, f: Unary, table: fn(f32) -> f32) -> Result<()> {
        let (x, y) = (self.operand(op, 0)?, self.result(op)?);
        if self.stands_for(x).is_some() && self.tensor(y).element == Element::I8 {
            let (x, q) = (self.bytes_of(x)?, self.tensor(y).quantization()?);
            let value = self.draft.table(x, q, table)?;
            return self.set(y, value);
        }
        let x = self.real_of(x)?;
        let value = self.draft.push(|y| Op::Unary { x, y, f })?;
        self.set(y, value)
    }

    fn relu6(&mut self, op: &Operator<'_>) -> Result<()> {
        let (x, y) = (self.operand(op, 0)?, self.result(op)?);
        let x = self.real_of(x)?;
        let value = self.draft.push(|y| Op::Clamp { x, y, low: 0.0, high: 6.0 })?;
        self.set(y, value)
    }

    fn negate(&mut self, op: &Operator<'_>) -> Result<()> {
        let (x, y) = (self.operand(op, 0)?, self.result(op)?);
        let x = self.real_of(x)?;
        let value = self.draft.push(|y| Op::Affine { x, y, scale: -1.0, offset: 0.0 })?;
        self.set(y, value)
    }

    fn softmax(&mut self, op: &Operator<'_>) -> Result<()> {
        let beta = op.options.map_or(Ok(1.0), |o| o.float(0, 0.0))?;
        if beta != 1.0 {
            return Err(format!("wanted `beta` of 1, found {beta}"));
        }
        let (x, y) = (self.operand(op, 0)?, self.result(op)?);
        let x = self.real_of(x)?;
        let value = self.draft.push(|y| Op::Softmax { x, y })?;
        self.set(y, value)
    }

    fn reduce(&mut self, op: &Operator<'_>, f: Reduction) -> Result<()> {
        let (x, axes, y) = (self.operand(op, 0)?, self.operand(op, 1)?, self.result(op)?);
        let mut value = self.real_of(x)?;
        for axis in self.tensor(axes).ints()? {
            let (axis, x) = (self.own_axis(x, axis)?, value);
            value = self.draft.push(|y| Op::Reduce { x, y, f, axis })?;
        }
        let (shape, _) = self.own_shape(self.tensor(y))?;
        shape::elements(&shape).ok_or("too many elements")?;
        let value = self.draft.reshape(value, &shape)?;
        self.set(y, value)
    }
}

/// The numbers of the operators that are read.
const NAMES: [(i32, &str); 32] = [
    (0, "ADD"),
    (2, "CONCATENATION"),
    (3, "CONV_2D"),
    (6, "DEQUANTIZE"),
    (9, "FULLY_CONNECTED"),
    (14, "LOGISTIC"),
    (18, "MUL"),
    (19, "RELU"),
    (21, "RELU6"),
    (22, "RESHAPE"),
    (25, "SOFTMAX"),
    (28, "TANH"),
    (34, "PAD"),
    (39, "TRANSPOSE"),
    (40, "MEAN"),
    (41, "SUB"),
    (42, "DIV"),
    (43, "SQUEEZE"),
    (47, "EXP"),
    (55, "MAXIMUM"),
    (57, "MINIMUM"),
    (59, "NEG"),
    (65, "SLICE"),
    (67, "TRANSPOSE_CONV"),
    (70, "EXPAND_DIMS"),
    (73, "LOG"),
    (74, "SUM"),
    (75, "SQRT"),
    (92, "SQUARE"),
    (82, "REDUCE_MAX"),
    (101, "ABS"),
    (114, "QUANTIZE"),
];

const SUPPORTED: &str = "ABS, ADD, CONCATENATION, CONV_2D, DEQUANTIZE, DIV, EXP, EXPAND_DIMS, \
    FULLY_CONNECTED, LOG, LOGISTIC, MAXIMUM, MEAN, MINIMUM, MUL, NEG, PAD, QUANTIZE, REDUCE_MAX, RELU, \
    RELU6, RESHAPE, SLICE, SOFTMAX, SQRT, SQUARE, SQUEEZE, SUB, SUM, TANH, TRANSPOSE, TRANSPOSE_CONV";
