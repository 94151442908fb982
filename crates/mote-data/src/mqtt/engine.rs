//! The thread behind a connection: it dials, serves, waits and dials again until it is closed.
//!
//! Sockets never block here; the one thing that the thread waits on is `Poll`, which the caller's
//! threads can interrupt. It reads the monotonic clock, for deadlines only.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token, Waker};

use super::broker::Broker;
use super::error::{Error, Result};
use super::mailbox::{Mailbox, Outgoing};
use super::options::{FirstConnect, Options, Session, Status, Waits};
use super::tls::Tls;
use super::wire::Wire;

const WAKER: Token = Token(0);
const SOCKET: Token = Token(1);

/// A connection that lasted this long proves that the broker is well again: waits start anew.
const LASTING: Duration = Duration::from_secs(5);

/// What a connection is for.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) broker: Broker,
    pub(super) options: Options,
    pub(super) session: Session,
    pub(super) filters: Vec<String>,
}

/// A running connection. Dropping it says goodbye to the broker and waits until that is said.
pub(super) struct Link {
    pub(super) mailbox: Arc<Mailbox>,
    thread: Option<JoinHandle<()>>,
}

impl Link {
    /// Starts a connection and waits for it as the options say.
    pub(super) fn open(plan: Plan) -> Result<Self> {
        let tls = Tls::of(&plan.broker)?;
        let failed = |cause: io::Error| Error::Thread { cause: cause.to_string() };
        let poll = Poll::new().map_err(failed)?;
        let waker = Waker::new(poll.registry(), WAKER).map_err(failed)?;
        let mailbox = Arc::new(Mailbox::new(&plan.options, waker));
        let first_connect = plan.options.first_connect;
        let (host, port) = (plan.broker.host.clone(), plan.broker.port);
        let client_id = plan.broker.client_id.as_deref().unwrap_or("");
        let engine = Engine {
            waits: Waits::new(plan.options.backoff, client_id),
            plan,
            tls,
            mailbox: Arc::clone(&mailbox),
            poll,
            events: Events::with_capacity(8),
            ready: false,
            flowing_since: None,
            subscribed: false,
            in_flight: VecDeque::new(),
        };
        let thread = thread::Builder::new().name("mote-mqtt".to_owned());
        let thread = thread.spawn(move || engine.run()).map_err(failed)?;
        let link = Self { mailbox, thread: Some(thread) };

        let FirstConnect::Within(timeout) = first_connect else { return Ok(link) };
        if link.mailbox.wait_ready(timeout)? {
            return Ok(link);
        }
        Err(match link.mailbox.status() {
            Status::Reconnecting { error, .. } => error,
            _ => Error::TimedOut { host, port, wanted: "answer", waited: timeout },
        })
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.mailbox.close();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported as the connection's last status.
            let _ = thread.join();
        }
    }
}

/// Why the work on one network connection ended.
pub(super) enum Stop {
    /// The caller asked for it.
    Asked,
    /// Something went wrong.
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// The state of the thread that outlives a network connection.
pub(super) struct Engine {
    pub(super) plan: Plan,
    pub(super) mailbox: Arc<Mailbox>,
    /// Whether a connection ever worked: before, errors that last are final.
    pub(super) ready: bool,
    /// Since when the present connection works.
    pub(super) flowing_since: Option<Instant>,
    /// Whether this process has subscribed, as an old session may hold other filters.
    pub(super) subscribed: bool,
    /// Messages that were sent and not confirmed, in the order of sending.
    pub(super) in_flight: VecDeque<(u16, Outgoing)>,
    tls: Option<Tls>,
    poll: Poll,
    events: Events,
    waits: Waits,
}

/// Reports the end of the thread also where it ends by a panic, so that no caller waits for ever.
struct LastWord(Arc<Mailbox>);

impl Drop for LastWord {
    fn drop(&mut self) {
        if thread::panicking() {
            let error = Error::Thread { cause: "it ended by a bug".to_owned() };
            self.0.set_status(Status::Closed { error: Some(error) });
        }
    }
}

impl Engine {
    fn run(mut self) {
        let last_word = LastWord(Arc::clone(&self.mailbox));
        let error = loop {
            self.flowing_since = None;
            let stop = self.connection();
            self.mailbox.put_back(self.in_flight.drain(..).map(|(_, message)| message));
            let error = match stop {
                Stop::Asked => break None,
                Stop::Failed(error) => error,
            };
            let is_final = match error {
                Error::SessionTaken { .. } | Error::SubscriptionRefused { .. } => true,
                _ => !self.ready && error.is_permanent(),
            };
            if is_final {
                break Some(error);
            }
            if self.flowing_since.is_some_and(|since| since.elapsed() >= LASTING) {
                self.waits.reset();
            }
            let (attempt, wait) = self.waits.next();
            self.mailbox.set_status(Status::Reconnecting { attempt, error, wait });
            let until = Instant::now() + wait;
            while !self.mailbox.is_closing() && Instant::now() < until {
                if self.turn(until).is_err() {
                    // Nothing to wait with: the next attempt meets the same error and reports it.
                    break;
                }
            }
            if self.mailbox.is_closing() {
                break None;
            }
        };
        self.mailbox.set_status(Status::Closed { error });
        drop(last_word);
    }

