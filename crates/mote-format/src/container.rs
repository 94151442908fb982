//! The safetensors container: a JSON header, then the bytes of the tensors without gaps.
//!
//! Written by ourselves, not by the `safetensors` crate, for three reasons: equal input has to give
//! equal bytes, the reader has to refuse more than the standard demands (duplicate names, limits,
//! a digest over every byte), and it has to do so without `std`. The crate is the oracle in tests.
//! Source of the layout: <https://huggingface.co/docs/safetensors>.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};
use core::fmt;

pub use half::f16;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::{Map, Value, json};

use crate::{
    dtype::Dtype,
    error::Error,
    limits, shape,
    verify::{Stored, limit},
};

/// Tensors begin at a multiple of this, so that a mapped file can be read in place.
const ALIGNMENT: usize = 64;
const METADATA: &str = "__metadata__";
const DIGEST: &str = "mote.digest";
const DIGEST_DIGITS: usize = 64;

/// A tensor as it lies in the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor<'a> {
    /// What its elements are.
    pub dtype: Dtype,
    /// Lengths of its axes, row major.
    pub shape: Vec<usize>,
    /// Its elements, little endian.
    pub bytes: &'a [u8],
}

impl<'a> Tensor<'a> {
    /// The elements in place, or `None` where they are of another type or the bytes do not lie at a
    /// multiple of their size.
    #[must_use]
    pub fn elements<T: Element>(&self) -> Option<&'a [T]> {
        (self.dtype == T::DTYPE).then(|| bytemuck::try_cast_slice(self.bytes).ok())?
    }

    /// Copies of the elements of real numbers, those of half precision widened; `None` where they are of
    /// another type.
    #[must_use]
    pub fn reals(&self) -> Option<Vec<f32>> {
        match self.dtype {
            Dtype::F32 => Some(copied(self.bytes)),
            Dtype::F16 => Some(copied::<f16>(self.bytes).into_iter().map(f16::to_f32).collect()),
            _ => None,
        }
    }

    /// How it lies in the file.
    #[must_use]
    pub fn stored(&self) -> Stored<'_> {
        Stored { dtype: self.dtype, shape: &self.shape }
    }

    /// A copy for another file.
    #[must_use]
    pub fn to_array(&self) -> Array {
        let words = words(self.bytes);
        Array { dtype: self.dtype, shape: self.shape.clone(), words }
    }
}

/// Elements from bytes that may begin anywhere.
fn copied<T: Element>(bytes: &[u8]) -> Vec<T> {
    bytes.chunks_exact(size_of::<T>()).map(bytemuck::pod_read_unaligned).collect()
}

/// A number that tensors hold.
pub trait Element: bytemuck::Pod {
    /// Its type.
    const DTYPE: Dtype;
}

impl Element for f32 {
    const DTYPE: Dtype = Dtype::F32;
}

impl Element for f16 {
    const DTYPE: Dtype = Dtype::F16;
}

impl Element for i32 {
    const DTYPE: Dtype = Dtype::I32;
}

impl Element for i8 {
    const DTYPE: Dtype = Dtype::I8;
}

impl Element for u8 {
    const DTYPE: Dtype = Dtype::U8;
}

/// A tensor that is not in a file yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    dtype: Dtype,
    shape: Vec<usize>,
    /// As words, so that elements of any type can be read in place.
    words: Vec<u32>,
}

/// Tensors by name.
pub type Tensors = BTreeMap<String, Array>;

impl Array {
    /// `data`, row major.
    ///
    /// # Panics
    ///
    /// If there are not as many elements as the shape says: only a bug in the caller does that.
    #[must_use]
    pub fn new<T: Element>(shape: impl Into<Vec<usize>>, data: &[T]) -> Self {
        let shape = shape.into();
        assert_eq!(shape::elements(&shape), Some(data.len()), "elements of a tensor {shape:?}");
        Self { dtype: T::DTYPE, shape, words: words(bytemuck::cast_slice(data)) }
    }

    /// As it will lie in a file: from here its elements can be read.
    #[must_use]
    pub fn tensor(&self) -> Tensor<'_> {
        let bytes = self.dtype.bytes(self.shape.iter().product());
        let bytes = &bytemuck::cast_slice(&self.words)[..bytes];
        Tensor { dtype: self.dtype, shape: self.shape.clone(), bytes }
    }

    /// How it will lie in a file.
    #[must_use]
    pub fn stored(&self) -> Stored<'_> {
        Stored { dtype: self.dtype, shape: &self.shape }
    }
}

