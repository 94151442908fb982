//! One network connection at work: login, subscription, messages both ways, goodbye.

use std::convert::Infallible;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::engine::{Engine, Stop};
use super::error::Error;
use super::frame::Framer;
use super::protocol::{Protocol, Unsendable};
use super::wire::{Got, Wire};

/// Bytes that are read at once.
const CHUNK_BYTES: usize = 16 << 10;
/// Bytes that may wait for the network before no more messages are taken from the queue.
const UNSENT_BYTES: usize = 64 << 10;
/// Packets that are read before acknowledgements and messages get their turn to be sent.
const PACKETS_A_TURN: usize = 64;
/// The longest time that an orderly goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);

/// Numbers the connections of this process, so that no receipt is taken for another's.
static CONNECTIONS: AtomicU64 = AtomicU64::new(0);

pub(super) type Step<T> = std::result::Result<T, Stop>;

/// The state of one network connection.
pub(super) struct Live {
    pub(super) number: u64,
    pub(super) wire: Wire,
    pub(super) protocol: Protocol,
    pub(super) framer: Framer,
    /// Bytes that were read; those in `unread` have not been taken as packets.
    pub(super) chunk: Vec<u8>,
    pub(super) unread: std::ops::Range<usize>,
    /// Whether the broker let us in, and whether its messages flow.
    pub(super) accepted: bool,
    pub(super) flowing: bool,
    /// Whether reading stopped because the caller's queue is full.
    pub(super) paused: bool,
    /// Why nothing can be written any more; what has arrived is still read.
    pub(super) broken: Option<io::Error>,
    pub(super) probe_at: Option<Instant>,
    pub(super) answer_by: Option<Instant>,
}

impl Engine {
    /// Works on a connection until it ends, and says why it did.
    pub(super) fn serve(&mut self, wire: Wire, deadline: Instant) -> Step<Infallible> {
        let plan = &self.plan;
        let client_id = plan.broker.client_id.as_deref().unwrap_or("");
        let protocol = Protocol::new(&plan.broker, &plan.options, client_id, plan.session);
        let mut live = Live {
            number: CONNECTIONS.fetch_add(1, Ordering::Relaxed),
            wire,
            protocol: protocol.map_err(|error| self.broke_protocol(&error))?,
            framer: Framer::new(plan.options.message_bytes_max),
            chunk: vec![0; CHUNK_BYTES],
            unread: 0..0,
            accepted: false,
            flowing: false,
            paused: false,
            broken: None,
            probe_at: None,
            answer_by: None,
        };
        loop {
            if self.mailbox.is_closing() {
                self.say_goodbye(live);
                return Err(Stop::Asked);
            }
            let more = self.exchange(&mut live).inspect_err(|_| live.flush())?;
            let until = self.watch(&mut live, deadline)?;
            live.flush();
            self.mailbox.set_unsent(live.wire.unsent() > 0);
            // A broken connection is read to its end, as soon as there is room for what it holds.
            let at_once = more || (live.broken.is_some() && !live.paused);
            let until = if at_once { Instant::now() } else { until };
            if self.turn(until)? {
                live.wire.mark_readable();
            }
        }
    }

    /// Reads what has arrived and sends what waits; says whether there may be more to read.
    ///
    /// In this order, because what is read, a welcome or a confirmation, lets more be sent.
    fn exchange(&mut self, live: &mut Live) -> Step<bool> {
        let mut more = true;
        for _ in 0..PACKETS_A_TURN {
            // No message comes before we are let in, and nobody else would read the answer.
            live.paused = live.accepted && !self.mailbox.has_room();
            let frame = if live.paused { None } else { self.next_frame(live)? };
            let Some(frame) = frame else {
                more = false;
                break;
            };
            self.take_in(live, frame)?;
        }
        if live.accepted {
            self.send_receipts(live)?;
            self.send_messages(live);
        }
        Ok(more)
    }

