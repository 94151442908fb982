//! The tables of a model, as far as they are used.

use mote_format::{Quantization, limits, shape};

use super::flatbuffer::{Result, Table};

/// One subgraph with everything that it reads.
#[derive(Debug)]
pub(super) struct Model<'a> {
    pub(super) tensors: Vec<Tensor<'a>>,
    pub(super) inputs: Vec<usize>,
    pub(super) outputs: Vec<usize>,
    pub(super) operators: Vec<Operator<'a>>,
}

/// What is known of a tensor.
#[derive(Debug)]
pub(super) struct Tensor<'a> {
    pub(super) name: String,
    /// With the batch in front, unless it is a constant.
    pub(super) shape: Vec<usize>,
    pub(super) element: Element,
    /// The numbers of a constant, little endian; empty where it is computed.
    pub(super) data: &'a [u8],
    pub(super) scale: Vec<f32>,
    pub(super) zero_point: Vec<i64>,
    /// The axis of several scales.
    pub(super) axis: usize,
}

/// The types of numbers that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    F32,
    I8,
    I32,
    /// Known by number only, and of no use.
    Other(u8),
}

#[derive(Debug)]
pub(super) struct Operator<'a> {
    /// The number of the builtin operator.
    pub(super) code: i32,
    /// `-1` stands for none.
    pub(super) inputs: Vec<i32>,
    pub(super) outputs: Vec<i32>,
    pub(super) options: Option<Table<'a>>,
}

impl<'a> Model<'a> {
    pub(super) fn read(file: &'a [u8]) -> Result<Self> {
        if file.get(4..8) != Some(b"TFL3") {
            return Err("no mark `TFL3`".into());
        }
        let root = Table::root(file)?;
        let mut codes = Vec::new();
        for code in root.tables(1)? {
            // The older field holds codes below 127, the newer one all of them.
            codes.push(i32::from(code.byte(0)? as i8).max(code.int(3, 0)?));
        }
        let subgraphs = root.tables(2)?;
        let [graph] = subgraphs.as_slice() else {
            return Err(format!("{} subgraphs, wanted one", subgraphs.len()));
        };
        let buffers = root.tables(4)?;
        let tables = graph.tables(0)?;
        if tables.len() > limits::VALUES {
            return Err(format!("{} tensors, wanted at most {}", tables.len(), limits::VALUES));
        }
        let mut tensors = Vec::new();
        for table in tables {
            tensors.push(Tensor::read(table, &buffers)?);
        }
        let operators: Result<Vec<_>> =
            graph.tables(3)?.into_iter().map(|table| Operator::read(table, &codes)).collect();
        let count = tensors.len();
        let ports = |field| -> Result<Vec<usize>> {
            let port = |i: i32| usize::try_from(i).ok().filter(|&i| i < count);
            let found = graph.ints(field)?;
            let ports: Option<Vec<usize>> = found.iter().map(|&i| port(i)).collect();
            ports.ok_or_else(|| format!("inputs or outputs {found:?} of {count} tensors"))
        };
        Ok(Self { inputs: ports(1)?, outputs: ports(2)?, operators: operators?, tensors })
    }
}

impl<'a> Tensor<'a> {
    fn read(table: Table<'a>, buffers: &[Table<'a>]) -> Result<Self> {
        let name = table.text(3)?;
        let dims = table.ints(0)?;
        let shape: Option<Vec<usize>> = dims.iter().map(|&n| usize::try_from(n).ok()).collect();
        let shape = shape.filter(|s| shape::elements(s).is_some());
        let shape = shape.ok_or_else(|| format!("tensor `{name}` of shape {dims:?}"))?;
        let element = match table.byte(1)? {
            0 => Element::F32,
            2 => Element::I32,
            9 => Element::I8,
            other => Element::Other(other),
        };
        let buffer = table.int(2, 0)? as u32 as usize;
        let data = match buffers.get(buffer) {
            Some(buffer) => buffer.list(0, 1)?.raw(),
            None => return Err(format!("tensor `{name}` in buffer {buffer} of {}", buffers.len())),
        };
        let (mut scale, mut zero_point, mut axis) = (Vec::new(), Vec::new(), 0);
        if let Some(quantization) = table.table(4)? {
            scale = quantization.floats(2)?;
            zero_point = quantization.longs(3)?;
            axis = quantization.int(6, 0)? as u32 as usize;
        }
        if let Some(bad) = scale.iter().find(|s| !(s.is_finite() && **s > 0.0)) {
            return Err(format!("tensor `{name}` with a scale of {bad}"));
        }
        Ok(Self { name, shape, element, data, scale, zero_point, axis })
    }

    /// What its bytes stand for, as a whole.
    pub(super) fn quantization(&self) -> Result<Quantization> {
        match (self.scale.as_slice(), self.zero_point.as_slice()) {
            (&[scale], &[zero]) if i8::try_from(zero).is_ok() => {
                Ok(Quantization { scale, zero_point: zero as i8 })
            }
            _ => Err(format!(
                "tensor `{}`: wanted one scale and zero point, found {} and {:?}",
                self.name,
                self.scale.len(),
                self.zero_point
            )),
        }
    }

    fn words<const N: usize, T>(&self, wanted: Element, from: fn([u8; N]) -> T) -> Result<Vec<T>> {
        let elements: usize = self.shape.iter().product();
        if self.element != wanted || self.data.len() != elements * N || self.data.is_empty() {
            return Err(format!(
                "tensor `{}`: wanted {elements} constants in {wanted:?}, found {} bytes of {:?}",
                self.name,
                self.data.len(),
                self.element
            ));
        }
        let word = |b: &[u8]| from(b.try_into().expect("chunks have this length"));
        Ok(self.data.chunks_exact(N).map(word).collect())
    }

    pub(super) fn floats(&self) -> Result<Vec<f32>> {
        self.words(Element::F32, f32::from_le_bytes)
    }

    pub(super) fn bytes(&self) -> Result<Vec<i8>> {
        self.words(Element::I8, i8::from_le_bytes)
    }

    pub(super) fn ints(&self) -> Result<Vec<i32>> {
        self.words(Element::I32, i32::from_le_bytes)
    }
}

impl<'a> Operator<'a> {
    fn read(table: Table<'a>, codes: &[i32]) -> Result<Self> {
        let index = table.int(0, 0)? as u32 as usize;
        let code =
            *codes.get(index).ok_or_else(|| format!("operator code {index} of {}", codes.len()))?;
        Ok(Self { code, inputs: table.ints(1)?, outputs: table.ints(2)?, options: table.table(4)? })
    }
}