fn words(bytes: &[u8]) -> Vec<u32> {
    let mut words = vec![0; bytes.len().div_ceil(4)];
    bytemuck::cast_slice_mut(&mut words)[..bytes.len()].copy_from_slice(bytes);
    words
}

/// The container, read and checked, with its digest.
#[derive(Clone, Debug, PartialEq)]
pub struct Container<'a> {
    /// By name.
    pub tensors: BTreeMap<String, Tensor<'a>>,
    /// Everything in `__metadata__` but the digest.
    pub metadata: BTreeMap<String, String>,
}

/// The bytes of a file that holds `tensors` and `metadata`. The same input gives the same bytes.
///
/// # Panics
///
/// If a tensor is named `__metadata__`: such a file could not be read, and only a bug in the caller
/// asks for it.
#[must_use]
pub fn write(tensors: &Tensors, metadata: &BTreeMap<String, String>) -> Vec<u8> {
    let mut header = Map::new();
    let mut meta: Map<String, Value> =
        metadata.iter().map(|(k, v)| (k.clone(), Value::String(v.clone()))).collect();
    meta.insert(DIGEST.into(), Value::String("0".repeat(DIGEST_DIGITS)));
    header.insert(METADATA.into(), Value::Object(meta));
    let mut order: Vec<(&String, Tensor<'_>)> =
        tensors.iter().map(|(name, array)| (name, array.tensor())).collect();
    // Larger elements first: then all of them begin at a multiple of their size.
    order.sort_by_key(|(_, tensor)| core::cmp::Reverse(tensor.dtype.bytes(1)));
    let mut offset = 0;
    for (name, Tensor { dtype, shape, bytes }) in &order {
        assert_ne!(*name, METADATA, "the name of a tensor");
        let end = offset + bytes.len();
        let entry = json!({ "dtype": dtype.name(), "shape": shape, "data_offsets": [offset, end] });
        header.insert((*name).clone(), entry);
        offset = end;
    }
    let mut json = Value::Object(header).to_string().into_bytes();
    json.resize((8 + json.len()).next_multiple_of(ALIGNMENT) - 8, b' ');

    let mut file = Vec::with_capacity(8 + json.len() + offset);
    file.extend_from_slice(&(json.len() as u64).to_le_bytes());
    file.extend_from_slice(&json);
    order.iter().for_each(|(_, tensor)| file.extend_from_slice(tensor.bytes));
    let place = digest_place(&file[8..8 + json.len()]).expect("the header was just given a digest");
    let digest = digest(&file, 8 + place);
    file[8 + place..][..DIGEST_DIGITS].copy_from_slice(digest.as_bytes());
    file
}

/// Reads and checks a whole file; the tensors stay where they are.
///
/// # Errors
///
/// [`Error::Length`], [`Error::Limit`], [`Error::Header`], [`Error::Tensor`], [`Error::Foreign`]
/// or [`Error::Digest`].
pub fn parse(file: &[u8]) -> Result<Container<'_>, Error> {
    let short = |what, wanted: u64| Error::Length { what, wanted, found: file.len() as u64 };
    let (prefix, rest) =
        file.split_first_chunk::<8>().ok_or_else(|| short("the header length", 8))?;
    let length = u64::from_le_bytes(*prefix);
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    // A table in place of a model would be told of an absurd length.
    if prefix.iter().all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace()) {
        let start = String::from_utf8_lossy(prefix).into_owned();
        return Err(Error::Header { why: format!("text that begins with {start:?}") });
    }
    limit("bytes of header", limits::HEADER_BYTES, length)?;
    if rest.len() < length {
        return Err(short("the header", 8 + length as u64));
    }
    let (json, data) = rest.split_at(length);
    let header: Header =
        serde_json::from_slice(json).map_err(|e| Error::Header { why: e.to_string() })?;
    limit("tensors", limits::TENSORS, header.tensors.len())?;

    let place = digest_place(json).ok_or(Error::Foreign { key: DIGEST })?;
    let (wanted, found) = (&json[place..][..DIGEST_DIGITS], digest(file, 8 + place));
    if wanted != found.as_bytes() {
        let head = |s: &[u8]| String::from_utf8_lossy(&s[..16]).into_owned();
        return Err(Error::Digest { wanted: head(wanted), found: head(found.as_bytes()) });
    }
    Ok(Container { tensors: tensors(header.tensors, data)?, metadata: header.metadata })
}

