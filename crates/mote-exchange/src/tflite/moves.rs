//! What moves numbers, whether they are real or bytes.

use mote_format::{Op, ValueId};

use super::{flatbuffer::Result, import::Importer, model::Operator};

impl Importer<'_, '_> {
    /// A tensor as it is: bytes stay bytes.
    fn moving(&mut self, x: usize) -> Result<ValueId> {
        if self.bytes.contains_key(&x) { self.bytes_of(x) } else { self.real_of(x) }
    }

    pub(super) fn reshape(&mut self, op: &Operator<'_>) -> Result<()> {
        let (x, y) = (self.operand(op, 0)?, self.result(op)?);
        let value = self.moving(x)?;
        let (shape, _) = self.own_shape(self.tensor(y))?;
        let value = self.draft.reshape(value, &shape)?;
        self.set(y, value)
    }

    pub(super) fn concat(&mut self, op: &Operator<'_>) -> Result<()> {
        let y = self.result(op)?;
        let options = op.options.ok_or("it has no options")?;
        if options.byte(1)? != 0 {
            return Err("wanted no activation".into());
        }
        let axis = self.own_axis(y, options.int(0, 0)?)?;
        let mut ids = Vec::new();
        for i in 0..op.inputs.len() {
            ids.push(self.operand(op, i)?);
        }
        let end = self.tensor(y).quantization().ok();
        let all_bytes = end.is_some() && ids.iter().all(|&x| self.bytes_of(x).is_ok());
        let mut xs = Vec::new();
        for x in ids {
            let value = match end.filter(|_| all_bytes) {
                None => self.real_of(x)?,
                Some(q) if self.stands_for(x) == Some(q) => self.bytes_of(x)?,
                Some(q) => {
                    let x = self.bytes_of(x)?;
                    self.draft.table(x, q, |x| x)?
                }
            };
            xs.push(value);
        }
        let &first = xs.first().ok_or("it has no operands")?;
        let value = self.draft.moved(first, |y| Op::Concat { xs, y, axis })?;
        self.set(y, value)
    }

    pub(super) fn slice(&mut self, op: &Operator<'_>) -> Result<()> {
        let (x, y) = (self.operand(op, 0)?, self.result(op)?);
        let begin = self.tensor(self.operand(op, 1)?).ints()?;
        let size = self.tensor(self.operand(op, 2)?).ints()?;
        let whole = self.tensor(x).shape.clone();
        if begin.len() != whole.len() || size.len() != whole.len() {
            return Err(format!("wanted {} begins and sizes", whole.len()));
        }
        let mut value = self.moving(x)?;
        for (i, &n) in whole.iter().enumerate() {
            let start = usize::try_from(begin[i]).map_err(|_| "a negative begin")?;
            let end = match size[i] {
                -1 => Some(n),
                size => usize::try_from(size).ok().and_then(|s| s.checked_add(start)),
            };
            let end = end.ok_or("a negative size")?;
            if (start, end) != (0, n) {
                let axis = self.own_axis(x, i as i32)?;
                let x = value;
                value = self.draft.moved(x, |y| Op::Slice { x, y, axis, start, end })?;
            }
        }
        self.set(y, value)
    }

    pub(super) fn transpose(&mut self, op: &Operator<'_>) -> Result<()> {
        let (x, y) = (self.operand(op, 0)?, self.result(op)?);
        let perm = self.tensor(self.operand(op, 1)?).ints()?;
        if perm.first() != Some(&0) {
            return Err(format!("wanted the batch in front, found {perm:?}"));
        }
        let mut axes: Vec<usize> =
            if self.own_shape(self.tensor(x))?.1 { vec![0] } else { Vec::new() };
        for &axis in &perm[1..] {
            axes.push(self.own_axis(x, axis)?);
        }
        let x = self.moving(x)?;
        let value = self.draft.moved(x, |y| Op::Permute { x, y, axes })?;
        self.set(y, value)
    }

    /// Rows of zeros around a series, which the convolution that reads it then adds itself.
    pub(super) fn pad(&mut self, op: &Operator<'_>) -> Result<()> {
        let (x, y) = (self.operand(op, 0)?, self.result(op)?);
        let pads = self.tensor(self.operand(op, 1)?).ints()?;
        let &[0, 0, 0, 0, before, after, 0, 0] = pads.as_slice() else {
            return Err(format!("wanted rows around the time of a series, found {pads:?}"));
        };
        let rows = |n: i32| usize::try_from(n).map_err(|_| format!("a padding of {n}"));
        self.padded.insert(y, (x, [rows(before)?, rows(after)?]));
        Ok(())
    }
}
