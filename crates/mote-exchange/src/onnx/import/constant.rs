//! Numbers that a model brings along.

use mote_format::shape;

use crate::onnx::proto::{self, data_type};

/// An array, row major.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Constant {
    pub(super) shape: Vec<usize>,
    pub(super) data: Data,
}

/// The elements of an array.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Data {
    F32(Vec<f32>),
    I8(Vec<i8>),
    /// As it is in the file; as a quantized value it is 128 more than its `i8`.
    U8(Vec<u8>),
    I32(Vec<i32>),
    I64(Vec<i64>),
}

impl Data {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::F32(d) => d.len(),
            Self::I8(d) => d.len(),
            Self::U8(d) => d.len(),
            Self::I32(d) => d.len(),
            Self::I64(d) => d.len(),
        }
    }
}

impl Constant {
    /// Reads a tensor; a sentence says what is wrong with it.
    pub(super) fn read(tensor: &proto::Tensor) -> Result<Self, String> {
        if tensor.data_location != 0 {
            return Err("its numbers lie in another file: save the model as one file".into());
        }
        let shape: Option<Vec<usize>> = tensor.dims.iter().map(|&n| n.try_into().ok()).collect();
        let shape = shape.ok_or_else(|| format!("{:?} is no shape", tensor.dims))?;
        let wanted =
            shape::elements(&shape).ok_or_else(|| format!("{shape:?} has too many elements"))?;
        let data = elements(tensor)?;
        if data.len() != wanted {
            return Err(format!("wanted {wanted} numbers, found {}", data.len()));
        }
        Ok(Self { shape, data })
    }

    /// As lengths, indices or axes.
    pub(super) fn integers(&self) -> Option<Vec<i64>> {
        match &self.data {
            Data::I64(d) => Some(d.clone()),
            Data::I32(d) => Some(d.iter().map(|&i| i.into()).collect()),
            _ => None,
        }
    }

    pub(super) fn floats(&self) -> Option<&[f32]> {
        match &self.data {
            Data::F32(d) => Some(d),
            _ => None,
        }
    }

    /// Its only number.
    pub(super) fn scalar(&self) -> Option<f32> {
        match self.floats() {
            Some(&[x]) => Some(x),
            _ => None,
        }
    }
}

fn elements(tensor: &proto::Tensor) -> Result<Data, String> {
    let Some(raw) = &tensor.raw_data else {
        let words = &tensor.int32_data;
        return match tensor.data_type {
            data_type::FLOAT => Ok(Data::F32(tensor.float_data.clone())),
            data_type::INT32 => Ok(Data::I32(words.clone())),
            data_type::INT64 => Ok(Data::I64(tensor.int64_data.clone())),
            data_type::INT8 => Ok(Data::I8(words.iter().map(|&i| i as i8).collect())),
            data_type::UINT8 => Ok(Data::U8(words.iter().map(|&i| i as u8).collect())),
            other => Err(kind(other)),
        };
    };
    let whole = |size: usize| match raw.len() % size {
        0 => Ok(raw.chunks_exact(size)),
        _ => Err(format!("{} bytes are no multiple of {size}", raw.len())),
    };
    match tensor.data_type {
        data_type::FLOAT => Ok(Data::F32(whole(4)?.map(bytemuck::pod_read_unaligned).collect())),
        data_type::INT32 => Ok(Data::I32(whole(4)?.map(bytemuck::pod_read_unaligned).collect())),
        data_type::INT64 => Ok(Data::I64(whole(8)?.map(bytemuck::pod_read_unaligned).collect())),
        data_type::INT8 => Ok(Data::I8(raw.iter().map(|&b| b as i8).collect())),
        data_type::UINT8 => Ok(Data::U8(raw.clone())),
        other => Err(kind(other)),
    }
}

fn kind(found: i32) -> String {
    format!("wanted float, int8, uint8, int32 or int64 numbers, found type {found}")
}
