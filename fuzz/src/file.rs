//! The parts of a model file, and a digest for whatever they have become.

use serde_json::{Map, Value, json};

pub const MANIFEST: &str = "mote.manifest";
const METADATA: &str = "__metadata__";
const DIGEST_KEY: &[u8] = b"\"mote.digest\":\"";
const DIGEST_DIGITS: usize = 64;

/// Header and data, by the length that stands in front; `None` where that is out of reach.
pub fn split(file: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = file.split_first_chunk::<8>()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    (length <= rest.len()).then(|| rest.split_at(length))
}

/// A file of any header and data, with the length and the digest that belong to them.
pub fn join(header: &[u8], data: &[u8]) -> Vec<u8> {
    let mut header = header.to_vec();
    header.resize((8 + header.len()).next_multiple_of(64) - 8, b' ');
    let mut file = [&(header.len() as u64).to_le_bytes()[..], &header, data].concat();
    seal(&mut file);
    file
}

/// Writes the digest that `file` ought to have, where there is a place for it.
pub fn seal(file: &mut [u8]) {
    let Some(key) = file.windows(DIGEST_KEY.len()).position(|w| w == DIGEST_KEY) else { return };
    let place = key + DIGEST_KEY.len();
    if let Some(digits) = file.get_mut(place..place + DIGEST_DIGITS) {
        digits.fill(b'0');
        let digest = blake3::hash(file).to_hex();
        file[place..place + DIGEST_DIGITS].copy_from_slice(digest.as_bytes());
    }
}

/// A file in its parts, as JSON that can be changed.
pub struct Parts {
    /// The header without its metadata: an entry for each tensor.
    pub tensors: Map<String, Value>,
    pub manifest: Value,
    pub data: Vec<u8>,
}

impl Parts {
    pub fn of(file: &[u8]) -> Option<Self> {
        let (header, data) = split(file)?;
        let mut tensors: Map<String, Value> = serde_json::from_slice(header).ok()?;
        let metadata = tensors.remove(METADATA)?;
        let manifest = serde_json::from_str(metadata.get(MANIFEST)?.as_str()?).ok()?;
        Some(Self { tensors, manifest, data: data.into() })
    }

    pub fn write(self) -> Vec<u8> {
        let metadata = json!({
            "mote.version": "1",
            "mote.digest": "0".repeat(DIGEST_DIGITS),
            MANIFEST: self.manifest.to_string(),
        });
        let mut header = self.tensors;
        header.insert(METADATA.into(), metadata);
        join(Value::Object(header).to_string().as_bytes(), &self.data)
    }
}
