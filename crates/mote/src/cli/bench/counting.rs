//! `mote bench --instructions`: this command runs a second time, and is followed.

use std::{
    io::{Write, stdin, stdout},
    path::Path,
    process::Command,
};

use mote::{Error, instructions, profile::Profile};
use mote_format::Model;
use mote_runtime::Level;

use crate::cli::answer::Watcher;

/// Runs this command a second time, follows it, and adds what it counted.
pub(super) fn add(
    model: &Path,
    (level, batch): (Level, usize),
    profile: &mut Profile,
) -> Result<(), Error> {
    let own = std::env::current_exe().map_err(|e| Error::io("find", "this program", e))?;
    let mut command = Command::new(own);
    command.arg("bench").arg(model).args(["--followed", "--program", &profile.program]);
    command.args(["--level", level.name(), "--batch", &batch.to_string()]);
    let watcher = Watcher::new(profile.operations.len(), "operations followed");
    let found =
        instructions::count(&mut command, profile.operations.len(), &mut |n| watcher.at(n))?;
    profile.instructions = Some(found.call);
    let each = profile.operations.iter_mut().zip(found.operations);
    each.for_each(|(operation, n)| operation.instructions = Some(n));
    Ok(())
}

pub(super) fn be_followed(model: &Model<'_>, name: &str, how: (Level, usize)) -> Result<(), Error> {
    instructions::be_followed(model, name, how, || {
        let failed = |source| Error::io("use", "standard input and output", source);
        writeln!(stdout(), "{}", instructions::READY).map_err(failed)?;
        stdin().read_line(&mut String::new()).map(drop).map_err(failed)
    })
}
