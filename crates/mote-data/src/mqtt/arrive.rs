//! What a connection does with that which arrives, and how it puts an end into words.

use std::io;
use std::time::Instant;

use super::engine::Engine;
use super::error::Error;
use super::frame::Frame;
use super::message::{Message, Receipt};
use super::options::Status;
use super::protocol::{Delivery, Incoming, Ticket};
use super::reason::Refusal;
use super::serve::{Live, Step};
use super::wire::Got;

impl Engine {
    /// The next packet that has arrived.
    pub(super) fn next_frame(&mut self, live: &mut Live) -> Step<Option<Frame>> {
        loop {
            let mut bytes = &live.chunk[live.unread.clone()];
            let frame = live.framer.next(&mut bytes);
            live.unread.start = live.unread.end - bytes.len();
            match frame {
                Ok(Some(frame)) => return Ok(Some(frame)),
                Ok(None) => {}
                Err(cause) => return Err(self.broke_protocol(&cause).into()),
            }
            if !live.wire.is_readable() && live.broken.is_none() {
                return Ok(None);
            }
            match (live.wire.read(&mut live.chunk), &live.broken) {
                (Ok(Got::Bytes(bytes)), _) => {
                    live.unread = 0..bytes;
                    live.answer_by = None;
                }
                (Ok(Got::Nothing), None) => return Ok(None),
                (Ok(Got::Nothing), Some(cause)) => return Err(self.ended(live, cause).into()),
                (Ok(Got::End), _) => {
                    return Err(self.ended(live, &"the broker ended it").into());
                }
                (Err(cause), _) if cause.kind() == io::ErrorKind::InvalidData && !live.accepted => {
                    let (host, port) = (self.plan.broker.host.clone(), self.plan.broker.port);
                    return Err(Error::Untrusted { host, port, cause: cause.to_string() }.into());
                }
                (Err(cause), _) => return Err(self.ended(live, &cause).into()),
            }
        }
    }

    pub(super) fn take_in(&mut self, live: &mut Live, frame: Frame) -> Step<()> {
        let incoming = live.protocol.receive(frame);
        match incoming.map_err(|error| self.broke_protocol(&error))? {
            Incoming::Accepted { resumed } => self.begin(live, resumed)?,
            Incoming::Refused(refusal) => return Err(self.refused(refusal).into()),
            Incoming::Subscribed(answers) => {
                for (filter, answer) in self.plan.filters.iter().zip(answers) {
                    if let Err(reason) = answer {
                        let filter = filter.clone();
                        return Err(Error::SubscriptionRefused { filter, reason }.into());
                    }
                }
                self.subscribed = true;
                self.flow(live, false);
            }
            Incoming::Message(delivery) => self.deliver(live, delivery)?,
            Incoming::Oversized { topic, bytes, ticket } => {
                self.flow(live, false);
                self.refuse(live, topic, bytes, ticket)?;
            }
            Incoming::Confirmed { packet_id, refused } => {
                // Not found: the confirmation of our availability, which nobody waits for.
                let sent = self.in_flight.iter().position(|(id, _)| *id == packet_id);
                if let Some((_, message)) = sent.and_then(|i| self.in_flight.remove(i)) {
                    let topic = message.topic.clone();
                    let refusal = refused.map(|reason| Error::PublicationRefused { topic, reason });
                    self.mailbox.settle(&message, refusal);
                }
            }
            Incoming::Ended { taken_over: true, .. } => {
                let client_id = self.plan.broker.client_id.clone().unwrap_or_default();
                return Err(Error::SessionTaken { client_id }.into());
            }
            Incoming::Ended { reason, .. } => return Err(self.lost(&reason).into()),
            Incoming::Other => {}
        }
        Ok(())
    }

