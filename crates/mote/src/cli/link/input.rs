//! Where records come from.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::Path,
    time::{Duration, SystemTime},
};

use mote::{Error, source::Reading};
use mote_data::{
    Record, Timestamp,
    mqtt::{Receipt, Subscriber},
    payload,
};
use mote_format::Schema;

use super::{Link, is_mqtt};

/// Messages handled before the broker is told: no more than brokers leave open at once.
const BATCH: usize = 16;
/// How long a wait for a message may keep Ctrl-C waiting.
const PATIENCE: Duration = Duration::from_millis(200);

/// A source of records.
pub(super) struct Input<'s> {
    schema: &'s Schema,
    kind: Kind,
}

enum Kind {
    /// JSON or SenML, one message a line.
    Lines {
        name: String,
        reader: Box<dyn BufRead>,
        line: u64,
        text: String,
    },
    /// The records of a table, in pieces.
    Table(std::vec::IntoIter<Record>),
    Mqtt {
        subscriber: Subscriber,
        receipts: Vec<Receipt>,
    },
}

impl<'s> Input<'s> {
    /// `purpose` is part of the name by which a broker knows us again.
    pub(super) fn open(
        link: &Link,
        schema: &'s Schema,
        reading: &Reading,
        purpose: &str,
    ) -> Result<Self, Error> {
        let kind = match link.from.as_deref().unwrap_or("stdin") {
            "stdin" | "-" => {
                Kind::lines("standard input", Box::new(BufReader::new(std::io::stdin())))
            }
            address if is_mqtt(address) => {
                let mut broker = link.broker(address)?;
                if broker.client_id().is_none() {
                    broker = broker.with_client_id(client_id(address, purpose));
                }
                let subscriber = Subscriber::open(&broker, &[], link.options("source"))?;
                Kind::Mqtt { subscriber, receipts: Vec::new() }
            }
            path => Self::file(path.strip_prefix("file:").unwrap_or(path), schema, reading)?,
        };
        Ok(Self { schema, kind })
    }

    /// A file of messages is read line by line, any other as the table that it is.
    fn file(path: &str, schema: &Schema, reading: &Reading) -> Result<Kind, Error> {
        let path = Path::new(path);
        let is_lines =
            path.extension().is_some_and(|e| e == "jsonl" || e == "ndjson" || e == "senml");
        if is_lines {
            let file = File::open(path).map_err(|e| Error::io("read", path, e))?;
            return Ok(Kind::lines(&path.display().to_string(), Box::new(BufReader::new(file))));
        }
        let records = reading.records(path, schema)?;
        Ok(Kind::Table(records.into_iter()))
    }

    /// The next records; none of them while nothing arrives, `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Vec<Record>>, Error> {
        match &mut self.kind {
            Kind::Table(records) => {
                let piece: Vec<Record> = records.take(256).collect();
                Ok((!piece.is_empty()).then_some(piece))
            }
            Kind::Lines { name, reader, line, text } => loop {
                text.clear();
                let limit = payload::MESSAGE_BYTES_MAX as u64 + 1;
                let read = reader.by_ref().take(limit).read_line(text);
                *line += 1;
                let at = |e: mote_data::Error| Error::Data(e.in_file(name).at_line(*line));
                match read {
                    Ok(0) => return Ok(None),
                    Ok(_) if text.trim().is_empty() => {}
                    Ok(_) => {
                        let records = payload::decode(self.schema, text.as_bytes(), None);
                        return records.map(Some).map_err(at);
                    }
                    Err(e) => return Err(Error::io("read", name.as_str(), e)),
                }
            },
            Kind::Mqtt { subscriber, receipts } => {
                let wait = if receipts.is_empty() { PATIENCE } else { Duration::ZERO };
                let Some(message) = subscriber.recv(wait)? else { return Ok(Some(Vec::new())) };
                receipts.push(message.receipt);
                let records = payload::decode(self.schema, &message.payload, now());
                // One bad message among good ones must not stop the watch over a machine.
                Ok(Some(records.unwrap_or_else(|e| {
                    eprintln!("note: a message on `{}` was left out: {e}", message.topic);
                    Vec::new()
                })))
            }
        }
    }

    /// Whether messages wait to be acknowledged: a batch is full, or nothing more has arrived.
    pub(super) fn wants_acknowledgement(&self) -> bool {
        match &self.kind {
            Kind::Mqtt { receipts, .. } => receipts.len() >= BATCH || !receipts.is_empty(),
            _ => false,
        }
    }

    /// Tells the broker that everything up to now has been put out.
    pub(super) fn acknowledge(&mut self) {
        if let Kind::Mqtt { subscriber, receipts } = &mut self.kind {
            receipts.drain(..).for_each(|r| subscriber.ack(r));
        }
    }
}

impl Kind {
    fn lines(name: &str, reader: Box<dyn BufRead>) -> Self {
        Self::Lines { name: name.into(), reader, line: 0, text: String::new() }
    }
}

/// The name by which the broker knows this model on this topic again.
fn client_id(address: &str, purpose: &str) -> String {
    let what = format!("{address}\0{purpose}");
    format!("mote-{}", &blake3::hash(what.as_bytes()).to_hex()[..12])
}

fn now() -> Option<Timestamp> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_nanos()).ok().map(Timestamp)
}
