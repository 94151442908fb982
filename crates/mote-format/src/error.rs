//! What can be wrong with a file, with the facts that explain it.

use alloc::string::String;

/// Why bytes are not a model that may run.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file ends early, or goes on after its end.
    #[error("wanted {wanted} bytes for {what}, found {found}")]
    Length {
        /// Which part.
        what: &'static str,
        /// Bytes that the part needs.
        wanted: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// Something is larger than [`crate::limits`] allows.
    #[error("wanted at most {limit} {what}, found {found}")]
    Limit {
        /// What is too large.
        what: &'static str,
        /// How large it may be.
        limit: u64,
        /// How large it is.
        found: u64,
    },
    /// The header is not JSON of the safetensors kind.
    #[error("wanted a safetensors header in JSON, found {why}")]
    Header {
        /// What the JSON reader says, or which rule is broken.
        why: String,
    },
    /// A safetensors file, but none of ours.
    #[error("wanted a `.mote` file, found safetensors without the metadata `{key}`")]
    Foreign {
        /// The key that is missing.
        key: &'static str,
    },
    /// Written by a version that this reader does not know.
    #[error("wanted format version {wanted}, found {found}")]
    Version {
        /// The version that this reader knows.
        wanted: u32,
        /// The version in the file.
        found: u32,
    },
    /// A bit has changed since the file was written.
    #[error("the contents do not match their digest: wanted {wanted}, found {found}")]
    Digest {
        /// The digest that the file states, first 16 digits.
        wanted: String,
        /// The digest of what is there, first 16 digits.
        found: String,
    },
    /// A tensor is not what the programs or the container need.
    #[error("tensor `{name}`: wanted {wanted}, found {found}")]
    Tensor {
        /// Its name.
        name: String,
        /// What was wanted.
        wanted: String,
        /// What was found.
        found: String,
    },
    /// The manifest breaks a rule.
    #[error("manifest: {why}")]
    Manifest {
        /// Which rule.
        why: String,
    },
    /// A program breaks a rule.
    #[error("program `{program}`{}: {why}", op.as_ref().map(|o| alloc::format!(", operation {o}")).unwrap_or_default())]
    Program {
        /// Its name.
        program: String,
        /// Number and name of the operation, if it is one.
        op: Option<String>,
        /// Which rule.
        why: String,
    },
}
