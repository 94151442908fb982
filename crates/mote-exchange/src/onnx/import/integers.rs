//! QuantizeLinear, DequantizeLinear, and what stands between them.

use mote_format::{Op, Quantization, ValueId};

use super::{Active, Constant, Data, Importer, Known, Order, Place, Result2, node};
use crate::onnx::proto::{Node, data_type};

/// How a result becomes bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ending<'m> {
    /// The name of the bytes.
    pub(super) name: &'m str,
    /// What they stand for.
    pub(super) q: Quantization,
    /// The least and the largest of them.
    pub(super) clamp: [i8; 2],
}

impl<'m> Importer<'m> {
    /// The step of a whole value from a QuantizeLinear or DequantizeLinear, and whether the model
    /// counts from 0 to 255.
    pub(super) fn step(&self, node: &Node) -> Result2<(Quantization, bool)> {
        let scale = self.constant(node.wanted(1)?)?.scalar().ok_or("wanted one scale")?;
        if !(scale.is_finite() && scale > 0.0) {
            return Err(format!("wanted a scale above zero, found {scale}"));
        }
        let (zero_point, unsigned) = match node.operand(2) {
            None => return Ok((Quantization { scale, zero_point: -128 }, true)),
            Some(name) => match &self.constant(name)?.data {
                Data::I8(d) if d.len() == 1 => (d[0], false),
                Data::U8(d) if d.len() == 1 => (signed(d[0]), true),
                _ => return Err("wanted one zero point in int8 or uint8".into()),
            },
        };
        Ok((Quantization { scale, zero_point }, unsigned))
    }

    pub(super) fn quantize(&mut self, node: &'m Node) -> Result2<()> {
        let name = node.wanted(0)?;
        let (q, _) = self.step(node)?;
        let active = self.active(name)?;
        let merged = active.merged;
        // Bytes that stand for something else already are looked up.
        if let (None, Some((place, old))) = (active.real, active.bytes) {
            if old == q {
                return self.set_bytes(node.result()?, place, merged, true);
            }
            let value = self.draft.table(place.value, q, |x| x)?;
            return self.set_bytes(node.result()?, Place { value, ..place }, merged, true);
        }
        let order = self.order(name);
        let x = self.real(name, order)?;
        let value = self.draft.push_i8(q, |y| Op::Quantize { x, y })?;
        self.set_bytes(node.result()?, Place { value, order }, merged, true)
    }

    pub(super) fn dequantize(&mut self, node: &'m Node) -> Result2<()> {
        let name = node.wanted(0)?;
        let known = match self.known.get(name) {
            Some(Known::Active(active)) => {
                let (q, _) = self.step(node)?;
                let mut active = self.renamed(active.clone(), q)?;
                active.is_bytes = false;
                Known::Active(active)
            }
            Some(Known::Constant(constant)) => self.scaled_constant(node, constant.clone())?,
            _ => return Err(format!("`{name}` holds no bytes")),
        };
        self.set(node.result()?, known);
        Ok(())
    }

    /// Bytes that the model now reads with another meaning than they were written with.
    fn renamed(&mut self, mut active: Active, q: Quantization) -> Result2<Active> {
        let (place, written) = active.bytes.ok_or("its operand holds no bytes")?;
        if written != q {
            let table: Vec<i8> = (-128..=127).collect();
            let table = self.draft.tensor("table", &[256], &table);
            let x = place.value;
            let value = self.draft.push_i8(q, |y| Op::Lookup { x, table, y })?;
            active.bytes = Some((Place { value, ..place }, q));
            active.real = None;
        }
        Ok(active)
    }

    fn scaled_constant(&self, node: &Node, constant: Constant) -> Result2<Known> {
        let scale = self.constant(node.wanted(1)?)?;
        let scale = scale.floats().ok_or("its scales are no floats")?.to_vec();
        let axis = match scale.len() {
            1 => 0,
            _ => node::axis(node.int("axis").unwrap_or(1), constant.shape.len())?,
        };
        if scale.len() != 1 && constant.shape[axis] != scale.len() {
            return Err(format!("{} scales for {} outputs", scale.len(), constant.shape[axis]));
        }
        if let Some(bad) = scale.iter().find(|s| !(s.is_finite() && **s > 0.0)) {
            return Err(format!("wanted scales above zero, found {bad}"));
        }
        let zero = node.operand(2).map(|name| self.constant(name)).transpose()?;
        let is_zero = match zero.map(|z| &z.data) {
            None => !matches!(constant.data, Data::U8(_)),
            Some(Data::I8(z)) => z.iter().all(|&z| z == 0),
            Some(Data::U8(z)) => z.iter().all(|&z| z == 128),
            Some(Data::I32(z)) => z.iter().all(|&z| z == 0),
            Some(_) => false,
        };
        if !is_zero {
            return Err("wanted symmetric weights, found a zero point".into());
        }
        let data = match constant.data {
            Data::U8(d) => Data::I8(d.into_iter().map(signed).collect()),
            data @ (Data::I8(_) | Data::I32(_)) => data,
            _ => return Err("wanted int8, uint8 or int32 constants".into()),
        };
        Ok(Known::Scaled { integers: Constant { data, ..constant }, scale, axis })
    }

