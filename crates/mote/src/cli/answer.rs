//! What the commands that complete windows have in common: how the model is asked, and where the
//! answer goes.

use std::{
    io::Write,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool, atomic::Ordering},
};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use mote::{Error, completion, files};
use mote_data::{Table, write::Format};

use super::{Style, interrupt};

/// How a model is asked.
#[derive(Args, Clone, Copy)]
#[command(next_help_heading = "Asking the model")]
pub(super) struct Asking {
    /// Where randomness comes from
    #[arg(long, default_value_t = 0)]
    pub(super) seed: u64,
    /// Evaluations for a window, where the model takes several: fewer are faster, more are closer to
    /// the data [default: the model's]
    #[arg(long, value_name = "NUMBER")]
    evaluations: Option<usize>,
    /// How much what is known or given counts, in models that go along a path: 1 is as it was learned,
    /// 2 or 3 draws what is more typical of it, and less varied
    #[arg(long, value_name = "STRENGTH")]
    guidance: Option<f32>,
}

impl Asking {
    pub(super) fn asking(self) -> completion::Asking {
        let Self { seed, evaluations, guidance } = self;
        completion::Asking { seed, evaluations, guidance }
    }
}

/// Where a table goes: a file in the format of its name, or standard output.
pub(super) enum Destination {
    File(PathBuf, Format),
    Stdout(Format),
}

impl Destination {
    /// Finds out before the work, not after it, that there is no such format or folder, or that what is there is
    /// `read`.
    pub(super) fn of<'p>(
        out: Option<&Path>,
        read: impl IntoIterator<Item = &'p PathBuf>,
        style: Style,
    ) -> Result<Self, Error> {
        if let Some(out) = out {
            files::apart(out, read)?;
        }
        if let Some(folder) = out.and_then(Path::parent).filter(|f| *f != Path::new("")) {
            folder.metadata().map_err(|e| Error::io("write to", folder, e))?;
        }
        Ok(match (out, style) {
            (Some(path), _) => Self::File(path.into(), Format::of(path)?),
            (None, Style::Json) => Self::Stdout(Format::JsonLines),
            (None, Style::People) => Self::Stdout(Format::Csv),
        })
    }

    /// Whether the table itself is what is printed.
    pub(super) fn is_stdout(&self) -> bool {
        matches!(self, Self::Stdout(_))
    }

    /// Writes the table as a whole or not at all.
    pub(super) fn write(&self, table: &Table) -> Result<(), Error> {
        match self {
            Self::File(path, format) => files::write(path, &table.to_bytes(*format)?),
            Self::Stdout(format) => {
                let bytes = table.to_bytes(*format)?;
                let mut out = std::io::stdout().lock();
                let written = out.write_all(&bytes).and_then(|()| out.flush());
                written.map_err(|e| Error::io("write to", "standard output", e))
            }
        }
    }
}

/// Shows how far long work is, on standard error and only where a person watches, and stops it at Ctrl-C.
pub(super) struct Watcher {
    bar: ProgressBar,
    interrupted: Arc<AtomicBool>,
}

impl Watcher {
    pub(super) fn new(total: usize, what: &str) -> Self {
        let bar = ProgressBar::new(total as u64);
        let style =
            format!("{{spinner}} {{bar:30}} {{pos}}/{{len}} {what}  {{per_sec}}, {{eta}} left");
        bar.set_style(
            ProgressStyle::with_template(&style).expect("a name of things has no braces"),
        );
        Self { bar, interrupted: interrupt::flag() }
    }

    /// So many are done, of so many that nobody knew before.
    pub(super) fn out_of(&self, done: usize, total: usize) -> ControlFlow<()> {
        self.bar.set_length(total as u64);
        self.at(done)
    }

    /// Whether to go on, where nothing more is done than before.
    pub(super) fn go_on(&self) -> ControlFlow<()> {
        self.at(self.bar.position() as usize)
    }

    /// So many are done.
    pub(super) fn at(&self, done: usize) -> ControlFlow<()> {
        self.bar.set_position(done as u64);
        match self.interrupted.load(Ordering::SeqCst) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
