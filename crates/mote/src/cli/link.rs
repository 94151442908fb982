//! Where records come from and results go, for all commands that follow a stream: files, standard
//! input and output, brokers.

mod input;
mod sink;

use std::{path::PathBuf, sync::atomic::Ordering, time::Duration};

use clap::Args;
use mote::{
    Error,
    source::Reading,
    stream::{Live, Watch},
};
use mote_data::mqtt::{Broker, FirstConnect, Listener, Options, Status};
use mote_format::Schema;

use super::{Style, interrupt};
use input::Input;
use sink::Sink;
pub(super) use sink::{Line, words};

/// The ends of a stream.
#[derive(Args)]
#[command(next_help_heading = "Streams")]
pub(super) struct Link {
    /// `stdin`, a file, or mqtt://user:password@host:port/topic?client_id=…&version=3.1.1|5 (mqtts:// for TLS)
    #[arg(long, value_name = "SOURCE")]
    pub(super) from: Option<String>,
    /// `stdout`, a file, or mqtt://host:port/topic [default: stdout]
    #[arg(long, value_name = "SINK")]
    to: Option<String>,
    /// Do not give up on a broker that is not there yet
    #[arg(long)]
    wait: bool,
    /// Certificates that a broker's must descend from [default: the usual public ones]
    #[arg(long, value_name = "PEM")]
    ca: Option<PathBuf>,
    /// Our certificate, for brokers that want one
    #[arg(long, value_name = "PEM", requires = "key")]
    cert: Option<PathBuf>,
    /// The key of our certificate
    #[arg(long, value_name = "PEM", requires = "cert")]
    key: Option<PathBuf>,
}

impl Link {
    /// Shows every record to `live`, and passes on what it says and `wanted` takes, until the stream
    /// ends or the person asks to stop. `purpose` tells brokers this use of a topic from others.
    pub(super) fn follow<W: Watch<Said: Line>>(
        &self,
        live: &mut Live<W>,
        (schema, reading): (&Schema, &Reading),
        purpose: &str,
        style: Style,
        wanted: impl Fn(&W::Said) -> bool,
    ) -> Result<(), Error> {
        let interrupted = interrupt::flag();
        let mut input = Input::open(self, schema, reading, purpose)?;
        let mut sink = Sink::open(self, style)?;
        let mut out = Vec::new();
        let pass_on = |out: &mut Vec<W::Said>, sink: &mut Sink| {
            out.drain(..).filter(|said| wanted(said)).try_for_each(|said| sink.put(&said))
        };
        while !interrupted.load(Ordering::SeqCst) {
            let Some(records) = input.next()? else { break };
            for record in records {
                live.push(record, &mut out);
            }
            pass_on(&mut out, &mut sink)?;
            if input.wants_acknowledgement() {
                sink.settle()?;
                input.acknowledge();
            }
        }
        live.finish(&mut out);
        pass_on(&mut out, &mut sink)?;
        sink.settle()?;
        input.acknowledge();
        let gaps = live.gaps();
        if gaps.late + gaps.duplicates + gaps.inserted > 0 {
            eprintln!(
                "note: {} late and {} duplicate records were dropped, {} missing samples filled in",
                gaps.late, gaps.duplicates, gaps.inserted
            );
        }
        sink.close()
    }

    /// The broker of an address, with the certificates that were named.
    fn broker(&self, address: &str) -> Result<Broker, Error> {
        let pem = |path: &PathBuf| std::fs::read(path).map_err(|e| Error::io("read", path, e));
        let mut broker = Broker::parse(address)?;
        if let Some(ca) = &self.ca {
            broker = broker.with_authorities(pem(ca)?);
        } else if address.starts_with("mqtts://") {
            let ours = SYSTEM_AUTHORITIES.iter().map(PathBuf::from).find(|p| p.exists());
            let ours = ours.ok_or_else(|| {
                Error::Usage(
                    "wanted --ca, because this system keeps no public certificates where we know"
                        .into(),
                )
            })?;
            broker = broker.with_authorities(pem(&ours)?);
        }
        if let (Some(cert), Some(key)) = (&self.cert, &self.key) {
            broker = broker.with_identity(pem(cert)?, pem(key)?);
        }
        Ok(broker)
    }

    fn options(&self, name: &'static str) -> Options {
        let told = move |status: &Status| match status {
            Status::Reconnecting { error, wait, .. } => {
                eprintln!("{name}: {error}; trying again in {:.1} s", wait.as_secs_f64());
            }
            Status::Connected { resumed: true } => eprintln!("{name}: connected again"),
            _ => {}
        };
        let first_connect = if self.wait {
            FirstConnect::Background
        } else {
            FirstConnect::Within(Duration::from_secs(5))
        };
        Options { listener: Some(Listener::new(told)), first_connect, ..Options::default() }
    }
}

/// Where systems keep the certificates that everybody trusts.
const SYSTEM_AUTHORITIES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Whether an argument names a broker.
fn is_mqtt(address: &str) -> bool {
    address.starts_with("mqtt://") || address.starts_with("mqtts://")
}
