//! A graph that is being written: nodes, constants, and names that never meet.

use std::collections::HashSet;

use super::proto::{self, Attribute, Node, attribute, data_type};

/// Nodes and constants so far.
#[derive(Debug, Default)]
pub(super) struct Graph {
    pub(super) nodes: Vec<Node>,
    pub(super) constants: Vec<proto::Tensor>,
    names: HashSet<String>,
}

impl Graph {
    /// A name that nothing has yet, `base` if that is free.
    pub(super) fn fresh(&mut self, base: &str) -> String {
        let name = (0..)
            .map(|i| if i == 0 { base.to_owned() } else { format!("{base}.{i}") })
            .find(|name| !name.is_empty() && !self.names.contains(name))
            .expect("there are more numbers than names");
        self.names.insert(name.clone());
        name
    }

    /// Appends a node and returns the name of its result.
    pub(super) fn node(&mut self, op: &str, inputs: &[&str], attribute: Vec<Attribute>) -> String {
        let y = self.fresh(&format!("v{}", self.nodes.len()));
        self.nodes.push(Node {
            input: inputs.iter().map(|&x| x.to_owned()).collect(),
            output: vec![y.clone()],
            name: format!("{op}_{y}"),
            op_type: op.into(),
            attribute,
            domain: String::new(),
        });
        y
    }

    /// A constant in single precision.
    pub(super) fn floats(&mut self, base: &str, shape: &[usize], data: &[f32]) -> String {
        let bytes = data.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.constant(base, data_type::FLOAT, shape, bytes)
    }

    /// A constant of bytes.
    pub(super) fn bytes(&mut self, base: &str, shape: &[usize], data: &[i8]) -> String {
        let bytes = data.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.constant(base, data_type::INT8, shape, bytes)
    }

    /// A constant of sums of products.
    pub(super) fn sums(&mut self, base: &str, shape: &[usize], data: &[i32]) -> String {
        let bytes = data.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.constant(base, data_type::INT32, shape, bytes)
    }

    /// A list of axes, lengths or indices.
    pub(super) fn list(&mut self, data: &[i64]) -> String {
        let bytes = data.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.constant("list", data_type::INT64, &[data.len()], bytes)
    }

    /// One number, without axes.
    pub(super) fn scalar(&mut self, x: f32) -> String {
        self.floats("scalar", &[], &[x])
    }

    /// One whole number, without axes.
    pub(super) fn index(&mut self, i: i64) -> String {
        self.constant("index", data_type::INT64, &[], i.to_le_bytes().into())
    }

    fn constant(&mut self, base: &str, data_type: i32, shape: &[usize], bytes: Vec<u8>) -> String {
        let dims: Vec<i64> = shape.iter().map(|&n| n as i64).collect();
        let known = self.constants.iter().find(|c| {
            c.data_type == data_type && c.dims == dims && c.raw_data.as_ref() == Some(&bytes)
        });
        if let Some(known) = known {
            return known.name.clone();
        }
        let name = self.fresh(base);
        self.constants.push(proto::Tensor {
            dims,
            data_type,
            name: name.clone(),
            raw_data: Some(bytes),
            ..proto::Tensor::default()
        });
        name
    }

    /// Gives the result of a node another name, wherever it stands; tells whether there is such a node.
    pub(super) fn rename(&mut self, old: &str, new: &str) -> bool {
        if !self.nodes.iter().any(|n| n.output.iter().any(|y| y == old)) {
            return false;
        }
        for node in &mut self.nodes {
            for name in node.input.iter_mut().chain(&mut node.output).filter(|n| *n == old) {
                *name = new.into();
            }
        }
        true
    }
}

/// An attribute that is a number.
pub(super) fn int(name: &str, i: i64) -> Attribute {
    Attribute { name: name.into(), i, kind: attribute::INT, ..Attribute::default() }
}

/// An attribute that is a list of numbers.
pub(super) fn ints(name: &str, ints: Vec<i64>) -> Attribute {
    Attribute { name: name.into(), ints, kind: attribute::INTS, ..Attribute::default() }
}

/// An attribute that is a real number.
pub(super) fn float(name: &str, f: f32) -> Attribute {
    Attribute { name: name.into(), f, kind: attribute::FLOAT, ..Attribute::default() }
}