    /// One network connection from the name of the host to its end.
    fn connection(&mut self) -> Stop {
        let deadline = Instant::now() + self.plan.options.answer_timeout;
        let wire = self.addresses(deadline).and_then(|addresses| self.dial(&addresses, deadline));
        match wire.and_then(|wire| self.serve(wire, deadline)) {
            Ok(never) => match never {},
            Err(stop) => stop,
        }
    }

    /// Looks the host up, in a thread of its own: the resolver blocks, for longer than a caller who
    /// closes the connection should wait.
    fn addresses(&mut self, deadline: Instant) -> std::result::Result<Vec<SocketAddr>, Stop> {
        let (host, port) = (self.plan.broker.host.clone(), self.plan.broker.port);
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let (sender, found) = mpsc::channel();
        let mailbox = Arc::clone(&self.mailbox);
        let name = host.clone();
        let resolver = move || {
            let addresses = (name.as_str(), port).to_socket_addrs().map(Iterator::collect);
            // Nobody listens any more where the lookup took too long.
            let _ = sender.send(addresses);
            mailbox.wake();
        };
        let thread = thread::Builder::new().name("mote-mqtt-lookup".to_owned());
        thread.spawn(resolver).map_err(|cause| Error::Thread { cause: cause.to_string() })?;
        loop {
            match found.try_recv() {
                Ok(Ok(addresses)) => {
                    let addresses: Vec<SocketAddr> = addresses;
                    if addresses.is_empty() {
                        let cause = "it has no address".to_owned();
                        return Err(Error::UnknownHost { host, cause }.into());
                    }
                    return Ok(addresses);
                }
                Ok(Err(cause)) => {
                    return Err(Error::UnknownHost { host, cause: cause.to_string() }.into());
                }
                Err(_) => self.turn_or_time_out(deadline, "be found by its name")?,
            }
        }
    }

    /// Connects to the first address that lets us, giving each an equal share of the time left.
    fn dial(
        &mut self,
        addresses: &[SocketAddr],
        deadline: Instant,
    ) -> std::result::Result<Wire, Stop> {
        let mut last = None;
        for (i, &address) in addresses.iter().enumerate() {
            let left = deadline.saturating_duration_since(Instant::now());
            let others = u32::try_from(addresses.len() - i).unwrap_or(u32::MAX);
            match self.dial_one(address, Instant::now() + left / others) {
                Ok(wire) => return Ok(wire),
                Err(Stop::Asked) => return Err(Stop::Asked),
                Err(Stop::Failed(error)) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| self.unreachable(&"it has no address")).into())
    }

    fn dial_one(
        &mut self,
        address: SocketAddr,
        deadline: Instant,
    ) -> std::result::Result<Wire, Stop> {
        let wire = Wire::dial(address, self.tls.as_ref(), self.poll.registry(), SOCKET)
            .map_err(|cause| self.unreachable(&cause))?;
        while !wire.is_open().map_err(|cause| self.unreachable(&cause))? {
            self.turn_or_time_out(deadline, "accept a TCP connection")?;
        }
        Ok(wire)
    }

    fn turn_or_time_out(
        &mut self,
        deadline: Instant,
        wanted: &'static str,
    ) -> std::result::Result<(), Stop> {
        self.turn(deadline)?;
        if self.mailbox.is_closing() {
            return Err(Stop::Asked);
        }
        match Instant::now() < deadline {
            true => Ok(()),
            false => Err(self.timed_out(wanted).into()),
        }
    }

    /// Waits for the network, the caller or the time, whichever is first, and says whether the
    /// socket may be readable.
    pub(super) fn turn(&mut self, until: Instant) -> std::result::Result<bool, Stop> {
        let wait = until.saturating_duration_since(Instant::now());
        match self.poll.poll(&mut self.events, Some(wait)) {
            Ok(()) => Ok(self.events.iter().any(|event| {
                event.token() == SOCKET && (event.is_readable() || event.is_read_closed())
            })),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
            Err(cause) => Err(Error::Thread { cause: cause.to_string() }.into()),
        }
    }

    fn unreachable(&self, cause: &dyn std::fmt::Display) -> Error {
        let (host, port) = (self.plan.broker.host.clone(), self.plan.broker.port);
        Error::Unreachable { host, port, cause: cause.to_string() }
    }

    pub(super) fn timed_out(&self, wanted: &'static str) -> Error {
        let (host, port) = (self.plan.broker.host.clone(), self.plan.broker.port);
        Error::TimedOut { host, port, wanted, waited: self.plan.options.answer_timeout }
    }
}