    /// Keeps the connection alive, notices where it is not, and says when to look again.
    fn watch(&mut self, live: &mut Live, deadline: Instant) -> Step<Instant> {
        let now = Instant::now();
        let timeout = self.plan.options.answer_timeout;
        if let Some(silence) = live.protocol.take_probe_after() {
            live.probe_at = Some(now + silence);
        }
        if live.probe_at.is_some_and(|at| at <= now) {
            live.probe_at = None;
            live.protocol.probe().map_err(|error| self.broke_protocol(&error))?;
            live.probe_at = live.protocol.take_probe_after().map(|silence| now + silence);
            live.answer_by = live.answer_by.or(Some(now + timeout));
        }
        if live.paused {
            // The answer may lie among the messages that we do not read.
            live.answer_by = None;
        }
        if live.answer_by.is_some_and(|by| by <= now) {
            return Err(self.timed_out("answer a probe").into());
        }
        if !live.flowing && !live.paused && deadline <= now {
            let wanted = if live.accepted { "answer the subscription" } else { "answer the login" };
            return Err(self.timed_out(wanted).into());
        }
        let deadline = (!live.flowing && !live.paused).then_some(deadline);
        let times = [deadline, live.answer_by, live.probe_at];
        // The waker ends this wait when there is something to do, however long it is.
        let idle = now + Duration::from_secs(3600);
        Ok(times.into_iter().flatten().fold(idle, Instant::min))
    }

    fn send_receipts(&mut self, live: &mut Live) -> Step<()> {
        for receipt in self.mailbox.take_receipts() {
            // A receipt of an earlier connection means nothing to the broker any more.
            if let (true, Some(ticket)) = (receipt.connection == live.number, receipt.ticket) {
                let sent = live.protocol.acknowledge(ticket);
                sent.map_err(|error| self.broke_protocol(&error))?;
            }
        }
        Ok(())
    }

    fn send_messages(&mut self, live: &mut Live) {
        let qos = self.plan.broker.qos;
        while self.in_flight.len() < live.protocol.in_flight_max()
            && live.wire.unsent() < UNSENT_BYTES
        {
            let Some(message) = self.mailbox.next_outgoing() else { return };
            let sent = live.protocol.publish(&message.topic, &message.payload, message.retain, qos);
            match sent {
                Ok(Some(packet_id)) => self.in_flight.push_back((packet_id, message)),
                Ok(None) => {
                    self.mailbox.set_unsent(true);
                    self.mailbox.settle(&message, None);
                }
                Err(Unsendable::Later) => {
                    return self.mailbox.put_back(std::iter::once(message));
                }
                Err(Unsendable::TooLarge { bytes, limit }) => {
                    let topic = message.topic.clone();
                    let refusal = Error::MessageTooLarge { topic, bytes, limit };
                    self.mailbox.settle(&message, Some(refusal));
                }
                Err(Unsendable::Invalid(error)) => {
                    let (topic, reason) = (message.topic.clone(), error.to_string());
                    let refusal = Error::PublicationRefused { topic, reason };
                    self.mailbox.settle(&message, Some(refusal));
                }
            }
            live.queue_out();
        }
    }

    /// Ends the connection in order, as far as that is possible in a short time.
    fn say_goodbye(&mut self, mut live: Live) {
        if !live.accepted || live.broken.is_some() {
            return;
        }
        let deadline = Instant::now() + GOODBYE.min(self.plan.options.answer_timeout);
        if self.send_receipts(&mut live).is_err() {
            return;
        }
        if let Some(availability) = &self.plan.options.availability {
            let (topic, payload) = (&availability.topic, &availability.offline);
            let _ = live.protocol.publish(topic, payload, true, self.plan.broker.qos);
        }
        if live.protocol.disconnect().is_err() {
            return;
        }
        live.flush();
        while live.wire.unsent() > 0 && live.broken.is_none() && Instant::now() < deadline {
            if self.turn(deadline).is_err() {
                return;
            }
            live.flush();
        }
        // To close a socket with unread bytes is to reset the connection, and a reset may overtake
        // what was just written: so read to the broker's end of it.
        let mut open = live.wire.finish().is_ok();
        while open && Instant::now() < deadline {
            open = match live.wire.read(&mut live.chunk) {
                Ok(Got::Bytes(_)) => true,
                Ok(Got::Nothing) => self.turn(deadline).is_ok(),
                Ok(Got::End) | Err(_) => false,
            };
        }
    }
}

impl Live {
    /// Moves the packets to send to the wire.
    fn queue_out(&mut self) {
        self.wire.queue(&self.protocol.take_out());
    }

    /// Writes as much as possible. A failure is only noted: what the broker sent before it must
    /// still be read.
    fn flush(&mut self) {
        self.queue_out();
        if self.broken.is_none()
            && let Err(error) = self.wire.flush()
        {
            self.broken = Some(error);
        }
    }
}
