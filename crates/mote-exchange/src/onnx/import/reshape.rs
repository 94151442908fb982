//! The same numbers under another shape, which may merge rows with the batch.

use mote_format::shape;

use super::{Active, Constant, Importer, Known, Order, Result2, node};
use crate::onnx::proto::Node;

impl<'m> Importer<'m> {
    pub(super) fn reshape(&mut self, node: &'m Node) -> Result2<()> {
        let name = node.wanted(0)?;
        if let Some(Known::Constant(constant)) = self.known.get(name) {
            let constant = self.reshaped_constant(node, constant.clone())?;
            self.set(node.result()?, Known::Constant(constant));
            return Ok(());
        }
        let from = self.moving(name, Some(Order::Plain))?;
        let dims = self.target(node, &from.active)?;
        let elements: usize = from.active.shape.iter().product();
        let (&first, rest) = dims.split_first().ok_or("a batch without an axis")?;
        let rows = match first {
            0 if from.active.merged => from.active.shape[0],
            0 => 1,
            -1 => {
                let rest: i64 = rest.iter().try_fold(1i64, |n, &d| n.checked_mul(d)).unwrap_or(0);
                let rest =
                    usize::try_from(rest).ok().filter(|&n| n > 0 && elements.is_multiple_of(n));
                elements / rest.ok_or_else(|| format!("{dims:?} does not hold whole samples"))?
            }
            n => {
                let n = usize::try_from(n).map_err(|_| format!("{dims:?} is no shape"))?;
                let batch = self.batch.filter(|&batch| n % batch == 0);
                n / batch.ok_or_else(|| format!("{dims:?} fixes the batch, which is free"))?
            }
        };
        let given: i64 =
            rest.iter().filter(|&&d| d != -1).try_fold(1i64, |n, &d| n.checked_mul(d)).unwrap_or(0);
        let per_row = elements / rows.max(1);
        let length = |&d: &i64| match d {
            -1 => usize::try_from(given)
                .ok()
                .filter(|&n| n > 0 && per_row.is_multiple_of(n))
                .map(|n| per_row / n),
            d => usize::try_from(d).ok(),
        };
        let own: Option<Vec<usize>> = rest.iter().map(length).collect();
        let mut own =
            own.ok_or_else(|| format!("{dims:?} does not fit {:?}", from.active.shape))?;
        let merged = rows != 1;
        if merged {
            own.insert(0, rows);
        }
        let value = self.draft.reshape(from.value, &own)?;
        self.set_moved(node.result()?, value, &from, merged)
    }

    /// The lengths that a node gives to its result, the batch first: 0 copies, -1 is what is left.
    fn target(&self, node: &Node, active: &Active) -> Result2<Vec<i64>> {
        let own = active.shape.iter().map(|&n| n as i64);
        let mut found: Vec<i64> = if active.merged {
            [0].into_iter().chain(own.skip(1)).collect()
        } else {
            [0].into_iter().chain(own).collect()
        };
        let axes = |this: &Self| match node.operand(1) {
            Some(name) => this.list(name),
            None => Ok(Vec::new()),
        };
        match node.op_type.as_str() {
            "Flatten" => {
                node.only("axis", 1)?;
                Ok(vec![0, -1])
            }
            "Squeeze" => {
                let mut drop: Vec<usize> = Vec::new();
                for axis in axes(self)? {
                    drop.push(node::axis(axis, found.len())?);
                }
                if drop.is_empty() || drop.iter().any(|&a| found[a] != 1) {
                    return Err(format!("wanted axes of length 1, found {drop:?} of {found:?}"));
                }
                let mut i = 0;
                found.retain(|_| {
                    i += 1;
                    !drop.contains(&(i - 1))
                });
                Ok(found)
            }
            "Unsqueeze" => {
                let axes = axes(self)?;
                let rank = found.len() + axes.len();
                let mut add = Vec::new();
                for a in axes {
                    add.push(node::axis(a, rank)?);
                }
                add.sort_unstable();
                for a in add {
                    if a == 0 || a > found.len() {
                        return Err("an axis in front of the batch".into());
                    }
                    found.insert(a, 1);
                }
                Ok(found)
            }
            _ => {
                let mut dims = self.list(node.wanted(1)?)?;
                for (i, d) in dims.iter_mut().enumerate().skip(1).filter(|(_, d)| **d == 0) {
                    *d = *found.get(i).ok_or("a length is copied from no axis")?;
                }
                Ok(dims)
            }
        }
    }

    fn reshaped_constant(&self, node: &Node, mut constant: Constant) -> Result2<Constant> {
        let elements = constant.data.len();
        if node.op_type != "Reshape" {
            let axes = match node.operand(1) {
                Some(name) => self.list(name)?,
                None => return Err("wanted axes".into()),
            };
            if node.op_type == "Squeeze" || node.op_type == "Flatten" {
                constant.shape.retain(|&n| n != 1);
                return Ok(constant);
            }
            for axis in axes {
                let axis = node::axis(axis, constant.shape.len() + 1)?;
                constant.shape.insert(axis, 1);
            }
            return Ok(constant);
        }
        let dims = self.list(node.wanted(1)?)?;
        let given: i64 =
            dims.iter().filter(|&&d| d != -1).try_fold(1i64, |n, &d| n.checked_mul(d)).unwrap_or(0);
        let free = (elements as i64).checked_div(given).unwrap_or(0);
        let shape: Option<Vec<usize>> =
            dims.iter().map(|&d| usize::try_from(if d == -1 { free } else { d }).ok()).collect();
        let shape = shape.filter(|s| shape::elements(s) == Some(elements));
        constant.shape =
            shape.ok_or_else(|| format!("{elements} elements cannot become {dims:?}"))?;
        Ok(constant)
    }
}
