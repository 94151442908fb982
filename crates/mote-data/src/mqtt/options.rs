//! How a connection behaves: sizes, times, and whom it tells of its state.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::error::{Error, Result};
use super::topic;

/// What [`Subscriber::open`](super::Subscriber::open) and
/// [`Publisher::open`](super::Publisher::open) do while the broker is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstConnect {
    /// Try for this long, then return the last error.
    Within(Duration),
    /// Return at once and connect when the broker comes; messages to publish are queued meanwhile.
    Background,
}

/// What the broker keeps for a subscriber while it is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Session {
    /// The subscription and all messages that were not acknowledged, for this long. MQTT 3.1.1
    /// cannot state a time: there the broker decides. Needs a client id.
    Persistent {
        /// Time after which the broker may forget us, in whole seconds.
        expiry: Duration,
    },
    /// Nothing: messages that are published while no connection is open are not received.
    Clean,
}

/// A retained message that tells others whether this client is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Availability {
    /// Where it is published.
    pub topic: String,
    /// Payload after each connect.
    pub online: Vec<u8>,
    /// Payload at an orderly end, and the last will that the broker publishes after any other end.
    pub offline: Vec<u8>,
}

/// Waiting times between attempts to connect: they double from `first` to `last`, and each is then
/// shortened at random by up to half, so that a fleet does not return to its broker in one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The first waiting time, before it is shortened.
    pub first: Duration,
    /// The longest waiting time, before it is shortened.
    pub last: Duration,
    /// Seed of the random part. It is mixed with the client id, so that devices which share a
    /// configuration still differ.
    pub seed: u64,
}

/// Where a connection stands.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Status {
    /// The first attempt is under way.
    Connecting,
    /// Messages flow.
    Connected {
        /// Whether the broker still knew the session, so that nothing was missed.
        resumed: bool,
    },
    /// An attempt failed or a connection ended; another attempt follows.
    Reconnecting {
        /// Failed attempts since the last connection that lasted.
        attempt: u32,
        /// Why the last one ended.
        error: Error,
        /// Time until the next.
        wait: Duration,
    },
    /// The connection ended and will not be made again.
    Closed {
        /// Why, where it was not asked for.
        error: Option<Error>,
    },
}

/// Is told of every change of [`Status`], on the connection's own thread: it must be quick, and must
/// not call the connection.
#[derive(Clone)]
pub struct Listener(pub(super) Arc<dyn Fn(&Status) + Send + Sync>);

impl Listener {
    /// Wraps a function.
    pub fn new(told: impl Fn(&Status) + Send + Sync + 'static) -> Self {
        Self(Arc::new(told))
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listener")
    }
}

/// How a connection behaves. The memory that a connection takes is bounded by
/// `queue_bytes + 4 · message_bytes_max` and some 300 KiB.
#[derive(Clone, Debug)]
pub struct Options {
    /// Messages in the queue between the caller and the connection. When it is full, a subscriber
    /// stops reading from the network and a publisher blocks. Default: 256, some seconds of a plant.
    pub queue: usize,
    /// Bytes of topics and payloads in that queue; one message may exceed them alone. Default:
    /// 8 MiB, which a small gateway can spare.
    pub queue_bytes: usize,
    /// Messages that may be sent and not acknowledged, at least 1. A publisher waits when so many are
    /// in flight; a subscriber asks the broker for no more (MQTT 5; before it the broker decides, and
    /// Mosquitto's own value is 20), so a caller who acknowledges in batches must make these no
    /// larger. Default: 256.
    pub in_flight: u16,
    /// Bytes of one message, its topic and payload together. Default: 1 MiB.
    pub message_bytes_max: usize,
    /// Longest silence before the connection is probed, in whole seconds. Default: 30 s, less than
    /// the time after which home routers and mobile networks forget a connection.
    pub keep_alive: Duration,
    /// Longest time for one attempt to connect, and for the answer to a probe. Default: 10 s.
    pub answer_timeout: Duration,
    /// What happens while the broker is away at first. Default: an error after 5 s.
    pub first_connect: FirstConnect,
    /// What the broker keeps for a subscriber. Default: all, for a day. A publisher has no use for
    /// it: what it has to repeat, it keeps itself.
    pub session: Session,
    /// Waiting times between attempts. Default: from 0.2 s to 30 s.
    pub backoff: Backoff,
    /// A retained message that tells whether this client is there. Default: none.
    pub availability: Option<Availability>,
    /// Who is told of changes. Default: nobody.
    pub listener: Option<Listener>,
}

impl Default for Options {
    fn default() -> Self {
        let (first, last) = (Duration::from_millis(200), Duration::from_secs(30));
        Self {
            queue: 256,
            queue_bytes: 8 << 20,
            in_flight: 256,
            message_bytes_max: 1 << 20,
            keep_alive: Duration::from_secs(30),
            answer_timeout: Duration::from_secs(10),
            first_connect: FirstConnect::Within(Duration::from_secs(5)),
            session: Session::Persistent { expiry: Duration::from_secs(24 * 60 * 60) },
            backoff: Backoff { first, last, seed: 0 },
            availability: None,
            listener: None,
        }
    }
}

