//! Cuts the bytes from a broker into packets, and skips those that are too large to hold.
//!
//! A too large message is not buffered, and yet told apart: its topic and packet id are kept, so that
//! it can be reported, and acknowledged lest it come again after every reconnect.

/// The packet type of a message, in the upper half of a packet's first byte.
const PUBLISH: u8 = 3;
/// Room for MQTT 5 properties beside topic and payload.
const PROPERTIES_BYTES_MAX: usize = 4096;
/// The largest packet that is no message, such as the answer to many subscriptions.
const CONTROL_BYTES_MAX: usize = 64 << 10;
/// The longest start of a message: length of the topic, topic, packet id.
const START_BYTES_MAX: usize = 2 + super::topic::BYTES_MAX + 2;

/// What the bytes hold next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// A whole packet.
    Packet(Vec<u8>),
    /// A message that was skipped.
    Oversized {
        /// Its topic.
        topic: String,
        /// Its packet id, and whether it was sent with QoS 2; `None` with QoS 0.
        packet_id: Option<(u16, bool)>,
        /// Bytes of topic, properties and payload.
        bytes: usize,
    },
}

/// The unfinished packet between two reads.
#[derive(Debug)]
pub(super) struct Framer {
    message_bytes_max: usize,
    /// The first bytes of the packet: all of it, or the start of one that is skipped.
    kept: Vec<u8>,
    /// Bytes of the fixed header, once it is whole.
    header: Option<usize>,
    /// Bytes behind the header that are still to be kept, and then to be skipped.
    keep: usize,
    skip: usize,
    /// Length of the body, where it is too large to hold.
    oversized: Option<usize>,
}

impl Framer {
    pub(super) fn new(message_bytes_max: usize) -> Self {
        Self {
            message_bytes_max,
            kept: Vec::new(),
            header: None,
            keep: 0,
            skip: 0,
            oversized: None,
        }
    }

