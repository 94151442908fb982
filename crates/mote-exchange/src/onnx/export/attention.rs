//! Attention to a window of rows, as products of whole matrices.
//!
//! ONNX has no windows that slide. So every query meets every key, and what lies outside of its window
//! gets a score of negative infinity, which weighs nothing: one matrix for each head, in which the bias
//! of the window moves on by one key with each query. A number that is not finite so spoils all rows, where
//! in a program it spoils those that have it in their window.

use mote_format::{Op, Program};

use super::{Exporter, Order};
use crate::{
    Error,
    onnx::graph::{int, ints},
};

/// Scores of one attention, at most: their biases are a constant of the model.
const SCORES: usize = 1 << 24;

/// Whether the scores of all attention fit into a model.
///
/// # Errors
///
/// [`Error::Limit`].
pub(super) fn check(program: &Program) -> Result<(), Error> {
    for op in &program.ops {
        let Op::Attention { bias, y, .. } = *op else { continue };
        let (rows, heads) = (program.shape(y)[0], program.shape(y)[1]);
        let keys = rows + program.shape(bias)[1] - 1;
        let found = heads.saturating_mul(rows).saturating_mul(keys);
        if found > SCORES {
            let (limit, found) = (SCORES as u64, found as u64);
            return Err(Error::Limit { what: "scores of an attention", limit, found });
        }
    }
    Ok(())
}

impl Exporter<'_> {
    /// [`Op::Attention`]; behind the batch, heads come before rows.
    pub(super) fn attention(&mut self, op: &Op) {
        let &Op::Attention { q, k, v, bias, y, before } = op else {
            unreachable!("only attention comes here")
        };
        let [q, k, v] = [q, k, v].map(|x| self.read(x, Order::Plain));
        let [k, v] = [k, v].map(|x| self.padded(&x, before));
        let q = self.turned(&q, [0, 2, 1, 3]);
        let k = self.turned(&k, [0, 2, 3, 1]);
        let v = self.turned(&v, [0, 2, 1, 3]);
        let (rows, heads) = (self.program.shape(y)[0], self.program.shape(y)[1]);
        let slid = slid(&self.reals(bias), rows, heads);
        let bias = self.graph.floats("bias", &[heads, rows, slid.len() / (heads * rows)], &slid);
        let met = self.graph.node("MatMul", &[&q, &k], Vec::new());
        let scores = self.graph.node("Add", &[&met, &bias], Vec::new());
        let weights = self.graph.node("Softmax", &[&scores], vec![int("axis", -1)]);
        let summed = self.graph.node("MatMul", &[&weights, &v], Vec::new());
        let found = self.turned(&summed, [0, 2, 1, 3]);
        self.set(y, Order::Plain, found);
    }

    /// A series of heads with rows of zeros before the first.
    fn padded(&mut self, x: &str, before: usize) -> String {
        if before == 0 {
            return x.to_owned();
        }
        let pads = self.graph.list(&[0, before as i64, 0, 0, 0, 0, 0, 0]);
        self.graph.node("Pad", &[x, &pads], Vec::new())
    }

    fn turned(&mut self, x: &str, axes: [i64; 4]) -> String {
        self.graph.node("Transpose", &[x], vec![ints("perm", axes.to_vec())])
    }
}

/// `(heads, rows, rows + window - 1)`: the bias `(heads, window)` of each head, one place further with
/// each row, and negative infinity elsewhere.
fn slid(bias: &[f32], rows: usize, heads: usize) -> Vec<f32> {
    let window = bias.len() / heads;
    let keys = rows + window - 1;
    let mut slid = vec![f32::NEG_INFINITY; heads * rows * keys];
    for (i, row) in slid.chunks_exact_mut(keys).enumerate() {
        let (h, t) = (i / rows, i % rows);
        row[t..t + window].copy_from_slice(&bias[h * window..][..window]);
    }
    slid
}
