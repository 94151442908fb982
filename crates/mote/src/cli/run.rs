//! `mote run`: a model on a stream, from a file, standard input or a broker, to any of them.

mod input;
mod sink;

use std::{path::PathBuf, sync::atomic::Ordering, time::Duration};

use clap::Args;
use mote::{
    Error,
    files::Mapped,
    stream::{Live, Output},
    training::Recipe,
};
use mote_data::mqtt::{Broker, FirstConnect, Listener, Options, Status};

use super::{Style, data::Data, interrupt};
use input::Input;
use sink::Sink;
pub(super) use sink::words;

#[derive(Args)]
pub(super) struct Run {
    /// A model that `mote train` wrote
    model: PathBuf,
    /// `stdin`, a file, or mqtt://user:password@host:port/topic?client_id=…&version=3.1.1|5 (mqtts:// for TLS)
    #[arg(long, value_name = "SOURCE", default_value = "stdin")]
    from: String,
    /// `stdout`, a file, or mqtt://host:port/topic
    #[arg(long, value_name = "SINK", default_value = "stdout")]
    to: String,
    /// Put out events only, not each score
    #[arg(long)]
    events: bool,
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
    #[command(flatten)]
    data: Data,
}

impl Run {
    pub(super) fn run(self, style: Style) -> Result<(), Error> {
        let interrupted = interrupt::flag();
        let mapped = Mapped::open(&self.model)?;
        let model = mapped.model()?;
        let recipe = Recipe::of(&model.manifest)?;
        let reading = self.data.reading(Some(recipe.reading))?;
        let mut rules = recipe.rules;
        rules.lateness = reading.dataset.read.lateness.unwrap_or(rules.lateness);
        let mut live = Live::new(&model, rules)?;
        let mut input = Input::open(&self, &model.manifest.schema, &reading)?;
        let mut sink = Sink::open(&self, style)?;
        let mut out = Vec::new();
        while !interrupted.load(Ordering::SeqCst) {
            let Some(records) = input.next()? else { break };
            for record in records {
                live.push(record, &mut out);
            }
            self.pass_on(&mut out, &mut sink)?;
            if input.wants_acknowledgement() {
                sink.settle()?;
                input.acknowledge();
            }
        }
        live.finish(&mut out);
        self.pass_on(&mut out, &mut sink)?;
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

    fn pass_on(&self, out: &mut Vec<Output>, sink: &mut Sink) -> Result<(), Error> {
        for output in out.drain(..) {
            if !self.events || matches!(output, Output::Event(_)) {
                sink.put(&output)?;
            }
        }
        Ok(())
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