    /// Whether the model speaks of what the bytes of `name` stand for.
    pub(super) fn stands_for(&self, name: &str) -> Option<Quantization> {
        let active = self.active(name).ok()?;
        (!active.is_bytes).then_some(active.bytes?.1)
    }

    /// The QuantizeLinear that ends an operator, over a rectifier or a clip; takes these nodes in.
    pub(super) fn ending(&mut self, y: &str) -> Option<Ending<'m>> {
        let (mut i, mut node) = self.reader(y)?;
        let mut bounds = None;
        let mut taken = Vec::new();
        if let "Relu" | "Clip" = node.op_type.as_str() {
            bounds = Some(self.bounds(node).ok()?);
            taken.push(i);
            (i, node) = self.reader(node.output.first()?)?;
        }
        if node.op_type != "QuantizeLinear" || node.operand(0) == node.operand(1) {
            return None;
        }
        let (q, _) = self.step(node).ok()?;
        let clamp = bounds.map_or([-128, 127], |b| b.map(|bound| q.quantize(bound)));
        taken.push(i);
        self.done.extend(taken);
        Some(Ending { name: node.output.first()?, q, clamp })
    }

    /// The bounds of a rectifier or a clip.
    pub(super) fn bounds(&self, node: &Node) -> Result2<[f32; 2]> {
        if node.op_type == "Relu" {
            return Ok([0.0, f32::INFINITY]);
        }
        let bound = |i: usize, none: f32| match node.operand(i) {
            Some(name) => self.constant(name)?.scalar().ok_or("wanted one bound".to_owned()),
            None => Ok(none),
        };
        Ok([bound(1, f32::NEG_INFINITY)?, bound(2, f32::INFINITY)?])
    }

    /// A cast of bytes, plus 128, gathered from a table: how a table is written in ONNX.
    pub(super) fn cast(&mut self, node: &'m Node) -> Result2<()> {
        let name = node.wanted(0)?;
        let to = node.int("to").unwrap_or(0);
        let active = self.active(name)?;
        if to == i64::from(data_type::FLOAT) && !active.is_bytes {
            return self.alias(name, node.result()?);
        }
        let no_table = || format!("wanted a cast to float, or one into a table, found type {to}");
        let (i, add) = self.reader(node.result()?).ok_or_else(no_table)?;
        let middle = self.constant(add.wanted(1)?)?.integers();
        let (j, gather) = self.reader(add.result()?).ok_or_else(no_table)?;
        let table = self.constant(gather.wanted(0)?)?;
        let (Data::I8(data), Some([128]), "Add", "Gather") =
            (&table.data, middle.as_deref(), add.op_type.as_str(), gather.op_type.as_str())
        else {
            return Err(no_table());
        };
        if data.len() != 256 {
            return Err(format!("wanted a table of 256 bytes, found {}", data.len()));
        }
        let table = data.clone();
        let (place, _) = active.bytes.ok_or_else(no_table)?;
        let y = gather.result()?;
        // Bytes that nobody explains leave the model as they are.
        let q = self.meaning(y).unwrap_or(Quantization { scale: 1.0, zero_point: 0 });
        let table = self.draft.tensor("table", &[256], &table);
        let x = place.value;
        let value = self.draft.push_i8(q, |y| Op::Lookup { x, table, y })?;
        self.done.extend([i, j]);
        self.set_bytes(y, Place { value, ..place }, active.merged, true)
    }

    pub(super) fn alias(&mut self, name: &str, y: &'m str) -> Result2<()> {
        let known = self.known.get(name).cloned();
        self.set(y, known.ok_or_else(|| format!("`{name}` is read before it is computed"))?);
        Ok(())
    }

    /// The sum of two values of bytes, if it ends as bytes.
    pub(super) fn quantized_add(&mut self, node: &'m Node) -> Result2<Option<()>> {
        let (a, b) = (node.wanted(0)?, node.wanted(1)?);
        if self.stands_for(a).is_none() || self.stands_for(b).is_none() {
            return Ok(None);
        }
        let (shape, merged) = (self.active(a)?.shape, self.active(a)?.merged);
        let other = self.active(b)?;
        if shape != other.shape || merged != other.merged {
            return Ok(None);
        }
        let Some(ending) = self.ending(node.result()?) else { return Ok(None) };
        let both = [a, b].iter().all(|x| self.order(x) == Order::Turned);
        let order = if both { Order::Turned } else { Order::Plain };
        let (a, b) = (self.bytes(a, order)?, self.bytes(b, order)?);
        let value = self.sum(a, b, ending.q, ending.clamp)?;
        self.set_bytes(ending.name, Place { value, order }, merged, true)?;
        Ok(Some(()))
    }

    fn sum(&mut self, a: ValueId, b: ValueId, q: Quantization, clamp: [i8; 2]) -> Result2<ValueId> {
        self.draft.push_i8(q, |y| Op::QuantizedAdd { a, b, y, clamp })
    }
}

/// The byte that stands for the same, where the model counts from 0 to 255.
fn signed(q: u8) -> i8 {
    (i16::from(q) - 128) as i8
}
