//! Attention to a window of rows, from the products of whole matrices that it is exported as.

use mote_format::{Op, ValueId};

use super::{Importer, Order, Place, Result2};
use crate::onnx::proto::Node;

/// A score up to this weighs nothing beside any other: models mask with it as well as with infinity.
const NOTHING: f32 = -1e9;

/// The nodes of one attention, each of which is read by the next alone.
struct Found<'m> {
    nodes: [usize; 3],
    /// Operands of the sum of scores and bias.
    add: &'m Node,
    values: &'m str,
    result: &'m str,
}

impl<'m> Importer<'m> {
    /// The product of queries and keys, with the bias, the softmax and the product with values that
    /// follow. All are `(heads, .., ..)`, with the bias of each head one place further in each row.
    pub(super) fn attention(&mut self, node: &'m Node) -> Result2<()> {
        let met = node.result()?;
        let found = self.after(met)?;
        let bias = found.add.input.iter().find(|name| *name != met).ok_or("wanted a bias")?;
        let (shape, bias) = self.numbers(bias)?;
        let (queries, keys) = (node.wanted(0)?, node.wanted(1)?);
        let shapes = [queries, keys, found.values].map(|name| Ok(self.active(name)?.shape));
        let [queries_shape, keys_shape, values_shape]: [Result2<Vec<usize>>; 3] = shapes;
        let (queries_shape, keys_shape, values_shape) =
            (queries_shape?, keys_shape?, values_shape?);
        let (&[heads, rows, width], &[_, inputs, time], &[_, values, _]) =
            (&queries_shape[..], &keys_shape[..], &values_shape[..])
        else {
            return Err("wanted (batch, heads, rows, numbers) for queries, keys and values".into());
        };
        if shape[..] != [heads, rows, time] || inputs != width || values != time {
            return Err(format!(
                "queries {queries_shape:?}, keys {keys_shape:?}, values {values_shape:?} and a bias \
                 {shape:?} do not meet"
            ));
        }
        let window = (time + 1).checked_sub(rows).filter(|&window| window > 0 && rows > 0);
        let window =
            window.ok_or("wanted a window that slides: at least as many keys as queries")?;
        let bias = by_place(&bias, rows, time, window).ok_or(
            "wanted a bias that is the same at each place of a window, and nothing outside",
        )?;
        let bias = self.draft.tensor("bias", &[heads, window], &bias);
        let q = self.heads_behind(queries, vec![1, 0, 2])?;
        let k = self.heads_behind(keys, vec![2, 0, 1])?;
        let v = self.heads_behind(found.values, vec![1, 0, 2])?;
        let y = self.draft.push(|y| Op::Attention { q, k, v, bias, y, before: 0 })?;
        let value = self.draft.permute(y, vec![1, 0, 2])?;
        self.set_real(found.result, Place { value, order: Order::Plain }, false);
        self.done.extend(found.nodes);
        Ok(())
    }

    fn after(&self, met: &str) -> Result2<Found<'m>> {
        let next = |name: &str, wanted: &str| {
            let found = self.reader(name).filter(|(_, node)| node.op_type == wanted);
            found.ok_or_else(|| format!("wanted a constant, or an attention: no {wanted} follows"))
        };
        let (i, add) = next(met, "Add")?;
        let (j, softmax) = next(add.result()?, "Softmax")?;
        softmax.only("axis", -1).or_else(|_| softmax.only("axis", 3))?;
        let weights = softmax.result()?;
        let (k, product) = next(weights, "MatMul")?;
        if product.operand(0) != Some(weights) {
            return Err("wanted the weights of attention before its values".into());
        }
        let (values, result) = (product.wanted(1)?, product.result()?);
        Ok(Found { nodes: [i, j, k], add, values, result })
    }

    /// A value with the axis of heads behind that of rows.
    fn heads_behind(&mut self, name: &str, axes: Vec<usize>) -> Result2<ValueId> {
        if self.active(name)?.merged {
            return Err("its rows are merged with the batch".into());
        }
        let x = self.real(name, Order::Plain)?;
        self.draft.permute(x, axes)
    }
}

