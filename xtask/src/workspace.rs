//! The workspace as the rules see it: its files and its packages, read once.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::{code::Code, commands};

/// A longer text file is data, and no rule reads data.
const TEXT_BYTES_MAX: u64 = 1 << 20;

/// One text file.
#[derive(Debug)]
pub(crate) struct File {
    /// Relative to the root, with `/` between folders.
    pub(crate) path: String,
    /// What it holds.
    pub(crate) text: String,
    /// The code in it, if it is Rust.
    pub(crate) code: Option<Code>,
}

impl File {
    /// A file by its path and text.
    pub(crate) fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        let (path, text) = (path.into(), text.into());
        let code = path.ends_with(".rs").then(|| Code::new(&text));
        Self { path, text, code }
    }

    /// The number of the first line that `holds`, or 1 where there is none.
    pub(crate) fn line_where(&self, holds: impl Fn(&str) -> bool) -> usize {
        self.text.lines().position(holds).map_or(1, |at| at + 1)
    }
}

/// What Cargo knows of the workspace and of all that it depends on.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    /// The members and their dependencies.
    pub(crate) packages: Vec<Package>,
    /// The identifiers of the members.
    workspace_members: Vec<String>,
    /// The absolute path of the root.
    pub(crate) workspace_root: PathBuf,
    /// The absolute path of what is built.
    pub(crate) target_directory: PathBuf,
}

/// One version of one crate.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Package {
    /// Its name in the registry.
    pub(crate) name: String,
    /// Its version.
    pub(crate) version: semver::Version,
    /// Cargo's identifier for it.
    pub(crate) id: String,
    /// Its SPDX expression, as it was written.
    pub(crate) license: Option<String>,
    /// One sentence.
    pub(crate) description: Option<String>,
    /// Where it was fetched from; nothing for members.
    pub(crate) source: Option<String>,
    /// The absolute path of its manifest.
    pub(crate) manifest_path: PathBuf,
    /// What its manifest asks for, whether or not a feature turns it on.
    pub(crate) dependencies: Vec<Dependency>,
}

/// One dependency of a manifest.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Dependency {
    /// The name of the crate in the registry.
    pub(crate) name: String,
    /// `dev`, `build`, or nothing for an ordinary one.
    pub(crate) kind: Option<String>,
    /// The name that the manifest gives it, if it gives another one.
    pub(crate) rename: Option<String>,
}

impl Metadata {
    /// Asks Cargo about the members alone, which takes no network.
    ///
    /// # Errors
    ///
    /// If Cargo fails, for one because a manifest is wrong.
    pub(crate) fn of_members() -> Result<Self> {
        Self::read(&["--no-deps".to_owned()])
    }

    /// Asks Cargo about the members and all that any feature of theirs may need on this machine.
    ///
    /// Other platforms are left out: their crates would be fetched for the question alone.
    ///
    /// # Errors
    ///
    /// If Cargo fails, for one because `Cargo.lock` does not fit the manifests.
    pub(crate) fn of_everything() -> Result<Self> {
        Self::read(&["--all-features".to_owned(), format!("--filter-platform={}", host()?)])
    }

    fn read(flags: &[String]) -> Result<Self> {
        let mut cargo = commands::cargo();
        cargo.args(["metadata", "--locked", "--format-version=1"]).args(flags);
        let answer = commands::output(&mut cargo)?;
        serde_json::from_slice(&answer).context("cannot read the answer of `cargo metadata`")
    }

    /// The crates of the workspace.
    pub(crate) fn members(&self) -> Vec<Package> {
        let is_member = |p: &&Package| self.workspace_members.contains(&p.id);
        self.packages.iter().filter(is_member).cloned().collect()
    }
}

impl Package {
    /// Where its manifest lies, relative to the root of the workspace.
    pub(crate) fn manifest<'a>(&'a self, root: &Path) -> Option<&'a str> {
        self.manifest_path.strip_prefix(root).ok()?.to_str()
    }
}

