//! What moves numbers, whether they are real or bytes.

use mote_format::{Op, ValueId, shape};

use super::{Active, Constant, Data, Importer, Known, Order, Place, Result2, node};
use crate::onnx::{export::turn, proto::Node};

/// Zeros that a padding may add: they become a tensor of the file.
const PADDING: usize = 1 << 20;

/// An operand that is moved, as real numbers or as bytes.
pub(super) struct Moved {
    pub(super) value: ValueId,
    pub(super) order: Order,
    pub(super) active: Active,
    /// Whether bytes are moved, and whether the model speaks of them.
    bytes: Option<bool>,
}

impl<'m> Importer<'m> {
    /// Axis `axis` of the model as one of the value.
    pub(super) fn own_axis(&self, axis: i64, active: &Active) -> Result2<usize> {
        let rank = active.shape.len() + usize::from(!active.merged);
        match (node::axis(axis, rank)?, active.merged) {
            (0, _) => Err("it works along the batch".into()),
            (axis, true) => Ok(axis),
            (axis, false) => Ok(axis - 1),
        }
    }

    /// An operand as it lies: bytes stay bytes.
    pub(super) fn moving(&mut self, name: &str, order: Option<Order>) -> Result2<Moved> {
        let active = self.active(name)?;
        let order = order.unwrap_or(self.order(name));
        let (value, bytes) = if active.bytes.is_some() {
            (self.bytes(name, order)?, Some(active.is_bytes))
        } else {
            (self.real(name, order)?, None)
        };
        Ok(Moved { value, order, active, bytes })
    }

    pub(super) fn set_moved(
        &mut self,
        y: &'m str,
        value: ValueId,
        from: &Moved,
        merged: bool,
    ) -> Result2<()> {
        let place = Place { value, order: from.order };
        match from.bytes {
            Some(is_bytes) => self.set_bytes(y, place, merged, is_bytes),
            None => {
                self.set_real(y, place, merged);
                Ok(())
            }
        }
    }

    pub(super) fn slice(&mut self, node: &'m Node) -> Result2<()> {
        let from = self.moving(node.wanted(0)?, None)?;
        let (starts, ends) = (self.list(node.wanted(1)?)?, self.list(node.wanted(2)?)?);
        let axes = match node.operand(3) {
            Some(name) => self.list(name)?,
            None => (0..starts.len() as i64).collect(),
        };
        if let Some(name) = node.operand(4)
            && self.list(name)?.iter().any(|&step| step != 1)
        {
            return Err("wanted steps of 1".into());
        }
        if starts.len() != ends.len() || starts.len() != axes.len() {
            return Err("its lists have different lengths".into());
        }
        let mut value = from.value;
        for ((&start, &end), &axis) in starts.iter().zip(&ends).zip(&axes) {
            let axis = self.own_axis(axis, &from.active)?;
            let n = from.active.shape[axis] as i64;
            let at = |i: i64| if i < 0 { i.saturating_add(n).max(0) } else { i.min(n) } as usize;
            let (start, end) = (at(start), at(end));
            let axis = self.lying(axis, &from);
            value = self.draft.moved(value, |y| Op::Slice { x: value, y, axis, start, end })?;
        }
        self.set_moved(node.result()?, value, &from, from.active.merged)
    }

    /// Where an axis of the model's order is in the order in which the value lies.
    fn lying(&self, axis: usize, from: &Moved) -> usize {
        if from.order == Order::Turned { 1 - axis } else { axis }
    }

    pub(super) fn split(&mut self, node: &'m Node) -> Result2<()> {
        let from = self.moving(node.wanted(0)?, None)?;
        let own = self.own_axis(node.int("axis").unwrap_or(0), &from.active)?;
        let n = from.active.shape[own];
        let parts = match node.operand(1) {
            Some(name) => self.list(name)?,
            None => {
                let each = n.div_ceil(node.output.len().max(1));
                let part = |i: usize| each.min(n.saturating_sub(i * each)) as i64;
                (0..node.output.len()).map(part).collect()
            }
        };
        if parts.len() != node.output.len() {
            return Err(format!("wanted {} parts, found {}", node.output.len(), parts.len()));
        }
        let axis = self.lying(own, &from);
        let mut start = 0usize;
        for (y, part) in node.output.iter().zip(parts) {
            let part = usize::try_from(part).map_err(|_| "a negative part")?;
            let end = start.checked_add(part).ok_or("its parts are too long")?;
            let x = from.value;
            let value = self.draft.moved(x, |y| Op::Slice { x, y, axis, start, end })?;
            self.set_moved(y, value, &from, from.active.merged)?;
            start = end;
        }
        Ok(())
    }

