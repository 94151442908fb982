//! Messages from a broker, each kept there until the caller has dealt with it.

use std::time::Duration;

use super::broker::Broker;
use super::engine::{Link, Plan};
use super::error::{Error, Result};
use super::message::{Message, Receipt};
use super::options::{Options, Session, Status};
use super::topic;

/// A subscription: messages come in the order in which the broker sends them, at least once.
///
/// A message counts as received only when its receipt is acknowledged. What is not, comes again
/// after a new connection or a restart of the process with the same client id, also in a row of
/// others that came before: so the caller must bear repetition.
///
/// Retained messages come at each [`Subscriber::open`]. A persistent session keeps the filters of earlier subscriptions with the same client id. Messages
/// of those come as well; whoever changes filters should change the client id.
pub struct Subscriber {
    link: Link,
}

impl Subscriber {
    /// Connects and subscribes to `filters`, or to the topic in the address where there are none.
    ///
    /// # Errors
    ///
    /// Where address, options or filters are unusable, where the broker or TLS refuses us, and, with
    /// [`FirstConnect::Within`](super::FirstConnect::Within), where the broker is away for that time.
    pub fn open(broker: &Broker, filters: &[&str], options: Options) -> Result<Self> {
        let options = options.checked()?;
        let mut filters: Vec<String> = filters.iter().map(|&filter| filter.to_owned()).collect();
        if filters.is_empty() {
            filters.extend(broker.topic.clone());
        }
        if filters.is_empty() {
            let wanted = "a topic behind the host, like `/plant/#`";
            let (address, found) = (broker.to_string(), "nothing".to_owned());
            return Err(Error::Address { address, wanted, found });
        }
        let filters = filters.into_iter().map(topic::filter).collect::<Result<_>>()?;
        if broker.client_id.is_none() && options.session != Session::Clean {
            let wanted = "`?client_id=…`, by which the broker knows a persistent session again";
            let (address, found) = (broker.to_string(), "nothing".to_owned());
            return Err(Error::Address { address, wanted, found });
        }
        let session = options.session;
        let link = Link::open(Plan { broker: broker.clone(), options, session, filters })?;
        Ok(Self { link })
    }

    /// The next message; `None` where none comes in time, also while the broker is away.
    ///
    /// # Errors
    ///
    /// [`Error::MessageTooLarge`] in the place of one message, after which others come; any other
    /// error is the end of the connection, and comes again.
    pub fn recv(&self, timeout: Duration) -> Result<Option<Message>> {
        self.link.mailbox.receive(timeout)
    }

    /// Tells the broker that a message need not come again. It does not wait for the network: only
    /// [`Subscriber::close`] makes sure that it was told.
    ///
    /// MQTT wants this in the order in which the messages came (MQTT 5, section 4.6).
    pub fn ack(&self, receipt: Receipt) {
        if receipt.ticket.is_some() {
            self.link.mailbox.acknowledge(receipt);
        }
    }

    /// Where the connection stands.
    #[must_use]
    pub fn status(&self) -> Status {
        self.link.mailbox.status()
    }

    /// Sends what was acknowledged and says goodbye, which takes 2 s at most. A persistent session
    /// lives on at the broker. Dropping does the same.
    pub fn close(self) {
        drop(self);
    }
}

impl std::fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscriber").field("status", &self.status()).finish_non_exhaustive()
    }
}