fn tensors(
    entries: Vec<(String, Entry)>,
    data: &[u8],
) -> Result<BTreeMap<String, Tensor<'_>>, Error> {
    let mut entries = entries;
    entries.sort_by_key(|(_, e)| e.data_offsets);
    let mut next = 0;
    let mut tensors = BTreeMap::new();
    for (name, entry) in entries {
        let fault =
            |wanted: String, found: String| Error::Tensor { name: name.clone(), wanted, found };
        let dtype = Dtype::parse(&entry.dtype).ok_or_else(|| {
            fault("a known data type (F32, F16, I32, I8, U8)".into(), format!("{:?}", entry.dtype))
        })?;
        limit("axes of a tensor", limits::RANK, entry.shape.len())?;
        let size = shape::elements(&entry.shape).map(|n| dtype.bytes(n)).ok_or_else(|| {
            fault("a shape within the limits".into(), format!("{:?}", entry.shape))
        })?;
        let [start, end] = entry.data_offsets;
        if start != next || end.checked_sub(start) != Some(size) {
            let wanted =
                format!("bytes {next}..{} for shape {:?}", next.saturating_add(size), entry.shape);
            return Err(fault(wanted, format!("{start}..{end}")));
        }
        let bytes = data.get(start..end).ok_or(Error::Length {
            what: "the tensors",
            wanted: end as u64,
            found: data.len() as u64,
        })?;
        next = end;
        tensors.insert(name, Tensor { dtype, shape: entry.shape, bytes });
    }
    if next != data.len() {
        let (wanted, found) = (next as u64, data.len() as u64);
        return Err(Error::Length { what: "the tensors", wanted, found });
    }
    Ok(tensors)
}

/// Where in the header the digits of the digest stand.
fn digest_place(json: &[u8]) -> Option<usize> {
    let key = format!("\"{DIGEST}\":\"");
    let start = json.windows(key.len()).position(|w| w == key.as_bytes())? + key.len();
    let digits = json.get(start..start + DIGEST_DIGITS)?;
    digits.iter().all(u8::is_ascii_hexdigit).then_some(start)
}

/// BLAKE3 of the file with zeros in place of the digest.
fn digest(file: &[u8], place: usize) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&file[..place]);
    hasher.update(&[b'0'; DIGEST_DIGITS]);
    hasher.update(&file[place + DIGEST_DIGITS..]);
    hasher.finalize().to_hex().as_str().into()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [usize; 2],
}

#[derive(Default)]
struct Header {
    metadata: BTreeMap<String, String>,
    tensors: Vec<(String, Entry)>,
}

/// By hand, because a derived map would let the last of two equal names win.
impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let mut header = Header::default();
                let mut names = BTreeSet::new();
                while let Some(name) = map.next_key::<String>()? {
                    if !names.insert(name.clone()) {
                        return Err(twice(&name));
                    }
                    if name == METADATA {
                        header.metadata = map.next_value::<Metadata>()?.0;
                        header.metadata.remove(DIGEST);
                    } else {
                        header.tensors.push((name, map.next_value()?));
                    }
                }
                Ok(header)
            }
        }

        deserializer.deserialize_map(Entries)
    }
}

struct Metadata(BTreeMap<String, String>);

/// By hand for the same reason: two manifests in one file would each have a reader.
impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;

        impl<'de> Visitor<'de> for Texts {
            type Value = Metadata;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Metadata, A::Error> {
                let mut texts = BTreeMap::new();
                while let Some(key) = map.next_key::<String>()? {
                    if texts.contains_key(&key) {
                        return Err(twice(&key));
                    }
                    texts.insert(key, map.next_value()?);
                }
                Ok(Metadata(texts))
            }
        }

        deserializer.deserialize_map(Texts)
    }
}

fn twice<E: serde::de::Error>(name: &str) -> E {
    E::custom(format!("the name `{name}` twice"))
}