    /// Takes bytes from the front of `input` up to the end of a packet, or all of them: `None`.
    ///
    /// # Errors
    ///
    /// A sentence on what is no MQTT. The framer is of no use then.
    pub(super) fn next(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, String> {
        while self.header.is_none() {
            let Some((&byte, rest)) = input.split_first() else { return Ok(None) };
            *input = rest;
            self.kept.push(byte);
            if self.kept.len() > 1 && byte & 0x80 == 0 {
                self.begin_body()?;
            } else if self.kept.len() == 5 {
                return Err("a packet length of more than four bytes".to_owned());
            }
        }
        let (kept, rest) = input.split_at(self.keep.min(input.len()));
        self.kept.extend_from_slice(kept);
        self.keep -= kept.len();
        let skipped = self.skip.min(rest.len());
        self.skip -= skipped;
        *input = &rest[skipped..];
        if self.keep + self.skip > 0 {
            return Ok(None);
        }
        self.finish().map(Some)
    }

    /// Decides, with the length known, how much of the packet is kept.
    fn begin_body(&mut self) -> Result<(), String> {
        let length = self.kept[1..].iter().rev();
        let body = length.fold(0, |sum, byte| sum << 7 | usize::from(byte & 0x7f));
        let is_message = self.kept[0] >> 4 == PUBLISH;
        let limit = match is_message {
            true => self.message_bytes_max + 4 + PROPERTIES_BYTES_MAX,
            false => CONTROL_BYTES_MAX,
        };
        self.keep = match body <= limit {
            true => body,
            false if is_message => body.min(START_BYTES_MAX),
            false => return Err(format!("a packet of {body} bytes that is no message")),
        };
        self.skip = body - self.keep;
        self.header = Some(self.kept.len());
        self.kept.reserve_exact(self.keep);
        self.oversized = (body > limit).then_some(body);
        Ok(())
    }

    /// Hands the packet out and makes ready for the next.
    fn finish(&mut self) -> Result<Frame, String> {
        let kept = std::mem::take(&mut self.kept);
        let header = self.header.take().unwrap_or(0);
        match self.oversized.take() {
            None => Ok(Frame::Packet(kept)),
            Some(body) => oversized(kept[0], &kept[header..], body)
                .ok_or_else(|| "a message with a topic that is cut or no UTF-8".to_owned()),
        }
    }
}

/// Reads topic and packet id from the start of a message's body.
fn oversized(first: u8, start: &[u8], body: usize) -> Option<Frame> {
    let (length, rest) = start.split_first_chunk()?;
    let (topic, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    let topic = std::str::from_utf8(topic).ok()?.to_owned();
    let qos = first >> 1 & 3;
    let packet_id = match qos {
        0 => None,
        qos => Some((u16::from_be_bytes(*rest.first_chunk()?), qos == 2)),
    };
    let bytes = body - 2 - if packet_id.is_some() { 2 } else { 0 };
    Some(Frame::Oversized { topic, packet_id, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message with QoS 1 as MQTT 3.1.1 writes it.
    fn message(topic: &str, payload: usize) -> Vec<u8> {
        let mut length = 4 + topic.len() + payload;
        let mut bytes = vec![0x32];
        while length >= 128 {
            bytes.push(length as u8 & 0x7f | 0x80);
            length >>= 7;
        }
        bytes.push(length as u8);
        bytes.extend((topic.len() as u16).to_be_bytes());
        bytes.extend(topic.as_bytes());
        bytes.extend([0x12, 0x34]);
        bytes.resize(bytes.len() + payload, 7);
        bytes
    }

    /// Feeds `bytes` in pieces of `size`, and returns all frames.
    fn frames(bytes: &[u8], size: usize, limit: usize) -> Result<Vec<Frame>, String> {
        let mut framer = Framer::new(limit);
        let mut frames = Vec::new();
        for mut piece in bytes.chunks(size) {
            while !piece.is_empty() {
                frames.extend(framer.next(&mut piece)?);
            }
        }
        Ok(frames)
    }

    #[test]
    fn finds_the_same_packets_wherever_the_bytes_are_cut() {
        let parts = [
            vec![0xd0, 0],
            message("a", 0),
            message("b/c", 300),
            message("big", 200_000),
            message(&"t".repeat(65_535), 200_000),
            vec![0x40, 2, 0, 1],
        ];
        let oversized = |topic: &str, bytes| Frame::Oversized {
            topic: topic.to_owned(),
            packet_id: Some((0x1234, false)),
            bytes,
        };
        let wanted = [
            Frame::Packet(parts[0].clone()),
            Frame::Packet(parts[1].clone()),
            Frame::Packet(parts[2].clone()),
            oversized("big", 200_003),
            oversized(&"t".repeat(65_535), 265_535),
            Frame::Packet(parts[5].clone()),
        ];
        let bytes = parts.concat();
        for size in [1, 2, 3, 5, 7, 1000, 16_384, bytes.len()] {
            assert_eq!(frames(&bytes, size, 1000).unwrap(), wanted, "pieces of {size}");
        }
    }

    #[test]
    fn holds_no_more_of_a_skipped_message_than_its_start() {
        let mut framer = Framer::new(10);
        let bytes = message("a", 10_000_000);
        for mut piece in bytes.chunks(4096) {
            framer.next(&mut piece).unwrap();
            assert!(framer.kept.capacity() <= START_BYTES_MAX + 16);
        }
    }

    #[test]
    fn refuses_what_is_no_mqtt() {
        #[track_caller]
        fn check(bytes: &[u8], wanted: &str) {
            assert_eq!(frames(bytes, 1, 10).unwrap_err(), wanted);
        }
        check(&[0x30, 0x80, 0x80, 0x80, 0x80, 1], "a packet length of more than four bytes");
        check(&[0x20, 0x80, 0x80, 0x80, 1], "a packet of 2097152 bytes that is no message");
        let mut topic = message("a", 5000);
        topic[5] = 0xff;
        check(&topic, "a message with a topic that is cut or no UTF-8");
        let mut topic = message("a", 5000);
        topic[3] = 0xff;
        check(&topic, "a message with a topic that is cut or no UTF-8");
    }
}
