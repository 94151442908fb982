//! Why a model cannot cross over.

/// What was wrong, and where.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are no such file.
    #[error("wanted {wanted}, found {found}")]
    Bytes {
        /// Which kind of file or part was wanted.
        wanted: &'static str,
        /// What is there.
        found: String,
    },
    /// Something is larger than is read.
    #[error("wanted at most {limit} {what}, found {found}")]
    Limit {
        /// What is too large.
        what: &'static str,
        /// How large it may be.
        limit: u64,
        /// How large it is.
        found: u64,
    },
    /// An operator that programs do not have.
    #[error("node `{node}`: wanted one of {supported}, found `{operator}`")]
    Operator {
        /// Its name in the model.
        node: String,
        /// What it is.
        operator: String,
        /// What can be imported.
        supported: &'static str,
    },
    /// An operator that programs have, used in a way that they have not.
    #[error("node `{node}` ({operator}): {why}")]
    Node {
        /// Its name in the model.
        node: String,
        /// What it is.
        operator: String,
        /// What is not supported about it.
        why: String,
    },
    /// An input or output of the whole model.
    #[error("`{port}`: {why}")]
    Port {
        /// Its name.
        port: String,
        /// What is wrong with it.
        why: String,
    },
    /// The program cannot be written, or what was read is none.
    #[error(transparent)]
    Program(#[from] mote_format::Error),
}
