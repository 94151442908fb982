//! One MQTT connection as values: packets in, packets out, no socket and no clock.
//!
//! The states and bytes of both versions are the business of `mqtt-protocol-core`; this file makes
//! one vocabulary of them. A fresh value serves each network connection, because what outlives one,
//! the messages to repeat and to acknowledge, is kept by the owner.

use std::time::Duration;

use mqtt_protocol_core::mqtt::common::Cursor;
use mqtt_protocol_core::mqtt::connection::prelude::{Event, TimerKind};
use mqtt_protocol_core::mqtt::packet::prelude::*;
use mqtt_protocol_core::mqtt::packet::{
    self, GenericPacket, Property, ReceiveMaximum, SessionExpiryInterval, SubEntry, SubOpts,
    v3_1_1, v5_0,
};
use mqtt_protocol_core::mqtt::result_code::MqttError;
use mqtt_protocol_core::mqtt::{Connection, role};

use super::broker::{Broker, Qos, Version};
use super::frame::Frame;
use super::options::{Options, Session};
use super::reason::{self, Refusal};

type Packet = GenericPacket<u16>;

/// A message as it came.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) topic: String,
    pub(super) payload: Vec<u8>,
    pub(super) retained: bool,
    pub(super) redelivered: bool,
    pub(super) ticket: Option<Ticket>,
}

/// What the acknowledgement of a message needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    packet_id: u16,
    /// With QoS 2, which another client may have asked for in the name of this session.
    exactly_once: bool,
}

/// What a packet means to the owner.
#[derive(Debug)]
pub(super) enum Incoming {
    /// The broker let us in.
    Accepted { resumed: bool },
    /// The broker did not let us in.
    Refused(Refusal),
    /// The answers to a subscription, one for each filter.
    Subscribed(Vec<Result<(), String>>),
    /// A message.
    Message(Delivery),
    /// A message that was too large, and its acknowledgement.
    Oversized { topic: String, bytes: usize, ticket: Option<Ticket> },
    /// The broker has a message of ours, or refused it for good.
    Confirmed { packet_id: u16, refused: Option<String> },
    /// The broker ends the connection.
    Ended { reason: String, taken_over: bool },
    /// Something that needs nothing.
    Other,
}

/// Why a message cannot be sent.
#[derive(Debug)]
pub(super) enum Unsendable {
    /// The broker accepts no packet of this size.
    TooLarge { bytes: usize, limit: usize },
    /// The broker lets us send no more before it has answered.
    Later,
    /// MQTT forbids it.
    Invalid(MqttError),
}

/// One MQTT connection.
pub(super) struct Protocol {
    core: Connection<role::Client>,
    version: Version,
    out: Vec<u8>,
    probe_after: Option<Duration>,
    packet_bytes_max: usize,
    in_flight_max: u16,
}

impl Protocol {
    /// Begins a connection: `CONNECT` is the first packet to go out.
    ///
    /// # Errors
    ///
    /// Where a name or password is longer than MQTT can say.
    pub(super) fn new(
        broker: &Broker,
        options: &Options,
        client_id: &str,
        session: Session,
    ) -> Result<Self, MqttError> {
        let version = match broker.version {
            Version::V3_1_1 => mqtt_protocol_core::mqtt::Version::V3_1_1,
            Version::V5 => mqtt_protocol_core::mqtt::Version::V5_0,
        };
        let mut protocol = Self {
            core: Connection::new(version),
            version: broker.version,
            out: Vec::new(),
            probe_after: None,
            packet_bytes_max: usize::MAX,
            in_flight_max: options.in_flight,
        };
        // Both versions build the same packet with types that have nothing in common.
        macro_rules! connect {
            ($builder:expr) => {{
                let mut connect = $builder
                    .client_id(client_id)?
                    .clean_start(session == Session::Clean)
                    .keep_alive(u16::try_from(options.keep_alive.as_secs()).unwrap_or(u16::MAX));
                if let Some(user) = &broker.user {
                    connect = connect.user_name(user.as_str())?;
                }
                if let Some(password) = &broker.password {
                    connect = connect.password(password.0.as_str())?;
                }
                if let Some(will) = &options.availability {
                    let qos = packet_qos(broker.qos);
                    let payload = will.offline.clone();
                    connect = connect.will_message(will.topic.as_str(), payload, qos, true)?;
                }
                connect
            }};
        }
        let connect: Packet = match broker.version {
            Version::V3_1_1 => connect!(v3_1_1::Connect::builder()).build()?.into(),
            Version::V5 => {
                let mut properties = vec![ReceiveMaximum::new(options.in_flight)?.into()];
                if let Session::Persistent { expiry } = session {
                    let expiry = u32::try_from(expiry.as_secs()).unwrap_or(u32::MAX);
                    properties.push(SessionExpiryInterval::new(expiry)?.into());
                }
                connect!(v5_0::Connect::builder()).props(properties).build()?.into()
            }
        };
        protocol.send(connect)?;
        Ok(protocol)
    }

