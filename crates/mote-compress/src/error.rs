//! Why a program cannot be made smaller.

/// Why a program cannot be made smaller.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There was no data to observe.
    #[error("wanted at least one sample to observe ranges, found none")]
    NoSamples,
    /// A sample does not fit the inputs of the program.
    #[error("sample {sample}: wanted inputs of {wanted:?} elements, found {found:?}")]
    Sample {
        /// Which one, from 0.
        sample: usize,
        /// Elements of each input.
        wanted: Vec<usize>,
        /// Elements that were given.
        found: Vec<usize>,
    },
    /// A value of the program is not finite for some sample.
    #[error("program `{program}`, value {value}: {found} on sample {sample}")]
    NotFinite {
        /// The program.
        program: String,
        /// The value.
        value: u32,
        /// What it is.
        found: f32,
        /// For which sample, from 0.
        sample: usize,
    },
    /// The program holds integers already.
    #[error("program `{program}` is quantized already: operation {at} is `{op}`")]
    Quantized {
        /// The program.
        program: String,
        /// The first such operation.
        at: usize,
        /// Its name.
        op: &'static str,
    },
    /// A share is none.
    #[error("the share of {what} is from 0 to below 1, found {found}")]
    Share {
        /// Of what.
        what: &'static str,
        /// What was asked for.
        found: f64,
    },
    /// The program has no gradient, or nothing that can be trained.
    #[error(transparent)]
    NotTrainable(#[from] mote_runtime::NotTrainable),
    /// The weights cannot be read.
    #[error(transparent)]
    Load(#[from] mote_runtime::LoadError),
    /// The result does not verify, or the program given did not: a mistake of ours.
    #[error(transparent)]
    Format(#[from] mote_format::Error),
}