    pub(super) fn concat(&mut self, node: &'m Node) -> Result2<()> {
        let shape_only =
            |this: &Self, n: &String| matches!(this.known.get(n.as_str()), Some(Known::BatchShape));
        if node.input.iter().any(|n| shape_only(self, n)) {
            self.set(node.result()?, Known::BatchShape);
            return Ok(());
        }
        let first =
            node.input.iter().find(|n| self.is_active(n)).ok_or("wanted a computed operand")?;
        let active = self.active(first)?;
        let own = self.own_axis(node.int("axis").unwrap_or(0), &active)?;
        // Bytes are joined as bytes only where all stand for the same.
        let meaning = active.bytes.map(|(_, q)| q);
        let same = node.input.iter().all(|n| {
            self.active(n)
                .is_ok_and(|a| a.bytes.map(|(_, q)| q) == meaning && a.is_bytes == active.is_bytes)
        });
        let turned = node.input.iter().all(|n| self.order(n) == Order::Turned);
        let order = if turned { Order::Turned } else { Order::Plain };
        let mut xs = Vec::new();
        let mut from = None;
        let all_bytes = node.input.iter().all(|n| self.stands_for(n).is_some());
        if all_bytes && let Some(end) = self.ending(node.result()?) {
            for name in &node.input {
                let x = self.bytes(name, order)?;
                let is_same = self.stands_for(name) == Some(end.q) && end.clamp == [-128, 127];
                let [low, high] = end.clamp.map(|q| end.q.dequantize(q));
                let bounded = |x: f32| x.max(low).min(high);
                xs.push(if is_same { x } else { self.draft.table(x, end.q, bounded)? });
            }
            let from = Moved { value: xs[0], order, active, bytes: Some(true) };
            let axis = self.lying(own, &from);
            let value = self.draft.moved(xs[0], |y| Op::Concat { xs, y, axis })?;
            return self.set_moved(end.name, value, &from, from.active.merged);
        }
        for name in &node.input {
            if same {
                let moved = self.moving(name, Some(order))?;
                xs.push(moved.value);
                from.get_or_insert(moved);
            } else {
                xs.push(self.real(name, order)?);
            }
        }
        let from = from.unwrap_or(Moved { value: xs[0], order, active, bytes: None });
        let axis = self.lying(own, &from);
        let value = self.draft.moved(xs[0], |y| Op::Concat { xs, y, axis })?;
        self.set_moved(node.result()?, value, &from, from.active.merged)
    }

    /// Zeros around one axis.
    pub(super) fn pad(&mut self, node: &'m Node) -> Result2<()> {
        if node.attribute.iter().any(|a| a.name == "mode" && a.s != b"constant") {
            return Err("wanted the mode `constant`".into());
        }
        let fill = match node.operand(2) {
            Some(name) => self.constant(name)?.scalar().ok_or("wanted one number to fill with")?,
            None => 0.0,
        };
        let name = node.wanted(0)?;
        let active = self.active(name)?;
        let (pads, rank) =
            (self.list(node.wanted(1)?)?, active.shape.len() + usize::from(!active.merged));
        if pads.len() != 2 * rank || node.operand(3).is_some() {
            return Err(format!("wanted {} paddings, found {}", 2 * rank, pads.len()));
        }
        let mut value = self.real(name, Order::Plain)?;
        for i in (0..rank).filter(|&i| pads[i] != 0 || pads[rank + i] != 0) {
            let axis = self.own_axis(i as i64, &active)?;
            let mut xs = vec![value];
            for (at, rows) in [(0, pads[i]), (1, pads[rank + i])] {
                let rows = usize::try_from(rows).map_err(|_| format!("a padding of {rows}"))?;
                let mut zeros = self.draft.program.shape(value).to_vec();
                zeros[axis] = rows;
                let n = shape::elements(&zeros).filter(|&n| n <= PADDING);
                let n =
                    n.ok_or_else(|| format!("wanted at most {PADDING} zeros, found {zeros:?}"))?;
                if n > 0 {
                    let zeros = self.draft.tensor("padding", &zeros, &vec![fill; n]);
                    xs.insert(if at == 0 { 0 } else { xs.len() }, zeros);
                }
            }
            value = self.draft.push(|y| Op::Concat { xs, y, axis })?;
        }
        self.set_real(node.result()?, Place { value, order: Order::Plain }, active.merged);
        Ok(())
    }