impl Options {
    /// Lets through options that make sense.
    pub(super) fn checked(self) -> Result<Self> {
        let bad = |option, wanted, found: String| Err(Error::Option { option, wanted, found });
        if self.queue == 0 {
            return bad("queue", "at least 1", "0".to_owned());
        }
        if self.in_flight == 0 {
            return bad("in_flight", "at least 1", "0".to_owned());
        }
        // The protocol's own limit is 256 MiB for a whole packet.
        if !(1..=200 << 20).contains(&self.message_bytes_max) {
            let found = self.message_bytes_max.to_string();
            return bad("message_bytes_max", "1 byte to 200 MiB", found);
        }
        if !(1..=u64::from(u16::MAX)).contains(&self.keep_alive.as_secs()) {
            return bad("keep_alive", "1 to 65535 s", format!("{:?}", self.keep_alive));
        }
        if self.answer_timeout.is_zero() {
            return bad("answer_timeout", "more than 0", "0".to_owned());
        }
        if self.backoff.first.is_zero() || self.backoff.first > self.backoff.last {
            let found = format!("{:?} to {:?}", self.backoff.first, self.backoff.last);
            return bad("backoff", "a first time over 0 and up to the last", found);
        }
        if let Session::Persistent { expiry } = self.session
            && u32::try_from(expiry.as_secs()).is_err()
        {
            return bad("session", "an expiry of up to 4294967295 s", format!("{expiry:?}"));
        }
        if let Some(availability) = &self.availability {
            topic::name(availability.topic.clone())?;
            let largest = availability.online.len().max(availability.offline.len());
            if largest > topic::BYTES_MAX {
                let found = format!("{largest} bytes");
                return bad("availability", "payloads of up to 65535 bytes", found);
            }
        }
        Ok(self)
    }
}

/// The running state of a [`Backoff`].
#[derive(Debug)]
pub(super) struct Waits {
    backoff: Backoff,
    random: u64,
    attempt: u32,
}

impl Waits {
    pub(super) fn new(backoff: Backoff, client_id: &str) -> Self {
        // FNV-1a, only to spread clients over the seeds.
        let mix = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        let hash = client_id.bytes().fold(0xcbf2_9ce4_8422_2325, mix);
        Self { backoff, random: backoff.seed ^ hash, attempt: 0 }
    }

    /// The number of this failed attempt, from 1, and the time to wait before the next.
    pub(super) fn next(&mut self) -> (u32, Duration) {
        let doubled = self.backoff.first.saturating_mul(1 << self.attempt.min(30));
        self.attempt = self.attempt.saturating_add(1);
        // SplitMix64 (Steele, Lea and Flood, 2014): one addition and one mix per number.
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let unit = (z ^ (z >> 31)) as f64 / 2f64.powi(64);
        (self.attempt, doubled.min(self.backoff.last).mul_f64(1.0 - 0.5 * unit))
    }

    pub(super) fn reset(&mut self) {
        self.attempt = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_last_and_are_shortened_by_up_to_half() {
        let mut waits = Waits::new(Options::default().backoff, "a");
        for attempt in 1..=1000_u32 {
            let (counted, wait) = waits.next();
            let full = 0.2 * 2f64.powi(attempt.min(60) as i32 - 1);
            let full = full.min(30.0);
            assert_eq!(counted, attempt);
            assert!((0.5 * full..=full).contains(&wait.as_secs_f64()), "{attempt}: {wait:?}");
        }
        waits.reset();
        assert!(waits.next().1 <= Duration::from_millis(200));
    }

    #[test]
    fn waits_repeat_with_the_seed_and_differ_between_clients() {
        let times = |seed, client| {
            let backoff = Backoff { seed, ..Options::default().backoff };
            let mut waits = Waits::new(backoff, client);
            [waits.next().1, waits.next().1]
        };
        assert_eq!(times(1, "a"), times(1, "a"));
        assert_ne!(times(1, "a"), times(2, "a"));
        assert_ne!(times(1, "a"), times(1, "b"));
    }

    #[test]
    fn refuses_options_that_make_no_sense() {
        #[track_caller]
        fn check(option: &str, change: impl Fn(&mut Options)) {
            let mut options = Options::default();
            change(&mut options);
            match options.checked() {
                Err(error) => assert!(error.to_string().contains(option), "{error}"),
                Ok(_) => panic!("{option} was let through"),
            }
        }
        check("queue", |o| o.queue = 0);
        check("in_flight", |o| o.in_flight = 0);
        check("message_bytes_max", |o| o.message_bytes_max = 0);
        check("message_bytes_max", |o| o.message_bytes_max = usize::MAX);
        check("keep_alive", |o| o.keep_alive = Duration::from_millis(999));
        check("answer_timeout", |o| o.answer_timeout = Duration::ZERO);
        check("backoff", |o| o.backoff.first = Duration::ZERO);
        check("backoff", |o| o.backoff.last = Duration::from_millis(1));
        check("session", |o| o.session = Session::Persistent { expiry: Duration::MAX });
        let availability = |topic: &str, bytes| Availability {
            topic: topic.to_owned(),
            online: vec![0; bytes],
            offline: Vec::new(),
        };
        check("a/#", move |o| o.availability = Some(availability("a/#", 1)));
        check("availability", move |o| o.availability = Some(availability("a", 70_000)));
        assert!(Options::default().checked().is_ok());
    }
}
