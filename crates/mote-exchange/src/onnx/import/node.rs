//! What a node says: its operands and attributes.

use crate::onnx::proto::Node;

impl Node {
    /// Operand `i`, if there is one.
    pub(super) fn operand(&self, i: usize) -> Option<&str> {
        self.input.get(i).map(String::as_str).filter(|name| !name.is_empty())
    }

    /// Operand `i`, which has to be there.
    pub(super) fn wanted(&self, i: usize) -> Result<&str, String> {
        self.operand(i).ok_or_else(|| format!("wanted an operand {i}, found none"))
    }

    /// The name of its first result.
    pub(super) fn result(&self) -> Result<&str, String> {
        self.output.first().map(String::as_str).ok_or_else(|| "it has no result".into())
    }

    pub(super) fn int(&self, name: &str) -> Option<i64> {
        self.attribute.iter().find(|a| a.name == name).map(|a| a.i)
    }

    pub(super) fn float(&self, name: &str) -> Option<f32> {
        self.attribute.iter().find(|a| a.name == name).map(|a| a.f)
    }

    pub(super) fn ints(&self, name: &str) -> Option<&[i64]> {
        self.attribute.iter().find(|a| a.name == name).map(|a| a.ints.as_slice())
    }

    /// An attribute that has one meaning here.
    pub(super) fn only(&self, name: &str, wanted: i64) -> Result<(), String> {
        match self.int(name) {
            Some(found) if found != wanted => {
                Err(format!("wanted `{name}` of {wanted}, found {found}"))
            }
            _ => Ok(()),
        }
    }
}

/// `axis`, which may count from behind, of `rank`.
pub(super) fn axis(axis: i64, rank: usize) -> Result<usize, String> {
    let found = if axis < 0 { axis.checked_add(rank as i64) } else { Some(axis) };
    found
        .and_then(|a| usize::try_from(a).ok())
        .filter(|&a| a < rank)
        .ok_or_else(|| format!("axis {axis} of {rank} does not exist"))
}
