//! Known weaknesses, from the database of RustSec (<https://rustsec.org>).
//!
//! Each advisory is a Markdown file `crates/<name>/RUSTSEC-….md` that opens with a block of TOML.
//! A version is affected unless it lies in a range of `patched` or `unaffected`.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use semver::{Version, VersionReq};
use serde::Deserialize;

use super::line_of;
use crate::{
    finding::{Finding, Rule},
    workspace::{File, Package},
};

/// Names a folder with a copy of the database, for machines without a network.
const VARIABLE: &str = "MOTE_ADVISORY_DB";
const ADDRESS: &str = "https://github.com/rustsec/advisory-db";
/// A check that waits longer for a server holds up everyone.
const FETCH_TIME_MAX: Duration = Duration::from_secs(60);
/// A copy that is older is fetched again.
const AGE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// What the database says about our dependencies.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    pub(super) findings: Vec<Finding>,
    /// Dependencies that nobody keeps up any more.
    pub(super) notes: Vec<String>,
}

/// The head of an advisory.
#[derive(Debug, Deserialize)]
struct Head {
    advisory: Advisory,
    versions: Versions,
}

#[derive(Debug, Deserialize)]
struct Advisory {
    id: String,
    package: String,
    /// `unmaintained`, `unsound` or `notice`, where it is no vulnerability.
    informational: Option<String>,
    withdrawn: Option<toml::Value>,
}

#[derive(Debug, Deserialize)]
struct Versions {
    #[serde(default)]
    patched: Vec<VersionReq>,
    #[serde(default)]
    unaffected: Vec<VersionReq>,
}

impl Head {
    fn parse(text: &str) -> Result<Self> {
        let block =
            text.trim_start().strip_prefix("```toml").and_then(|rest| rest.split_once("```"));
        let (head, _) = block.context("it does not open with a block of TOML")?;
        Ok(toml::from_str(head)?)
    }

    fn affects(&self, version: &Version) -> bool {
        let mut safe = self.versions.patched.iter().chain(&self.versions.unaffected);
        self.advisory.withdrawn.is_none() && !safe.any(|range| range.matches(version))
    }
}

/// Compares each package from a registry with the advisories on it.
///
/// # Errors
///
/// If an advisory cannot be read: silence about it would look like safety.
pub(super) fn check(database: &Path, packages: &[Package], lock: &File) -> Result<Verdict> {
    let mut verdict = Verdict::default();
    for package in packages.iter().filter(|package| package.source.is_some()) {
        let folder = database.join("crates").join(&package.name);
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if !name.starts_with("RUSTSEC-") || !name.ends_with(".md") {
                continue;
            }
            let head = fs::read_to_string(&path).map_err(Into::into).and_then(|t| Head::parse(&t));
            let head = head.with_context(|| format!("cannot read `{}`", path.display()))?;
            ensure!(head.advisory.package == package.name, "`{}` is misplaced", path.display());
            if head.affects(&package.version) {
                report(&mut verdict, &head.advisory, package, lock);
            }
        }
    }
    Ok(verdict)
}

fn report(verdict: &mut Verdict, advisory: &Advisory, package: &Package, lock: &File) {
    let Advisory { id, informational, .. } = advisory;
    let (name, version) = (&package.name, &package.version);
    match informational.as_deref() {
        Some(kind @ ("unmaintained" | "notice")) => {
            verdict.notes.push(format!("`{name}` {version} is {kind}: {id}"));
        }
        kind => {
            let kind = kind.unwrap_or("vulnerable");
            let what = format!("`{name}` {version} is {kind}: https://rustsec.org/advisories/{id}");
            let wanted = "a version that is not affected, or another crate";
            let line = line_of(lock, name);
            let finding = Finding::in_file(Rule::Advisory, &lock.path, line, what, wanted);
            verdict.findings.push(finding.about(id));
        }
    }
}

/// The folder of the database, or the reason why there is none.
///
/// # Errors
///
/// If the environment names a folder that does not hold the database: then someone relies on it.
pub(super) fn find_database(target: &Path) -> Result<Result<PathBuf, String>> {
    if let Some(folder) = env::var_os(VARIABLE) {
        let folder = PathBuf::from(folder);
        let found = folder.join("crates").is_dir();
        ensure!(found, "{VARIABLE}: `{}` has no folder `crates`", folder.display());
        return Ok(Ok(folder));
    }
    let copy = target.join("advisory-db");
    if copy.join("crates").is_dir() && age(&copy).is_some_and(|age| age < AGE_MAX) {
        return Ok(Ok(copy));
    }
    match fetch(&copy) {
        Ok(()) => Ok(Ok(copy)),
        Err(error) => Ok(Err(format!("{error:#}; a copy of {ADDRESS} can be named in {VARIABLE}"))),
    }
}

/// How long ago a copy was made.
fn age(copy: &Path) -> Option<Duration> {
    fs::metadata(copy.join(".git/HEAD")).ok()?.modified().ok()?.elapsed().ok()
}

/// Clones the database, or gives up in time.
fn fetch(copy: &Path) -> Result<()> {
    if let Err(error) = fs::remove_dir_all(copy)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error).with_context(|| format!("cannot remove `{}`", copy.display()));
    }
    let mut git = Command::new("git");
    git.args(["clone", "--quiet", "--depth=1", ADDRESS]).arg(copy);
    git.env("GIT_TERMINAL_PROMPT", "0").stdin(Stdio::null()).stderr(Stdio::piped());
    let mut child = git.spawn().context("cannot start git")?;
    let start = Instant::now();
    while child.try_wait()?.is_none() {
        if start.elapsed() > FETCH_TIME_MAX {
            child.kill()?;
            child.wait()?;
            anyhow::bail!("no answer from {ADDRESS} in {} s", FETCH_TIME_MAX.as_secs());
        }
        thread::sleep(Duration::from_millis(100));
    }
    let output = child.wait_with_output()?;
    let words = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "git could not clone it ({})", words.trim());
    Ok(())
}

#[cfg(test)]
#[path = "advisories_tests.rs"]
mod tests;
