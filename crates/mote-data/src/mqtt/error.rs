//! What can go wrong between this process and an MQTT broker.

use std::time::Duration;

/// What can go wrong, with the facts that a person needs to put it right.
///
/// Texts never contain a password. Causes of the operating system and of the TLS library are kept
/// as text, so that an error can be shown more than once: in a status, and where a call fails.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A broker address that does not say what it must.
    #[error("the broker address `{address}` is not usable: wanted {wanted}, found {found}")]
    Address {
        /// The address, without its password.
        address: String,
        /// What was wanted there.
        wanted: &'static str,
        /// What was found there.
        found: String,
    },
    /// An option outside its range, or two that contradict each other.
    #[error("the option `{option}` is not usable: wanted {wanted}, found {found}")]
    Option {
        /// Name of the field.
        option: &'static str,
        /// What was wanted.
        wanted: &'static str,
        /// What was found.
        found: String,
    },
    /// A topic or topic filter that MQTT forbids.
    #[error("the topic `{topic}` is not usable: wanted {wanted}")]
    Topic {
        /// The topic as it was given.
        topic: String,
        /// What was wanted.
        wanted: &'static str,
    },
    /// A certificate or private key that cannot be used.
    #[error("the {what} is not usable: {cause}")]
    Certificate {
        /// Which one.
        what: &'static str,
        /// Why.
        cause: String,
    },
    /// The host name has no address.
    #[error("the host `{host}` is not known: {cause}")]
    UnknownHost {
        /// Name of the host.
        host: String,
        /// What the resolver said.
        cause: String,
    },
    /// No connection could be made.
    #[error("no connection to `{host}:{port}`: {cause}")]
    Unreachable {
        /// Name of the host.
        host: String,
        /// TCP port.
        port: u16,
        /// What the operating system said.
        cause: String,
    },
    /// The broker did not answer in time.
    #[error("`{host}:{port}` did not {wanted} within {} ms", waited.as_millis())]
    TimedOut {
        /// Name of the host.
        host: String,
        /// TCP port.
        port: u16,
        /// What it should have done.
        wanted: &'static str,
        /// How long it had.
        waited: Duration,
    },
    /// The TLS handshake failed: an unknown authority, a wrong name, no TLS at all.
    #[error("no trusted connection to `{host}:{port}`: {cause}")]
    Untrusted {
        /// Name of the host.
        host: String,
        /// TCP port.
        port: u16,
        /// What the TLS library said.
        cause: String,
    },
    /// The broker knows the user, password or client not, or does not let them in.
    #[error("`{host}:{port}` refused the login of {login}: {reason}")]
    LoginRefused {
        /// Name of the host.
        host: String,
        /// TCP port.
        port: u16,
        /// User name or client id, in words.
        login: String,
        /// The broker's reason.
        reason: String,
    },
    /// The broker refused the connection for another reason.
    #[error("`{host}:{port}` refused the connection: {reason}")]
    ConnectionRefused {
        /// Name of the host.
        host: String,
        /// TCP port.
        port: u16,
        /// The broker's reason.
        reason: String,
        /// Whether the same connection may be accepted later.
        may_pass: bool,
    },
    /// The broker refused a subscription.
    #[error("the subscription to `{filter}` was refused: {reason}")]
    SubscriptionRefused {
        /// The topic filter.
        filter: String,
        /// The broker's reason.
        reason: String,
    },
    /// The broker refused a message.
    #[error("the message on `{topic}` was refused: {reason}")]
    PublicationRefused {
        /// The topic.
        topic: String,
        /// The broker's reason.
        reason: String,
    },
    /// A message over the declared limit, sent or received. A received one is acknowledged and
    /// dropped: it would come again for ever otherwise.
    #[error("the message on `{topic}` has {bytes} bytes with its topic: the limit is {limit}")]
    MessageTooLarge {
        /// The topic.
        topic: String,
        /// Bytes of topic and payload.
        bytes: usize,
        /// The limit that holds for them.
        limit: usize,
    },
    /// Another client took over the session, so that two processes share one client id.
    #[error("another client connected with the client id `{client_id}` and took the session over")]
    SessionTaken {
        /// The client id.
        client_id: String,
    },
    /// An established connection ended.
    #[error("the connection to `{host}:{port}` was lost: {cause}")]
    Lost {
        /// Name of the host.
        host: String,
        /// TCP port.
        port: u16,
        /// How it ended.
        cause: String,
    },
    /// The broker sent what MQTT forbids.
    #[error("`{host}:{port}` broke the protocol: {cause}")]
    Protocol {
        /// Name of the host.
        host: String,
        /// TCP port.
        port: u16,
        /// What it sent.
        cause: String,
    },
    /// The queue of outgoing messages stayed full.
    #[error("the queue of {messages} unconfirmed messages stayed full for {} ms", waited.as_millis())]
    QueueFull {
        /// Messages in the queue.
        messages: usize,
        /// How long the call waited for room.
        waited: Duration,
    },
    /// Messages that the broker has not confirmed in time.
    #[error("{messages} messages were not confirmed within {} ms", waited.as_millis())]
    Unconfirmed {
        /// Messages that are still unconfirmed.
        messages: usize,
        /// How long the call waited for them.
        waited: Duration,
    },
    /// The connection's own thread could not start, or ended by a bug.
    #[error("the connection's thread is not running: {cause}")]
    Thread {
        /// Why.
        cause: String,
    },
}

/// The result of an MQTT call.
pub type Result<T> = std::result::Result<T, Error>;

/// The kinds of [`Error`], to branch on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The caller gave something unusable: address, option, topic, certificate.
    Usage,
    /// The network or the broker is away; it may come back.
    Network,
    /// The other side could not be trusted.
    Trust,
    /// The broker said no.
    Refused,
    /// A declared limit was reached.
    Limit,
    /// A bug of this library or of the broker.
    Bug,
}

impl Error {
    /// The kind of this error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Address { .. }
            | Self::Option { .. }
            | Self::Topic { .. }
            | Self::Certificate { .. } => ErrorKind::Usage,
            Self::UnknownHost { .. }
            | Self::Unreachable { .. }
            | Self::TimedOut { .. }
            | Self::Lost { .. } => ErrorKind::Network,
            Self::Untrusted { .. } => ErrorKind::Trust,
            Self::LoginRefused { .. }
            | Self::ConnectionRefused { .. }
            | Self::SubscriptionRefused { .. }
            | Self::PublicationRefused { .. }
            | Self::SessionTaken { .. } => ErrorKind::Refused,
            Self::MessageTooLarge { .. } | Self::QueueFull { .. } | Self::Unconfirmed { .. } => {
                ErrorKind::Limit
            }
            Self::Protocol { .. } | Self::Thread { .. } => ErrorKind::Bug,
        }
    }

    /// Whether trying again cannot help before a person has changed something.
    pub(super) fn is_permanent(&self) -> bool {
        match self {
            Self::ConnectionRefused { may_pass, .. } => !may_pass,
            Self::Protocol { .. } => false,
            _ => self.kind() != ErrorKind::Network,
        }
    }
}
