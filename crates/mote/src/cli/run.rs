//! `mote run`: a model on a stream, from a file, standard input or a broker, to any of them.

use std::path::PathBuf;

use clap::Args;
use mote::{
    Error,
    files::Mapped,
    stream::{Live, Output},
    training::Recipe,
};

use super::{Style, data::Data, link::Link};

#[derive(Args)]
pub(super) struct Run {
    /// A model that `mote train` wrote
    model: PathBuf,
    /// Put out events only, not each score
    #[arg(long)]
    events: bool,
    #[command(flatten)]
    link: Link,
    #[command(flatten)]
    data: Data,
}

impl Run {
    pub(super) fn run(self, style: Style) -> Result<(), Error> {
        let mapped = Mapped::open(&self.model)?;
        let model = mapped.model()?;
        let recipe = Recipe::of(&model.manifest)?;
        let reading = self.data.reading(Some(recipe.reading))?;
        let mut rules = recipe.rules;
        rules.lateness = reading.dataset.read.lateness.unwrap_or(rules.lateness);
        let mut live = Live::new(&model, rules)?;
        let wanted = |said: &Output| !self.events || matches!(said, Output::Event(_));
        let stream = (&model.manifest.schema, &reading);
        self.link.follow(&mut live, stream, &self.model.display().to_string(), style, wanted)
    }
}
