//! `mote train`: files to a model file, with progress, checkpoints and a second chance after Ctrl-C.

mod options;
mod store;
mod summary;

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::atomic::Ordering,
    time::Instant,
};

use clap::Args;
use mote::{
    Error, files,
    source::Source,
    training::{Finished, Recipe, Report, run},
};
use mote_learn::{
    device::Device,
    train::{Checkpoint, End, Progress},
};

pub(super) use self::options::{Family, Options};
use self::store::Store;
use super::{
    Style,
    data::{Data, Division},
    interrupt,
    progress::Bar,
};

#[derive(Args)]
pub(super) struct Train {
    /// CSV, JSON lines, Parquet or Arrow files, plain or compressed
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Where to write the model
    #[arg(long, short, value_name = "FILE", default_value = "model.mote")]
    out: PathBuf,
    /// Begin anew, also where an interrupted training could go on
    #[arg(long)]
    fresh: bool,
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    data: Data,
    #[command(flatten)]
    division: Division,
}

impl Train {
    pub(super) fn run(self, style: Style) -> Result<(), Error> {
        let began = Instant::now();
        let mut reading = self.data.reading(None)?;
        self.division.apply(&mut reading);
        let device = self.options.device()?;
        writable(&self.out)?;
        files::apart(&self.out, &self.files)?;
        let source = reading.learn(&self.files)?;
        self.data.check(&reading, &source)?;
        let recipe = self.options.recipe(reading, &source)?;
        if style == Style::People {
            decisions(&source);
        }
        let store = Store::new(&self.out, &source, &recipe);
        let resume = if self.fresh { None } else { store.load()? };
        if let Some(checkpoint) = &resume {
            eprintln!(
                "Going on from step {} of an interrupted training (--fresh begins anew).",
                checkpoint.step()
            );
        }
        let finished = train(&source, &recipe, device, resume, Some(&store))?;
        files::write(&self.out, &finished.file)?;
        if finished.end != End::Interrupted {
            store.remove();
        }
        summary::say_all(&finished, &self.out, began.elapsed().as_secs_f64(), style)?;
        if finished.end == End::Interrupted {
            let what = format!(
                ": {} holds the best weights so far; the same command goes on from the last look",
                self.out.display()
            );
            return Err(Error::Interrupted(what));
        }
        Ok(())
    }
}

/// Trains with a progress bar, checkpoints at each look, and stops at Ctrl-C.
pub(super) fn train(
    source: &Source,
    recipe: &Recipe,
    device: Device,
    resume: Option<Checkpoint>,
    store: Option<&Store>,
) -> Result<Finished, Error> {
    let interrupted = interrupt::flag();
    let mut bar = Bar::new();
    let mut failure = None;
    let finished = run(source, recipe, device, resume, &mut |report| {
        bar.show(&report);
        if let (Report::Progress(Progress::Look { checkpoint, .. }), Some(store)) = (&report, store)
            && let Err(e) = store.save(checkpoint())
        {
            failure = Some(e);
            return ControlFlow::Break(());
        }
        if interrupted.load(Ordering::SeqCst) {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    bar.end();
    match failure {
        Some(failure) => Err(failure),
        None => finished,
    }
}

/// Finds out before the work, not after it, that the model cannot be written.
fn writable(out: &Path) -> Result<(), Error> {
    let folder = match out.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    if out.is_dir() {
        let found = std::io::Error::other("wanted a file, found a folder");
        return Err(Error::io("write", out, found));
    }
    match folder.metadata() {
        Ok(m) if m.is_dir() => Ok(()),
        Ok(_) => Err(Error::io("write", out, std::io::Error::other("its folder is a file"))),
        Err(e) => Err(Error::io("write", out, e)),
    }
}

/// Says what was decided about the data.
pub(super) fn decisions(source: &Source) {
    for note in &source.plan.notes {
        eprintln!("{note}");
    }
    for decision in &source.plan.decisions {
        eprintln!("  {decision}");
    }
}
