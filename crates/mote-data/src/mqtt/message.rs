//! A message that was received, and the right to acknowledge it.

use super::protocol::Ticket;

/// A message that was received.
#[derive(Debug)]
pub struct Message {
    /// The topic it was published on.
    pub topic: String,
    /// Its bytes.
    pub payload: Vec<u8>,
    /// Whether the broker had kept it from before the subscription.
    pub retained: bool,
    /// Whether the broker sent it before, without hearing an acknowledgement.
    pub redelivered: bool,
    /// The right to acknowledge it.
    pub receipt: Receipt,
}

/// The right to acknowledge one message, once. It is valid only on the connection that the message
/// came by: later it does nothing, and the message comes again.
#[derive(Debug)]
#[must_use = "a message that is never acknowledged comes again"]
pub struct Receipt {
    /// Number of the connection, unique in this process.
    pub(super) connection: u64,
    /// `None` for a message that needs no acknowledgement (QoS 0).
    pub(super) ticket: Option<Ticket>,
}