    /// The bytes to send since the last call.
    pub(super) fn take_out(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// Where something was sent since the last call: the silence after which to call
    /// [`Protocol::probe`].
    pub(super) fn take_probe_after(&mut self) -> Option<Duration> {
        self.probe_after.take()
    }

    /// Messages that may be in flight.
    pub(super) fn in_flight_max(&self) -> usize {
        usize::from(self.in_flight_max)
    }

    /// Asks for messages.
    pub(super) fn subscribe(&mut self, filters: &[String], qos: Qos) -> Result<(), MqttError> {
        let options = SubOpts::new().set_qos(packet_qos(qos));
        let entries = filters.iter().map(|filter| SubEntry::new(filter.as_str(), options));
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        let id = self.core.acquire_packet_id()?;
        let subscribe: Packet = match self.version {
            Version::V3_1_1 => {
                v3_1_1::Subscribe::builder().packet_id(id).entries(entries).build()?.into()
            }
            Version::V5 => {
                v5_0::Subscribe::builder().packet_id(id).entries(entries).build()?.into()
            }
        };
        self.send(subscribe)
    }

    /// Sends a message; the packet id with which it will be confirmed, `None` if it will not be.
    pub(super) fn publish(
        &mut self,
        topic: &str,
        payload: &[u8],
        retain: bool,
        qos: Qos,
    ) -> Result<Option<u16>, Unsendable> {
        if self.core.get_receive_maximum_vacancy_for_send() == Some(0) {
            return Err(Unsendable::Later);
        }
        // One byte of type, four of length, two and two before and behind the topic, one of no
        // properties: what the packet has at most beside topic and payload.
        let bytes = topic.len() + payload.len() + 10;
        if bytes > self.packet_bytes_max {
            return Err(Unsendable::TooLarge { bytes, limit: self.packet_bytes_max });
        }
        let id = match qos {
            Qos::AtMostOnce => None,
            Qos::AtLeastOnce => Some(self.core.acquire_packet_id().map_err(Unsendable::Invalid)?),
        };
        macro_rules! publish {
            ($builder:expr) => {
                $builder
                    .topic_name(topic)
                    .map_err(Unsendable::Invalid)?
                    .qos(packet_qos(qos))
                    .retain(retain)
                    .packet_id(id)
                    .payload(payload)
                    .build()
                    .map_err(Unsendable::Invalid)?
                    .into()
            };
        }
        let publish: Packet = match self.version {
            Version::V3_1_1 => publish!(v3_1_1::Publish::builder()),
            Version::V5 => publish!(v5_0::Publish::builder()),
        };
        self.send(publish).map_err(Unsendable::Invalid)?;
        Ok(id)
    }

    /// Tells the broker that a message need not come again.
    pub(super) fn acknowledge(&mut self, ticket: Ticket) -> Result<(), MqttError> {
        let id = ticket.packet_id;
        let packet: Packet = match (self.version, ticket.exactly_once) {
            (Version::V3_1_1, false) => v3_1_1::Puback::builder().packet_id(id).build()?.into(),
            (Version::V3_1_1, true) => v3_1_1::Pubrec::builder().packet_id(id).build()?.into(),
            (Version::V5, false) => v5_0::Puback::builder().packet_id(id).build()?.into(),
            (Version::V5, true) => v5_0::Pubrec::builder().packet_id(id).build()?.into(),
        };
        self.send(packet)
    }

    /// Asks the broker whether it is still there.
    pub(super) fn probe(&mut self) -> Result<(), MqttError> {
        let events = self.core.notify_timer_fired(TimerKind::PingreqSend);
        self.follow(events).map(drop)
    }

    /// Says goodbye, so that the broker does not publish the last will.
    pub(super) fn disconnect(&mut self) -> Result<(), MqttError> {
        let packet: Packet = match self.version {
            Version::V3_1_1 => v3_1_1::Disconnect::builder().build()?.into(),
            Version::V5 => v5_0::Disconnect::builder().build()?.into(),
        };
        self.send(packet)
    }

    /// Takes in what the broker sent.
    ///
    /// # Errors
    ///
    /// Where it breaks the protocol: the connection is of no use then.
    pub(super) fn receive(&mut self, frame: Frame) -> Result<Incoming, MqttError> {
        let bytes = match frame {
            Frame::Packet(bytes) => bytes,
            Frame::Oversized { topic, packet_id, bytes } => {
                let ticket =
                    packet_id.map(|(packet_id, exactly_once)| Ticket { packet_id, exactly_once });
                return Ok(Incoming::Oversized { topic, bytes, ticket });
            }
        };
        let events = self.core.recv(&mut Cursor::new(&bytes[..]));
        match self.follow(events)? {
            Some(packet) => self.understand(packet),
            None => Ok(Incoming::Other),
        }
    }

    fn send(&mut self, packet: Packet) -> Result<(), MqttError> {
        let events = self.core.send(packet);
        self.follow(events).map(drop)
    }

    /// Does what the core asks for, and returns the packet that it received.
    fn follow(&mut self, events: Vec<Event>) -> Result<Option<Packet>, MqttError> {
        let (mut received, mut failed) = (None, None);
        for event in events {
            match event {
                Event::RequestSendPacket { packet, .. } => {
                    self.out.extend(packet.to_continuous_buffer());
                }
                Event::NotifyPacketReceived(packet) => received = Some(packet),
                Event::RequestTimerReset { kind: TimerKind::PingreqSend, duration_ms } => {
                    self.probe_after = Some(Duration::from_millis(duration_ms));
                }
                Event::NotifyError(error) => failed = Some(error),
                _ => {}
            }
        }
        failed.map_or(Ok(received), Err)
    }

    fn understand(&mut self, packet: Packet) -> Result<Incoming, MqttError> {
        macro_rules! message {
            ($publish:expr) => {{
                let publish = $publish;
                let exactly_once = publish.qos() == packet::Qos::ExactlyOnce;
                Incoming::Message(Delivery {
                    topic: publish.topic_name().to_owned(),
                    payload: publish.payload().as_slice().to_vec(),
                    retained: publish.retain(),
                    redelivered: publish.dup(),
                    ticket: publish.packet_id().map(|packet_id| Ticket { packet_id, exactly_once }),
                })
            }};
        }
        Ok(match packet {
            Packet::V3_1_1Connack(connack) => match reason::of_return_code(connack.return_code()) {
                None => Incoming::Accepted { resumed: connack.session_present() },
                Some(refusal) => Incoming::Refused(refusal),
            },
            Packet::V5_0Connack(connack) => {
                let reason = reason::with_text(connack.reason_code() as u8, connack.props());
                match reason::of_connect_code(connack.reason_code() as u8, reason) {
                    None => {
                        self.obey_limits(connack.props());
                        Incoming::Accepted { resumed: connack.session_present() }
                    }
                    Some(refusal) => Incoming::Refused(refusal),
                }
            }
            Packet::V3_1_1Suback(suback) => {
                let codes = suback.return_codes().into_iter();
                Incoming::Subscribed(codes.map(|code| answer(code as u8, &[])).collect())
            }
            Packet::V5_0Suback(suback) => {
                let codes = suback.reason_codes().into_iter();
                Incoming::Subscribed(codes.map(|code| answer(code as u8, suback.props())).collect())
            }
            Packet::V3_1_1Publish(publish) => message!(publish),
            Packet::V5_0Publish(publish) => message!(publish),
            Packet::V3_1_1Puback(puback) => {
                Incoming::Confirmed { packet_id: puback.packet_id(), refused: None }
            }
            Packet::V5_0Puback(puback) => {
                let code = puback.reason_code().map_or(0, |code| code as u8);
                let properties = puback.props().as_deref().unwrap_or_default();
                let refused = answer(code, properties).err();
                Incoming::Confirmed { packet_id: puback.packet_id(), refused }
            }
            Packet::V3_1_1Pubrel(pubrel) => {
                let id = pubrel.packet_id();
                self.send(v3_1_1::Pubcomp::builder().packet_id(id).build()?.into())?;
                Incoming::Other
            }
            Packet::V5_0Pubrel(pubrel) => {
                let id = pubrel.packet_id();
                self.send(v5_0::Pubcomp::builder().packet_id(id).build()?.into())?;
                Incoming::Other
            }
            Packet::V5_0Disconnect(disconnect) => {
                let code = disconnect.reason_code().map_or(0, |code| code as u8);
                let properties = disconnect.props().as_deref().unwrap_or_default();
                Incoming::Ended {
                    reason: reason::with_text(code, properties),
                    taken_over: code == reason::SESSION_TAKEN_OVER,
                }
            }
            _ => Incoming::Other,
        })
    }

    fn obey_limits(&mut self, properties: &[Property]) {
        for property in properties {
            match property {
                Property::MaximumPacketSize(limit) => {
                    self.packet_bytes_max = usize::try_from(limit.val()).unwrap_or(usize::MAX);
                }
                Property::ReceiveMaximum(limit) => {
                    self.in_flight_max = self.in_flight_max.min(limit.val());
                }
                _ => {}
            }
        }
    }
}

/// Codes under 0x80 are good news.
fn answer(code: u8, properties: &[Property]) -> Result<(), String> {
    match code {
        0..0x80 => Ok(()),
        code => Err(reason::with_text(code, properties)),
    }
}

fn packet_qos(qos: Qos) -> packet::Qos {
    match qos {
        Qos::AtMostOnce => packet::Qos::AtMostOnce,
        Qos::AtLeastOnce => packet::Qos::AtLeastOnce,
    }
}
