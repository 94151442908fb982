//! Messages to a broker, each kept here until the broker has it.

use std::time::Duration;

use super::broker::Broker;
use super::engine::{Link, Plan};
use super::error::{Error, Result};
use super::mailbox::Outgoing;
use super::options::{Options, Session, Status};
use super::topic;

/// A publisher: messages go out in order, and with QoS 1 each is sent again after a new connection
/// until the broker has confirmed it. What is unconfirmed when the process ends is lost.
///
/// A client id in the address must be its own: with that of a subscriber it would end the other's
/// connection and session. Without one, the broker makes one up.
pub struct Publisher {
    link: Link,
    message_bytes_max: usize,
}

impl Publisher {
    /// Connects.
    ///
    /// # Errors
    ///
    /// Where address or options are unusable, where the broker or TLS refuses us, and, with
    /// [`FirstConnect::Within`](super::FirstConnect::Within), where the broker is away for that time.
    pub fn open(broker: &Broker, options: Options) -> Result<Self> {
        let options = options.checked()?;
        let message_bytes_max = options.message_bytes_max;
        let (broker, session, filters) = (broker.clone(), Session::Clean, Vec::new());
        let link = Link::open(Plan { broker, options, session, filters })?;
        Ok(Self { link, message_bytes_max })
    }

    /// Queues a message, waiting for room as long as it takes.
    ///
    /// # Errors
    ///
    /// Where the topic is unusable, the message is over the limit, or the connection has ended.
    pub fn publish(&self, topic: &str, payload: impl Into<Vec<u8>>, retain: bool) -> Result<()> {
        self.publish_within(topic, payload, retain, Duration::MAX)
    }

    /// Queues a message, waiting for room no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// As [`Publisher::publish`], and [`Error::QueueFull`] where there was no room in time.
    pub fn publish_within(
        &self,
        topic: &str,
        payload: impl Into<Vec<u8>>,
        retain: bool,
        timeout: Duration,
    ) -> Result<()> {
        let (topic, payload) = (topic::name(topic.to_owned())?, payload.into());
        let (bytes, limit) = (topic.len() + payload.len(), self.message_bytes_max);
        if bytes > limit {
            return Err(Error::MessageTooLarge { topic, bytes, limit });
        }
        self.link.mailbox.publish(Outgoing { topic, payload, retain }, timeout)
    }

    /// Waits until the broker has confirmed all messages (with QoS 0: until they are sent).
    ///
    /// # Errors
    ///
    /// [`Error::Unconfirmed`] where that takes longer than `timeout`; the first message that the
    /// broker refused since the last call, if any; the reason where the connection has ended.
    pub fn flush(&self, timeout: Duration) -> Result<()> {
        self.link.mailbox.flush(timeout)
    }

    /// The first message that the broker refused since the last call of this or of
    /// [`Publisher::flush`], for publishers that never stop to flush.
    #[must_use]
    pub fn take_refusal(&self) -> Option<Error> {
        self.link.mailbox.take_refusal()
    }

    /// Where the connection stands.
    #[must_use]
    pub fn status(&self) -> Status {
        self.link.mailbox.status()
    }

    /// Waits like [`Publisher::flush`], then says goodbye, which takes 2 s at most. Dropping says
    /// goodbye without waiting for confirmations.
    ///
    /// # Errors
    ///
    /// As [`Publisher::flush`].
    pub fn close(self, timeout: Duration) -> Result<()> {
        self.flush(timeout)
    }
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Publisher").field("status", &self.status()).finish_non_exhaustive()
    }
}
