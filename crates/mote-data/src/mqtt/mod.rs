//! Messages from and to an MQTT broker: versions 3.1.1 and 5, over TCP and TLS.
//!
//! [`Subscriber`] and [`Publisher`] are blocking calls to a connection that a thread of its own keeps
//! up: it reconnects with growing waits, sends again what the broker has not confirmed, and leaves
//! with the broker what the caller has not acknowledged. So with QoS 1 each message arrives at least
//! once, whichever side goes away, as far as the broker itself forgets nothing. Both directions are
//! bounded: a full queue makes a publisher wait, and makes a subscriber stop reading, which the
//! network hands on to the broker, while the connection is kept alive.
//!
//! What is not here: QoS 2, WebSockets, reading certificates from files, and what is in a payload.
//!
//! ```no_run
//! use std::time::Duration;
//! use mote_data::mqtt::{Broker, Options, Publisher, Subscriber};
//!
//! let broker = Broker::parse("mqtt://localhost/plant/+/temp?client_id=monitor")?;
//! let subscriber = Subscriber::open(&broker, &[], Options::default())?;
//! let publisher = Publisher::open(&Broker::parse("mqtt://localhost")?, Options::default())?;
//!
//! while let Some(message) = subscriber.recv(Duration::from_secs(60))? {
//!     publisher.publish(&format!("seen/{}", message.topic), message.payload, false)?;
//!     publisher.flush(Duration::from_secs(10))?;
//!     subscriber.ack(message.receipt);
//! }
//! # Ok::<(), mote_data::mqtt::Error>(())
//! ```

mod arrive;
mod broker;
mod engine;
mod error;
mod frame;
mod mailbox;
mod message;
mod options;
mod protocol;
mod publisher;
mod reason;
mod serve;
mod subscriber;
mod tls;
mod topic;
mod wire;

pub use broker::{Broker, Qos, Version};
pub use error::{Error, ErrorKind, Result};
pub use message::{Message, Receipt};
pub use options::{Availability, Backoff, FirstConnect, Listener, Options, Session, Status};
pub use publisher::Publisher;
pub use subscriber::Subscriber;
