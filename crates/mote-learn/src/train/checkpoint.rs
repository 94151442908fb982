//! The state of a training as bytes: written at each look, read to go on after an interruption.

use burn::{module::Module, store::ModuleRecord, tensor::Bytes};
use serde::{Deserialize, Serialize};

use super::{Look, State, TrainConfig};
use crate::families::Family;

const MAGIC: &[u8; 8] = b"motechk2";

/// The state of a training.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    head: Head,
    /// Weights, moments of the optimizer, the mean of the weights, and the weights of the best look.
    blobs: [Vec<u8>; 4],
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Head {
    step: u64,
    history: Vec<Look>,
    best: Option<usize>,
    config: TrainConfig,
    /// What else has to be the same for the checkpoint to fit: model, data, schema.
    purpose: String,
    lengths: [usize; 4],
}

/// Why bytes are no checkpoint of this training.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The bytes end early or are something else.
    #[error("wanted a checkpoint, found {0}")]
    Damaged(String),
    /// It belongs to another training.
    #[error("the checkpoint is of another training: {0}")]
    Foreign(String),
}

impl Checkpoint {
    /// Steps that were done when it was taken.
    #[must_use]
    pub fn step(&self) -> u64 {
        self.head.step
    }

    /// How the training that it is of was to go.
    #[must_use]
    pub fn config(&self) -> &TrainConfig {
        &self.head.config
    }

    /// Names what the training is of (a digest of data, model and schema, say).
    #[must_use]
    pub fn for_purpose(mut self, purpose: &str) -> Self {
        self.head.purpose = purpose.into();
        self
    }

    /// What the training is of.
    #[must_use]
    pub fn purpose(&self) -> &str {
        &self.head.purpose
    }

    /// The bytes to store.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let head = serde_json::to_vec(&self.head).expect("the head has no maps");
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&(head.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&head);
        self.blobs.iter().for_each(|b| bytes.extend_from_slice(b));
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote.
    ///
    /// # Errors
    ///
    /// [`CheckpointError::Damaged`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let damaged = |found: &str| CheckpointError::Damaged(found.into());
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| damaged("another kind of file"))?;
        let (length, rest) =
            rest.split_first_chunk::<8>().ok_or_else(|| damaged("the end of the file"))?;
        let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let head = rest.get(..length).ok_or_else(|| damaged("the end of the file"))?;
        let head: Head =
            serde_json::from_slice(head).map_err(|e| CheckpointError::Damaged(e.to_string()))?;
        let mut rest = &rest[length..];
        let mut blobs = [const { Vec::new() }; 4];
        for (blob, &length) in blobs.iter_mut().zip(&head.lengths) {
            let (own, after) =
                rest.split_at_checked(length).ok_or_else(|| damaged("the end of the file"))?;
            *blob = own.to_vec();
            rest = after;
        }
        if rest.is_empty() { Ok(Self { head, blobs }) } else { Err(damaged("bytes after its end")) }
    }
}

impl<M: Family> State<M> {
    pub(super) fn checkpoint(&self, config: &TrainConfig) -> Checkpoint {
        let best = self.best.as_ref().map(|(_, model)| weights(model)).unwrap_or_default();
        let average = self.average.as_ref().map(weights).unwrap_or_default();
        let blobs = [weights(&self.model), self.optimizer.to_bytes(), average, best];
        let head = Head {
            step: self.step,
            history: self.history.clone(),
            best: self.best.as_ref().map(|(at, _)| *at),
            config: config.clone(),
            purpose: String::new(),
            lengths: blobs.each_ref().map(Vec::len),
        };
        Checkpoint { head, blobs }
    }

    pub(super) fn restore(
        &mut self,
        checkpoint: Checkpoint,
        config: &TrainConfig,
    ) -> Result<(), CheckpointError> {
        let Checkpoint { head, blobs: [model, moments, average, best] } = checkpoint;
        if head.config != *config {
            let why = format!("wanted {config:?}, found {:?}", head.config);
            return Err(CheckpointError::Foreign(why));
        }
        self.best = match head.best {
            Some(at) => Some((at, load(self.model.valid(), best)?)),
            None => None,
        };
        if let Some(mean) = self.average.take() {
            self.average = Some(load(mean, average)?);
        }
        self.model = load(self.model.clone(), model)?;
        self.optimizer.restore(moments).map_err(CheckpointError::Damaged)?;
        self.step = head.step;
        self.history = head.history;
        Ok(())
    }
}

fn weights<M: Module>(model: &M) -> Vec<u8> {
    let bytes = model.clone().into_record().into_bytes();
    bytes.expect("records are written to memory").to_vec()
}

fn load<M: Module>(model: M, bytes: Vec<u8>) -> Result<M, CheckpointError> {
    let foreign = |e: burn::store::RecordError| CheckpointError::Foreign(e.to_string());
    let record = ModuleRecord::from_bytes(Bytes::from_bytes_vec(bytes)).map_err(foreign)?;
    model.try_load_record(record).map_err(foreign)
}
