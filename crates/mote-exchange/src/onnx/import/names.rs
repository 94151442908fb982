//! What nodes ask of names: constants, and values in the order and kind that a node needs.

use mote_format::{Op, ValueId};

use super::{Active, Constant, Data, Importer, Known, Order, Place, Result2};
use crate::onnx::proto::Node;

impl<'m> Importer<'m> {
    pub(super) fn active(&self, name: &str) -> Result2<Active> {
        match self.known.get(name) {
            Some(Known::Active(active)) => Ok(active.clone()),
            Some(_) => Err(format!("`{name}` is a constant, wanted a computed value")),
            None => Err(format!("`{name}` is read before it is computed")),
        }
    }

    pub(super) fn constant(&self, name: &str) -> Result2<&Constant> {
        match self.known.get(name) {
            Some(Known::Constant(constant)) => Ok(constant),
            _ => Err(format!("`{name}` is computed, wanted a constant")),
        }
    }

    pub(super) fn is_active(&self, name: &str) -> bool {
        matches!(self.known.get(name), Some(Known::Active(_)))
    }

    /// A list of lengths, indices or axes.
    pub(super) fn list(&self, name: &str) -> Result2<Vec<i64>> {
        self.constant(name)?.integers().ok_or_else(|| format!("`{name}` holds no integers"))
    }

    /// The shape and the real numbers of a constant.
    pub(super) fn numbers(&self, name: &str) -> Result2<(Vec<usize>, Vec<f32>)> {
        match self.known.get(name) {
            Some(Known::Scaled { integers, scale, axis }) => {
                Ok((integers.shape.clone(), scaled(integers, scale, *axis)))
            }
            _ => {
                let constant = self.constant(name)?;
                let data = constant.floats().ok_or_else(|| format!("`{name}` holds no floats"))?;
                Ok((constant.shape.clone(), data.into()))
            }
        }
    }

    /// A value as real numbers in one order of its axes.
    pub(super) fn real(&mut self, name: &str, order: Order) -> Result2<ValueId> {
        if !self.is_active(name) {
            let (shape, data) = self.numbers(name)?;
            let value = self.draft.tensor("constant", &shape, &data);
            return self.laid(Place { value, order: Order::Plain }, order);
        }
        let active = self.active(name)?;
        let place = match (active.real, active.bytes) {
            (Some(real), _) => real,
            (None, Some((bytes, _))) => {
                let x = bytes.value;
                let value = self.draft.push(|y| Op::Dequantize { x, y })?;
                let place = Place { value, ..bytes };
                if let Some(Known::Active(active)) = self.known.get_mut(name) {
                    active.real = Some(place);
                }
                place
            }
            (None, None) => return Err(format!("`{name}` has no value")),
        };
        self.laid(place, order)
    }

    /// A value as bytes in one order of its axes.
    pub(super) fn bytes(&mut self, name: &str, order: Order) -> Result2<ValueId> {
        let (place, _) =
            self.active(name)?.bytes.ok_or_else(|| format!("`{name}` holds no bytes"))?;
        self.laid(place, order)
    }

    pub(super) fn laid(&mut self, place: Place, order: Order) -> Result2<ValueId> {
        if place.order == order { Ok(place.value) } else { self.draft.turn(place.value) }
    }

    /// The order in which a value is there.
    pub(super) fn order(&self, name: &str) -> Order {
        match self.known.get(name) {
            Some(Known::Active(
                Active { real: Some(place), .. } | Active { bytes: Some((place, _)), .. },
            )) => place.order,
            _ => Order::Plain,
        }
    }

    pub(super) fn set(&mut self, name: &'m str, known: Known) {
        self.known.insert(name, known);
    }

    /// Names a result of real numbers, whose shape is that of the value.
    pub(super) fn set_real(&mut self, name: &'m str, place: Place, merged: bool) {
        let shape = self.shape_of(place);
        let active = Active { shape, merged, real: Some(place), bytes: None, is_bytes: false };
        self.set(name, Known::Active(active));
    }

    /// Names a result of bytes.
    pub(super) fn set_bytes(
        &mut self,
        name: &'m str,
        place: Place,
        merged: bool,
        is_bytes: bool,
    ) -> Result2<()> {
        let shape = self.shape_of(place);
        let q = self.draft.program.values[place.value.index()].quantization;
        let q = q.ok_or("its bytes stand for nothing")?;
        let active = Active { shape, merged, real: None, bytes: Some((place, q)), is_bytes };
        self.set(name, Known::Active(active));
        Ok(())
    }

    pub(super) fn shape_of(&self, place: Place) -> Vec<usize> {
        let mut shape = self.draft.program.shape(place.value).to_vec();
        if place.order == Order::Turned {
            shape.reverse();
        }
        shape
    }

    /// The only node that reads `name`, if the name does not leave the model.
    pub(super) fn reader(&self, name: &str) -> Option<(usize, &'m Node)> {
        match self.readers.get(name)?.as_slice() {
            &[i] if !self.leaving.contains(name) => Some((i, &self.graph.node[i])),
            _ => None,
        }
    }
}

/// Integers times their scales.
fn scaled(integers: &Constant, scale: &[f32], axis: usize) -> Vec<f32> {
    let inner: usize = integers.shape.iter().skip(axis + 1).product();
    let at = |i: usize| scale[i / inner.max(1) % scale.len()];
    match &integers.data {
        Data::I8(d) => d.iter().enumerate().map(|(i, &q)| f32::from(q) * at(i)).collect(),
        Data::I32(d) => d.iter().enumerate().map(|(i, &q)| q as f32 * at(i)).collect(),
        _ => Vec::new(),
    }
}