/// All that the rules of `tidy` look at.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// The absolute path of the root; empty in tests.
    pub(crate) root: PathBuf,
    /// The text files that are, or are about to be, under version control, sorted by path.
    pub(crate) files: Vec<File>,
    /// The crates of the workspace.
    pub(crate) members: Vec<Package>,
}

impl Workspace {
    /// Reads the workspace that the current folder belongs to.
    ///
    /// # Errors
    ///
    /// If Cargo or git fails, or a file cannot be read.
    pub(crate) fn read() -> Result<Self> {
        let metadata = Metadata::of_members()?;
        let members = metadata.members();
        let root = metadata.workspace_root;
        let mut git = Command::new("git");
        git.current_dir(&root).args(["ls-files", "-z", "--cached", "--others"]);
        let list = commands::output(git.arg("--exclude-standard"))?;
        let list = String::from_utf8(list).context("a file has a name that is not UTF-8")?;
        let mut paths: Vec<&str> = list.split_terminator('\0').collect();
        paths.sort_unstable();
        paths.dedup();
        let mut files = Vec::with_capacity(paths.len());
        for path in paths {
            if let Some(text) = read_text(&root.join(path))? {
                files.push(File::new(path, text));
            }
        }
        Ok(Self { root, files, members })
    }

    /// The Rust files with their code.
    pub(crate) fn rust_files(&self) -> impl Iterator<Item = (&File, &Code)> {
        self.files.iter().filter_map(|file| Some((file, file.code.as_ref()?)))
    }

    /// The file at `path`, if there is one.
    pub(crate) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|f| f.path == path)
    }

    /// The members with the files of their manifests.
    pub(crate) fn manifests(&self) -> impl Iterator<Item = (&Package, &File)> {
        self.members.iter().filter_map(|p| Some((p, self.file(p.manifest(&self.root)?)?)))
    }
}

/// A file's text, or nothing where it is a folder, gone, too long or no text.
fn read_text(path: &Path) -> Result<Option<String>> {
    let Ok(facts) = fs::symlink_metadata(path) else { return Ok(None) };
    if !facts.is_file() || facts.len() > TEXT_BYTES_MAX {
        return Ok(None);
    }
    let bytes = fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    Ok(String::from_utf8(bytes).ok())
}

/// The target triple of this machine.
fn host() -> Result<String> {
    let mut rustc = Command::new("rustc");
    let answer = commands::output(rustc.args(["--print", "host-tuple"]))?;
    let triple = String::from_utf8_lossy(&answer).trim().to_owned();
    ensure!(!triple.is_empty(), "rustc did not name its host");
    Ok(triple)
}

/// Workspaces that are made up, for the tests of the rules.
#[cfg(test)]
pub(crate) mod samples {
    use super::*;

    /// A workspace of these files and no packages.
    pub(crate) fn of_files(files: &[(&str, &str)]) -> Workspace {
        let files = files.iter().map(|(path, text)| File::new(*path, *text)).collect();
        Workspace { root: PathBuf::new(), files, members: Vec::new() }
    }

    /// A workspace of these files and one package, whose manifest is among them.
    pub(crate) fn of_package(package: Package, files: &[(&str, &str)]) -> Workspace {
        Workspace { members: vec![package], ..of_files(files) }
    }

    /// A package of the workspace.
    pub(crate) fn package(name: &str, dependencies: &[(&str, Option<&str>)]) -> Package {
        let dependency = |(name, kind): &(&str, Option<&str>)| Dependency {
            name: (*name).to_owned(),
            kind: kind.map(str::to_owned),
            rename: None,
        };
        Package {
            name: name.to_owned(),
            version: semver::Version::new(1, 0, 0),
            id: name.to_owned(),
            license: Some("MIT OR Apache-2.0".to_owned()),
            description: Some("Does a thing.".to_owned()),
            source: None,
            manifest_path: format!("crates/{name}/Cargo.toml").into(),
            dependencies: dependencies.iter().map(dependency).collect(),
        }
    }
}
