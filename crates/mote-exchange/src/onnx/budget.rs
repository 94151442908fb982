//! How much of a file is structure: known before anything is decoded.
//!
//! Decoding a message takes memory many times its size in the file. Numbers of tensors do not, so
//! only what is not numbers is bounded.

use crate::Error;

/// Bytes that are not numbers of tensors.
const STRUCTURE: usize = 4 << 20;

/// Fields whose messages hold tensors, from the model down: its graph, that graph's initializers and
/// nodes, their attributes, and an attribute's tensor.
const PATHS: [(Kind, u64, Kind); 5] = [
    (Kind::Model, 7, Kind::Graph),
    (Kind::Graph, 5, Kind::Tensor),
    (Kind::Graph, 1, Kind::Node),
    (Kind::Node, 5, Kind::Attribute),
    (Kind::Attribute, 5, Kind::Tensor),
];
/// The fields of a tensor that are numbers: floats, 32 and 64 bit integers, and raw bytes.
const NUMBERS: [u64; 4] = [4, 5, 7, 9];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
}

/// Refuses files whose structure would take much memory.
pub(super) fn check(file: &[u8]) -> Result<(), Error> {
    let mut found = 0usize;
    let mut open = vec![(Kind::Model, file)];
    while let Some((kind, mut bytes)) = open.pop() {
        while let Some((field, inner, rest)) = next(bytes)? {
            let taken = bytes.len() - rest.len();
            let path = PATHS.iter().find(|(from, number, _)| (*from, *number) == (kind, field));
            match (path, inner) {
                (Some((_, _, to)), Some(inner)) => {
                    found += taken - inner.len();
                    open.push((*to, inner));
                }
                (None, Some(inner)) if kind == Kind::Tensor && NUMBERS.contains(&field) => {
                    found += taken - inner.len();
                }
                _ => found += taken,
            }
            if found > STRUCTURE {
                let what = "bytes of names, nodes and attributes in an ONNX file";
                return Err(Error::Limit { what, limit: STRUCTURE as u64, found: found as u64 });
            }
            bytes = rest;
        }
    }
    Ok(())
}

/// One field: its number, its bytes if it has a length of its own, and what follows.
type Field<'a> = (u64, Option<&'a [u8]>, &'a [u8]);

fn next(bytes: &[u8]) -> Result<Option<Field<'_>>, Error> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let ends_early =
        || Error::Bytes { wanted: "an ONNX model", found: "bytes that end early".into() };
    let (key, rest) = varint(bytes).ok_or_else(ends_early)?;
    let skip = |n: usize| rest.get(n..).ok_or_else(ends_early);
    let field = match key & 7 {
        0 => (key >> 3, None, varint(rest).ok_or_else(ends_early)?.1),
        1 => (key >> 3, None, skip(8)?),
        5 => (key >> 3, None, skip(4)?),
        2 => {
            let (length, rest) = varint(rest).ok_or_else(ends_early)?;
            let length = usize::try_from(length).map_err(|_| ends_early())?;
            let inner = rest.get(..length).ok_or_else(ends_early)?;
            (key >> 3, Some(inner), &rest[length..])
        }
        found => {
            let found = format!("a field of type {found}");
            return Err(Error::Bytes { wanted: "an ONNX model", found });
        }
    };
    Ok(Some(field))
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0u64;
    for (i, &byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7F).checked_shl(7 * i as u32)?;
        if byte < 0x80 {
            return Some((value, &bytes[i + 1..]));
        }
    }
    None
}
