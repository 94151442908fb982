//! Why something that a person asked for cannot be done.

use std::path::PathBuf;

/// An error of the library, with everything that a person needs to act on it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The data cannot be used.
    #[error(transparent)]
    Data(#[from] mote_data::Error),
    /// A model file cannot be used.
    #[error("{}: {source}", path.display())]
    Model {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: mote_format::Error,
    },
    /// A model cannot cross over from or to another format.
    #[error("{}: {source}", path.display())]
    Exchange {
        /// The file that was read.
        path: PathBuf,
        /// What has no counterpart.
        source: mote_exchange::Error,
    },
    /// A model has no entry point that is needed.
    #[error("this model cannot do that: {0}")]
    Load(#[from] mote_runtime::LoadError),
    /// Training cannot begin or go on.
    #[error(transparent)]
    Train(#[from] mote_learn::train::TrainError),
    /// A trained model cannot become a program: a mistake of ours.
    #[error(transparent)]
    Compile(#[from] mote_learn::compile::CompileError),
    /// A program cannot be made smaller.
    #[error("cannot compress: {0}")]
    Compress(#[from] mote_compress::Error),
    /// A program cannot become firmware.
    #[error("cannot export: {0}")]
    Export(#[from] mote_deploy::Error),
    /// A threshold or a metric cannot be computed from this data.
    #[error("{what}: {source}")]
    Evaluate {
        /// What was to be computed.
        what: String,
        /// Why it cannot.
        source: mote_eval::Error,
    },
    /// The system refused to read or write.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// `read`, `write`, `create`.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A connection to a broker failed.
    #[error(transparent)]
    Mqtt(#[from] mote_data::mqtt::Error),
    /// Arguments that do not go together.
    #[error("{0}")]
    Usage(String),
    /// Nothing that was tried is small enough and loses little enough.
    #[error("nothing fits the budget: {0}")]
    Budget(String),
    /// The person asked to stop.
    #[error("interrupted{0}")]
    Interrupted(String),
}

impl Error {
    /// An error of the file system.
    pub fn io(what: &'static str, path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::Io { what, path: path.into(), source }
    }

    /// An error of a computation on data that does not allow it.
    pub fn evaluate(what: impl Into<String>, source: mote_eval::Error) -> Self {
        Self::Evaluate { what: what.into(), source }
    }
}