    pub(super) fn transpose(&mut self, node: &'m Node) -> Result2<()> {
        let (name, y) = (node.wanted(0)?, node.result()?);
        let reversed = |rank: usize| (0..rank as i64).rev().collect();
        if let Some(Known::Constant(constant)) = self.known.get(name) {
            let perm =
                node.ints("perm").map_or_else(|| reversed(constant.shape.len()), <[i64]>::to_vec);
            let constant = turned_constant(constant, &perm)?;
            self.set(y, Known::Constant(constant));
            return Ok(());
        }
        if let Some(Known::Scaled { integers, scale, axis }) = self.known.get(name) {
            let perm =
                node.ints("perm").map_or_else(|| reversed(integers.shape.len()), <[i64]>::to_vec);
            let new = perm.iter().position(|&p| p == *axis as i64).ok_or("no such axis")?;
            let known = Known::Scaled {
                integers: turned_constant(integers, &perm)?,
                scale: scale.clone(),
                axis: new,
            };
            self.set(y, known);
            return Ok(());
        }
        let active = self.active(name)?;
        let rank = active.shape.len() + usize::from(!active.merged);
        let perm = node.ints("perm").map_or_else(|| reversed(rank), <[i64]>::to_vec);
        if perm.len() != rank || perm.first() != Some(&0) {
            return Err(format!("wanted the batch in front of {rank} axes, found {perm:?}"));
        }
        if perm == [0, 2, 1] && !active.merged {
            // The same numbers, under another name for the order in which they lie.
            let mut from = self.moving(name, None)?;
            from.order = if from.order == Order::Plain { Order::Turned } else { Order::Plain };
            return self.set_moved(y, from.value, &from, false);
        }
        let from = self.moving(name, Some(Order::Plain))?;
        let mut axes = Vec::new();
        if active.merged {
            axes.push(0);
        }
        for &axis in &perm[1..] {
            axes.push(self.own_axis(axis, &active)?);
        }
        let x = from.value;
        let value = self.draft.moved(x, |y| Op::Permute { x, y, axes })?;
        self.set_moved(y, value, &from, active.merged)
    }

    /// What gives a name to something that is there already.
    pub(super) fn given(&mut self, node: &'m Node) -> Result2<()> {
        let y = node.result()?;
        match node.op_type.as_str() {
            "Constant" => {
                let tensor = node.attribute.iter().find_map(|a| a.t.as_ref());
                let constant = match tensor {
                    Some(tensor) => Constant::read(tensor)?,
                    None => {
                        let of = |shape, data| Constant { shape, data };
                        let float =
                            node.float("value_float").map(|x| of(vec![], Data::F32(vec![x])));
                        let int = node.int("value_int").map(|i| of(vec![], Data::I64(vec![i])));
                        let ints =
                            node.ints("value_ints").map(|i| of(vec![i.len()], Data::I64(i.into())));
                        float.or(int).or(ints).ok_or("wanted a tensor, a float or integers")?
                    }
                };
                self.set(y, Known::Constant(constant));
                Ok(())
            }
            "Shape" => {
                if (node.int("start").unwrap_or(0), node.int("end")) != (0, Some(1)) {
                    return Err(
                        "wanted the length of the batch alone; export with fixed shapes".into()
                    );
                }
                self.set(y, Known::BatchShape);
                Ok(())
            }
            "Expand" => match (self.known.get(node.wanted(1)?), node.operand(0)) {
                (Some(Known::BatchShape), Some(name)) => {
                    let (shape, data) = self.numbers(name)?;
                    let value = self.draft.tensor("constant", &shape, &data);
                    self.set_real(y, Place { value, order: Order::Plain }, false);
                    Ok(())
                }
                _ => Err("wanted a constant for each sample of the batch".into()),
            },
            _ => self.alias(node.wanted(0)?, y),
        }
    }
}

fn turned_constant(constant: &Constant, perm: &[i64]) -> Result2<Constant> {
    let rank = constant.shape.len();
    let axes: Option<Vec<usize>> =
        perm.iter().map(|&p| usize::try_from(p).ok().filter(|&p| p < rank)).collect();
    let axes = axes.filter(|a| a.len() == rank && (0..rank).all(|i| a.contains(&i)));
    let axes = axes.ok_or_else(|| format!("{perm:?} are not the axes of {:?}", constant.shape))?;
    let data = match &constant.data {
        Data::F32(d) => Data::F32(turn(d, &constant.shape, &axes)),
        Data::I8(d) => Data::I8(turn(d, &constant.shape, &axes)),
        Data::U8(d) => Data::U8(turn(d, &constant.shape, &axes)),
        Data::I32(d) => Data::I32(turn(d, &constant.shape, &axes)),
        Data::I64(d) => Data::I64(turn(d, &constant.shape, &axes)),
    };
    Ok(Constant { shape: axes.iter().map(|&a| constant.shape[a]).collect(), data })
}
