//! Where results go.

use std::{
    fs::File,
    io::{BufWriter, Stdout, Write},
    path::PathBuf,
    time::Duration,
};

use mote::{
    Error,
    completion::{Told, Whole},
    stream::Output,
};
use mote_data::mqtt::Publisher;
use mote_runtime::Reason;

use super::{Link, is_mqtt};
use crate::cli::Style;

/// How long the end waits for a broker to confirm what was published.
const LAST_WORDS: Duration = Duration::from_secs(60);

/// What an event says that was too probable.
const CALM: &str = "calmer than it ever is, as if it hung";

/// What an event says whose score was no number.
const NO_NUMBER: &str = "no number, for an input was out of all bounds";

/// A result that is JSON for programs and words for people.
pub(in crate::cli) trait Line: serde::Serialize {
    /// One line.
    fn words(&self) -> String;
}

impl Line for Output {
    fn words(&self) -> String {
        words(self)
    }
}

impl Line for Told {
    fn words(&self) -> String {
        Self::words(self)
    }
}

impl Line for Whole {
    fn words(&self) -> String {
        Self::words(self)
    }
}

/// A sink of results.
pub(super) struct Sink {
    style: Style,
    kind: Kind,
}

enum Kind {
    Stdout(BufWriter<Stdout>),
    File { path: PathBuf, file: BufWriter<File> },
    Mqtt { publisher: Publisher, topic: String },
}

impl Sink {
    pub(super) fn open(link: &Link, style: Style) -> Result<Self, Error> {
        let kind = match link.to.as_deref().unwrap_or("stdout") {
            "stdout" | "-" => Kind::Stdout(BufWriter::new(std::io::stdout())),
            address if is_mqtt(address) => {
                let broker = link.broker(address)?;
                let topic = broker.topic().map(str::to_owned).ok_or_else(|| {
                    Error::Usage("wanted a topic to publish on, as in mqtt://host/topic".into())
                })?;
                Kind::Mqtt { publisher: Publisher::open(&broker, link.options("sink"))?, topic }
            }
            path => {
                let path = PathBuf::from(path.strip_prefix("file:").unwrap_or(path));
                let file = File::options().create(true).append(true).open(&path);
                let file = file.map_err(|e| Error::io("write", &path, e))?;
                Kind::File { path, file: BufWriter::new(file) }
            }
        };
        // What a program reads later is JSON; only a person's terminal gets words.
        let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stdout());
        let for_people = matches!(kind, Kind::Stdout(_)) && is_terminal && style == Style::People;
        let style = if for_people { Style::People } else { Style::Json };
        Ok(Self { style, kind })
    }

    /// Puts out one result.
    pub(super) fn put(&mut self, output: &impl Line) -> Result<(), Error> {
        let text = match self.style {
            Style::People => output.words(),
            Style::Json => {
                serde_json::to_string(output).expect("outputs have no maps with keys but strings")
            }
        };
        match &mut self.kind {
            Kind::Stdout(out) => writeln!(out, "{text}").map_err(stdout),
            Kind::File { path, file } => {
                writeln!(file, "{text}").map_err(|e| Error::io("write", &*path, e))
            }
            Kind::Mqtt { publisher, topic } => Ok(publisher.publish(topic, text, false)?),
        }
    }

    /// Makes sure that everything so far has arrived.
    pub(super) fn settle(&mut self) -> Result<(), Error> {
        match &mut self.kind {
            Kind::Stdout(out) => out.flush().map_err(stdout),
            Kind::File { path, file } => file.flush().map_err(|e| Error::io("write", &*path, e)),
            Kind::Mqtt { publisher, .. } => loop {
                // A broker that is away comes back; until then nothing is acknowledged, so nothing
                // is lost.
                match publisher.flush(LAST_WORDS) {
                    Err(mote_data::mqtt::Error::Unconfirmed { .. })
                        if !crate::cli::interrupt::asked() => {}
                    done => return Ok(done?),
                }
            },
        }
    }

    pub(super) fn close(mut self) -> Result<(), Error> {
        self.settle()
    }
}

fn stdout(e: std::io::Error) -> Error {
    Error::io("write to", "standard output", e)
}

/// A result in words.
pub(in crate::cli) fn words(output: &Output) -> String {
    match output {
        Output::Score(line) => {
            let time = line.time.clone().unwrap_or_else(|| format!("sample {}", line.sample));
            match line.score {
                Some(score) if line.alarm => format!("{time}  {score:9.3}  ALARM"),
                Some(score) => format!("{time}  {score:9.3}"),
                None => format!("{time}          -"),
            }
        }
        Output::Event(event) => {
            let when = |time: &Option<String>, sample: usize| {
                time.clone().unwrap_or_else(|| format!("sample {sample}"))
            };
            let causes: Vec<String> = event
                .found
                .causes
                .iter()
                .map(|c| format!("{} ({:+.1} σ)", c.column, c.deviations))
                .collect();
            format!(
                "EVENT from {} to {}, worst at {} (score {:.2}): {}",
                when(&event.start_time, event.found.start),
                when(&event.end_time, event.found.end),
                when(&event.peak_time, event.found.peak),
                event.found.peak_score,
                match event.found.reason {
                    Reason::Improbable => causes.join(", "),
                    Reason::Calm => format!("{CALM}: {}", causes[0]),
                    Reason::Undefined => NO_NUMBER.into(),
                }
            )
        }
    }
}