/// The bias `(heads, window)` that moves on by one key with each row of `(heads, rows, time)`.
fn by_place(bias: &[f32], rows: usize, time: usize, window: usize) -> Option<Vec<f32>> {
    let mut places = Vec::new();
    for head in bias.chunks_exact(rows * time) {
        let first = &head[..window];
        // Beside scores as low as itself a finite one would weigh something.
        let nothing = match first.iter().any(|&score| score > 0.5 * NOTHING) {
            true => NOTHING,
            false => f32::NEG_INFINITY,
        };
        let slides = head.chunks_exact(time).enumerate().all(|(t, row)| {
            let (inside, behind) = row[t..].split_at(window);
            inside == first && row[..t].iter().chain(behind).all(|&score| score <= nothing)
        });
        if !slides {
            return None;
        }
        places.extend_from_slice(first);
    }
    Some(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    use prost::Message;

    use crate::onnx::{
        graph::{Graph, int},
        import,
        proto::{self, data_type},
    };

    const INF: f32 = f32::INFINITY;

    /// The bytes of a model with attention of queries, keys and values of these shapes.
    fn model(shapes: [[usize; 3]; 3], bias: [usize; 3]) -> Vec<u8> {
        let mut graph = Graph::default();
        let names = ["q", "k", "v"].map(|name| graph.fresh(name));
        let numbers = vec![0.0; bias.iter().product()];
        let bias = graph.floats("bias", &bias, &numbers);
        let met = graph.node("MatMul", &[&names[0], &names[1]], Vec::new());
        let scores = graph.node("Add", &[&met, &bias], Vec::new());
        let weights = graph.node("Softmax", &[&scores], vec![int("axis", -1)]);
        let y = graph.node("MatMul", &[&weights, &names[2]], Vec::new());
        let port = |name: &str, shape: &[usize]| {
            let fixed =
                |&n: &usize| proto::Dimension { value: Some(n as i64), ..Default::default() };
            let shape = Some(proto::Shape { dim: [1].iter().chain(shape).map(fixed).collect() });
            let tensor = Some(proto::TensorType { element: data_type::FLOAT, shape });
            proto::ValueInfo { name: name.into(), kind: Some(proto::Type { tensor }) }
        };
        let graph = proto::Graph {
            node: graph.nodes,
            name: "attention".into(),
            initializer: graph.constants,
            input: names.iter().zip(shapes).map(|(name, shape)| port(name, &shape)).collect(),
            output: vec![port(&y, &[])],
        };
        let opset_import = vec![proto::OperatorSet { domain: String::new(), version: 17 }];
        proto::Model { graph: Some(graph), opset_import, ..Default::default() }.encode_to_vec()
    }

    #[test]
    fn shapes_that_do_not_meet_are_refused() {
        let good = [[1, 2, 3], [1, 3, 2], [1, 2, 4]];
        assert!(import(&model(good, [1, 2, 2])).is_err(), "a bias that does not slide");
        for (shapes, bias) in [
            ([[1, 0, 2], [1, 2, 3], [1, 3, 2]], [1, 0, 3]),
            ([[1, 3, 2], [1, 2, 2], [1, 2, 2]], [1, 3, 2]),
            (good, [1, 2, 3]),
        ] {
            let error = import(&model(shapes, bias)).expect_err("nothing slides there").to_string();
            assert!(error.contains("MatMul"), "{error}");
        }
    }

    #[test]
    fn a_bias_by_place_is_the_same_in_each_row() {
        let masked = |nothing: f32| [0.5, 0.25, nothing, nothing, 0.5, 0.25];
        for nothing in [-INF, -1e9, -3e38] {
            assert_eq!(by_place(&masked(nothing), 2, 3, 2), Some(vec![0.5, 0.25]), "{nothing}");
        }
        assert_eq!(by_place(&masked(-9.0), 2, 3, 2), None, "what is outside counts");
        assert_eq!(by_place(&[0.5, 0.25, -INF, -INF, 0.5, 0.3], 2, 3, 2), None, "rows differ");
    }

    #[test]
    fn a_mask_weighs_nothing_only_beside_what_is_not_masked() {
        assert_eq!(by_place(&[-1e9; 4], 2, 2, 1), None, "all weigh the same");
        assert_eq!(by_place(&[-1e9, -INF, -INF, -1e9], 2, 2, 1), Some(vec![-1e9]));
    }
}
