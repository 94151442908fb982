//! How many instructions operations take, counted one by one: a process that runs them is followed step by step by
//! another one. The counts hardly differ from run to run, on a busy machine either, and need no counters of the
//! processor.
//!
//! The process that is followed tells where an operation begins by a signal to itself.

use std::{
    fmt::Display,
    io::{BufRead, BufReader, Write},
    ops::ControlFlow,
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
};

use mote_format::Model;
use mote_runtime::{Level, Loaded};
use nix::{
    errno::Errno,
    sys::{
        ptrace,
        signal::{Signal, raise},
        wait::{WaitStatus, waitpid},
    },
    unistd::Pid,
};

use crate::{Error, profile};

/// The signal that stands between operations.
const MARK: Signal = Signal::SIGUSR2;
/// The line that the followed process writes to standard output when it is ready; a line on its standard input
/// tells it to begin.
pub const READY: &str = "ready";
/// Steps between two looks at whether to go on: some thousandths of a second.
const LOOK: u64 = 4096;

/// Instructions of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instructions {
    /// Those of a whole call.
    pub call: u64,
    /// Those of each operation, run by itself, with some that find it; only these where another operation does it
    /// on its way.
    pub operations: Vec<u64>,
}

/// The side that is followed: runs the program once as a whole and once operation by operation. `meet` says that it
/// is [`READY`], and waits.
///
/// # Errors
///
/// [`Error::Load`] if there is no such program, and those of `meet`.
pub fn be_followed(
    model: &Model<'_>,
    name: &str,
    (level, batch): (Level, usize),
    meet: impl FnOnce() -> Result<(), Error>,
) -> Result<(), Error> {
    let mut instance = Loaded::at(level, model, name)?.batch(batch);
    profile::fill(&mut instance);
    // What is found and mapped at its first use is there before anything is counted.
    instance.run();
    meet()?;
    // Between the first two lies nothing: what a mark takes by itself.
    mark();
    mark();
    instance.run();
    mark();
    for i in 0..instance.program().ops.len() {
        instance.run_operation(i);
        mark();
    }
    Ok(())
}

/// Who follows takes the signal away; without anyone it ends the process, which then has no purpose.
fn mark() {
    let _ = raise(MARK);
}

/// Counts the instructions of a program of `operations` operations, which a process that `command` starts runs as
/// [`be_followed`] does; `watch` is told from time to time how many operations are done.
///
/// # Errors
///
/// [`Error::Usage`] where the process cannot be started or followed, [`Error::Interrupted`] where `watch` says so.
pub fn count(
    command: &mut Command,
    operations: usize,
    watch: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<Instructions, Error> {
    let mut followed = Followed::start(command).map_err(refused)?;
    let steps = followed.steps(operations + 2, watch).map_err(refused)?;
    match steps.as_deref() {
        None => Err(Error::Interrupted(": not all instructions were counted".into())),
        Some([nothing, call, each @ ..]) if each.len() == operations => {
            let own = |steps: &u64| steps.saturating_sub(*nothing);
            Ok(Instructions { call: own(call), operations: each.iter().map(own).collect() })
        }
        Some(_) => Err(refused("it ended early")),
    }
}

fn refused(why: impl Display) -> Error {
    Error::Usage(format!("--instructions: one process cannot follow another here: {why}"))
}

/// A process that waits to be followed; it ends with this.
struct Followed {
    child: Child,
    /// It has ended, and was waited for.
    ended: bool,
}

impl Followed {
    fn start(command: &mut Command) -> std::io::Result<Self> {
        // Ctrl-C is meant for the one that follows.
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0).spawn()?;
        let out = child.stdout.take();
        let followed = Self { child, ended: false };
        let mut said = String::new();
        if let Some(out) = out {
            BufReader::new(out).read_line(&mut said)?;
        }
        match said.trim_end() {
            READY => Ok(followed),
            _ => Err(std::io::Error::other("it ended before it was ready")),
        }
    }

    /// Whether the instruction that was stepped over is behind: one that repeats itself stops each time.
    fn advanced(pid: Pid, at: &mut u64) -> Result<bool, Errno> {
        #[cfg(target_arch = "x86_64")]
        {
            let now = ptrace::getregs(pid)?.rip;
            Ok(std::mem::replace(at, now) != now)
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            let _ = (pid, at);
            Ok(true)
        }
    }

    /// The steps between marks, from the first one to `wanted` further ones or to the end; nothing where it was
    /// broken off.
    fn steps(
        &mut self,
        wanted: usize,
        watch: &mut dyn FnMut(usize) -> ControlFlow<()>,
    ) -> Result<Option<Vec<u64>>, Errno> {
        let pid = Pid::from_raw(self.child.id().cast_signed());
        ptrace::attach(pid)?;
        waitpid(pid, None)?;
        ptrace::setoptions(pid, ptrace::Options::PTRACE_O_EXITKILL)?;
        if let Some(input) = &mut self.child.stdin {
            input.write_all(b"\n").map_err(|_| Errno::EPIPE)?;
        }
        ptrace::cont(pid, None)?;
        let (mut counts, mut steps, mut begun, mut at) = (Vec::new(), 0u64, false, 0);
        while counts.len() < wanted {
            // A signal that is not ours is passed on.
            let mut passed = None;
            match waitpid(pid, None)? {
                WaitStatus::Stopped(_, Signal::SIGTRAP) => {
                    steps += u64::from(Self::advanced(pid, &mut at)?);
                }
                WaitStatus::Stopped(_, MARK) => {
                    if begun {
                        counts.push(steps);
                    }
                    (steps, begun) = (0, true);
                }
                WaitStatus::Stopped(_, other) => passed = Some(other),
                _ => {
                    self.ended = true;
                    return Ok(watch(counts.len().saturating_sub(2))
                        .is_continue()
                        .then_some(counts));
                }
            }
            let look = passed.is_some() || steps.is_multiple_of(LOOK);
            if look && watch(counts.len().saturating_sub(2)).is_break() {
                return Ok(None);
            }
            match begun {
                true => ptrace::step(pid, passed)?,
                false => ptrace::cont(pid, passed)?,
            }
        }
        Ok(Some(counts))
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        if !self.ended {
            // It may have ended a moment ago.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