    /// Does what follows a login.
    fn begin(&mut self, live: &mut Live, resumed: bool) -> Step<()> {
        live.accepted = true;
        let failed = |error| self.broke_protocol(&error);
        if let Some(availability) = &self.plan.options.availability {
            let (topic, payload) = (&availability.topic, &availability.online);
            // A broker that refuses this one still serves the rest.
            let _ = live.protocol.publish(topic, payload, true, self.plan.broker.qos);
        }
        let has_filters = !self.plan.filters.is_empty();
        if has_filters && !(resumed && self.subscribed) {
            let (filters, qos) = (&self.plan.filters, self.plan.broker.qos);
            live.protocol.subscribe(filters, qos).map_err(failed)?;
        }
        // With an old session, messages may fill the queue before the subscription is answered:
        // nobody would empty it while the caller still waited.
        if resumed || !has_filters {
            self.flow(live, resumed);
        }
        Ok(())
    }

    /// Tells the caller that the connection works.
    fn flow(&mut self, live: &mut Live, resumed: bool) {
        if !std::mem::replace(&mut live.flowing, true) {
            self.ready = true;
            self.flowing_since = Some(Instant::now());
            self.mailbox.set_status(Status::Connected { resumed });
        }
    }

    fn deliver(&mut self, live: &mut Live, delivery: Delivery) -> Step<()> {
        // A broker may send what a subscription brings before it answers it.
        self.flow(live, false);
        let Delivery { topic, payload, retained, redelivered, ticket } = delivery;
        let bytes = topic.len() + payload.len();
        if bytes > self.plan.options.message_bytes_max {
            return self.refuse(live, topic, bytes, ticket);
        }
        let receipt = Receipt { connection: live.number, ticket };
        let message = Message { topic, payload, retained, redelivered, receipt };
        self.mailbox.deliver(Ok(message));
        Ok(())
    }

    /// Reports a message that is too large, and acknowledges it lest it come again for ever.
    fn refuse(
        &mut self,
        live: &mut Live,
        topic: String,
        bytes: usize,
        ticket: Option<Ticket>,
    ) -> Step<()> {
        let limit = self.plan.options.message_bytes_max;
        self.mailbox.deliver(Err(Error::MessageTooLarge { topic, bytes, limit }));
        match ticket.map(|ticket| live.protocol.acknowledge(ticket)) {
            Some(Err(error)) => Err(self.broke_protocol(&error).into()),
            Some(Ok(())) | None => Ok(()),
        }
    }

    fn refused(&self, refusal: Refusal) -> Error {
        let (host, port) = (self.plan.broker.host.clone(), self.plan.broker.port);
        match refusal {
            Refusal::Login(reason) => {
                Error::LoginRefused { host, port, login: self.plan.broker.login(), reason }
            }
            Refusal::Lasting(reason) => {
                Error::ConnectionRefused { host, port, reason, may_pass: false }
            }
            Refusal::Passing(reason) => {
                Error::ConnectionRefused { host, port, reason, may_pass: true }
            }
        }
    }

    /// How a connection ended, and at which stage: before the login, TLS on one side only is a
    /// likely reason.
    fn ended(&self, live: &Live, cause: &dyn std::fmt::Display) -> Error {
        match (live.accepted, self.plan.broker.tls) {
            (true, _) => self.lost(cause),
            (false, true) => self.lost(&format!("{cause}, before it let us in; does it use TLS?")),
            (false, false) => {
                self.lost(&format!("{cause}, before it let us in; does it want `mqtts://`?"))
            }
        }
    }

    fn lost(&self, cause: &dyn std::fmt::Display) -> Error {
        let (host, port) = (self.plan.broker.host.clone(), self.plan.broker.port);
        Error::Lost { host, port, cause: cause.to_string() }
    }

    pub(super) fn broke_protocol(&self, cause: &dyn std::fmt::Display) -> Error {
        let (host, port) = (self.plan.broker.host.clone(), self.plan.broker.port);
        Error::Protocol { host, port, cause: cause.to_string() }
    }
}
