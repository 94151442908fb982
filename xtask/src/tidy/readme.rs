//! The commands in the documentation exist, and the README names the one that runs the tests.

use anyhow::{Context as _, Result, bail};

use crate::{
    MENU,
    finding::{Finding, Rule},
    workspace::Workspace,
};

/// The comment in the README after which the command that runs the tests follows.
const MARKER: &str = "<!-- test-command -->";

/// Finds commands in Markdown files that do not exist, and a README without its test command.
pub(super) fn check(workspace: &Workspace) -> Vec<Finding> {
    let known = known_commands(workspace);
    let mut findings = Vec::new();
    for file in workspace.files.iter().filter(|file| file.path.ends_with(".md")) {
        for block in shell_blocks(&file.text) {
            for (line, command) in block {
                let faults = segments(command).filter_map(|words| fault(workspace, &known, words));
                findings.extend(faults.map(|(what, wanted)| {
                    Finding::in_file(Rule::Readme, &file.path, line, what, wanted)
                }));
            }
        }
    }
    let readme = workspace.file("README.md").map_or("", |file| file.text.as_str());
    if let Err(error) = test_command(readme) {
        let wanted = format!("`{MARKER}` above a block of `sh` with one command");
        findings.push(Finding::in_file(Rule::Readme, "README.md", 1, error.to_string(), wanted));
    }
    findings
}

/// The command that runs the tests, as the README tells it to its readers.
///
/// # Errors
///
/// If the marker stands there not once, or is not followed by a block with one command.
pub(crate) fn test_command(readme: &str) -> Result<&str> {
    let mut marks = readme.match_indices(MARKER);
    let (at, _) = marks.next().context("the README does not mark its test command")?;
    if marks.next().is_some() {
        bail!("the README marks two test commands");
    }
    let after = &readme[at + MARKER.len()..];
    let mut blocks = shell_blocks(after).into_iter();
    match blocks.next().as_deref() {
        // The block opens right below the marker, so its command stands on the third line.
        Some([(3, command)]) => Ok(*command),
        _ => bail!("the mark of the test command is not followed by a block with one command"),
    }
}

/// The commands in each fenced block of shell, with the numbers of their lines.
fn shell_blocks(text: &str) -> Vec<Vec<(usize, &str)>> {
    let mut blocks = Vec::new();
    let mut inside = false;
    let mut is_shell = false;
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(language) = line.strip_prefix("```") {
            inside = !inside;
            is_shell = inside && matches!(language.trim(), "sh" | "bash" | "shell" | "console");
            if is_shell {
                blocks.push(Vec::new());
            }
        } else if is_shell && !line.is_empty() && !line.starts_with('#') {
            let command = line.strip_prefix("$ ").unwrap_or(line);
            blocks.last_mut().into_iter().for_each(|block| block.push((at + 1, command)));
        }
    }
    blocks
}

/// The words of each program that a line starts, without variables set for it.
fn segments(line: &str) -> impl Iterator<Item = Vec<&str>> {
    let line = line.split(" #").next().unwrap_or(line);
    line.split(['|', '&', ';']).map(|segment| {
        let is_variable = |word: &&str| word.contains('=') && !word.starts_with('-');
        segment.split_whitespace().skip_while(is_variable).collect()
    })
}

/// What is wrong with a command, and what is wanted.
fn fault(workspace: &Workspace, known: &[String], words: Vec<&str>) -> Option<(String, String)> {
    let (program, arguments) = words.split_first()?;
    let name = program.rsplit('/').next().unwrap_or(program);
    match (name, arguments.first().copied()) {
        ("cargo", Some("xtask")) => {
            let command = arguments.get(1)?;
            let exists = command.starts_with('-') || MENU.iter().any(|(name, _)| name == command);
            let names: Vec<_> = MENU.iter().map(|(name, _)| format!("`{name}`")).collect();
            let wanted = format!("one of {}", names.join(", "));
            (!exists).then(|| (format!("`cargo xtask {command}` does not exist"), wanted))
        }
        ("cargo", Some(_)) => {
            let at = arguments.iter().position(|word| matches!(*word, "-p" | "--package"))?;
            let package = arguments.get(at + 1)?;
            let exists = workspace.members.iter().any(|member| member.name == *package);
            let wanted = "a crate of this workspace".to_owned();
            (!exists).then(|| (format!("the package `{package}` does not exist"), wanted))
        }
        ("mote", Some(command)) if command.starts_with(|c: char| c.is_ascii_lowercase()) => {
            let exists = known.iter().any(|name| name == command) || command == "help";
            let wanted = "a command that `crates/mote` has".to_owned();
            (!exists).then(|| (format!("`mote {command}` does not exist"), wanted))
        }
        _ if program.starts_with(['.']) && program.contains('/') => {
            let path = program.trim_start_matches("./");
            let exists = path.starts_with("target/") || workspace.file(path).is_some();
            let wanted = "a file of this repository".to_owned();
            (!exists).then(|| (format!("`{program}` does not exist"), wanted))
        }
        _ => None,
    }
}

/// The commands of `mote`: the variants of the enums from which clap derives subcommands.
///
/// The source is read and not the program run, because these rules need no compiler.
fn known_commands(workspace: &Workspace) -> Vec<String> {
    let mut commands = Vec::new();
    for (file, code) in workspace.rust_files() {
        if !file.path.starts_with("crates/mote/src/") {
            continue;
        }
        for (at, _) in code.as_str().match_indices("Subcommand") {
            let rest = &code.as_str()[at..];
            // Only in a derive: between the word and its enum stands no other item.
            let Some(item) = rest.find("enum ") else { continue };
            if rest[..item].contains(['{', ';']) {
                continue;
            }
            commands.extend(code.body_after(at + item).into_iter().flat_map(variants));
        }
    }
    commands
}

/// The names of an enum's variants as clap spells them: `OneTwo` becomes `one-two`.
fn variants(body: &str) -> Vec<String> {
    let mut depth = 0_usize;
    let mut names = Vec::new();
    let mut fresh = true;
    for (at, c) in body.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => fresh = true,
            _ if depth == 0 && fresh && c.is_alphabetic() => {
                names.push(kebab(crate::code::identifier(&body[at..])));
                fresh = false;
            }
            _ => {}
        }
    }
    names
}

fn kebab(name: &str) -> String {
    let mut kebab = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !kebab.is_empty() {
            kebab.push('-');
        }
        kebab.extend(c.to_lowercase());
    }
    kebab
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::samples;

    const README: &str = "# A\n\n<!-- test-command -->\n```sh\ncargo test\n```\n";

    #[track_caller]
    fn check_command(line: &str, wanted: Option<&str>) {
        let cli = "#[derive(Debug, Subcommand)]\nenum Command {\n    /// Trains, well.\n    \
                   Train(Train),\n    #[command(alias = \"x\")]\n    DriftWatch { a: u8 },\n}\n\
                   impl Subcommand for X {}\nenum Other { Nothing }\n";
        let doc = format!("Text\n```sh\n{line}\n```\n");
        let package = samples::package("mote-data", &[]);
        let files = [
            ("README.md", README),
            ("docs/a.md", &doc),
            ("crates/mote/src/cli.rs", cli),
            (".ci/run", "true"),
        ];
        let found = check(&samples::of_package(package, &files));
        assert_eq!(found.first().map(|f| f.what.as_str()), wanted, "{line}");
        assert!(found.iter().all(|f| f.line == 3 && f.path == "docs/a.md"));
    }

    #[test]
    fn commands_that_exist_pass() {
        check_command("cargo xtask tidy", None);
        check_command("$ cargo test --release -p mote-data", None);
        check_command("mote train a.csv | head && mote drift-watch  # mote nothing", None);
        check_command("RUST_LOG=x target/release/mote train", None);
        check_command("mote --help", None);
        check_command("./.ci/run", None);
        check_command(".ci/run", None);
        check_command("# mote nothing", None);
        check_command("python -m mote nothing", None);
    }

    #[test]
    fn commands_that_do_not_exist_are_found() {
        check_command("cargo xtask polish", Some("`cargo xtask polish` does not exist"));
        check_command("cargo test -p mote-dat", Some("the package `mote-dat` does not exist"));
        check_command("mote nothing", Some("`mote nothing` does not exist"));
        check_command("cat a | mote trian", Some("`mote trian` does not exist"));
        check_command("./scripts/go", Some("`./scripts/go` does not exist"));
    }

    #[test]
    fn only_shell_is_read() {
        let text = format!("{README}```rust\nmote nothing\n```\nmote nothing\n");
        assert_eq!(check(&samples::of_files(&[("README.md", &text)])), []);
    }

    #[test]
    fn the_test_command_is_the_one_below_the_mark() {
        assert_eq!(test_command(README).unwrap(), "cargo test");
        let dollar = README.replace("sh\n", "console\n$ ");
        assert_eq!(test_command(&dollar).unwrap(), "cargo test");
    }

    #[test]
    fn a_readme_without_one_test_command_is_refused() {
        for text in [
            "",
            "<!-- test-command -->",
            "```sh\ncargo test\n```",
            "<!-- test-command -->\nText.\n```sh\ncargo test\n```\n",
            "<!-- test-command -->\n```sh\ncargo test\ncargo test\n```\n",
            "<!-- test-command -->\n```sh\n```\n",
            &README.repeat(2),
        ] {
            assert!(test_command(text).is_err(), "accepted {text:?}");
            assert_eq!(check(&samples::of_files(&[("README.md", text)])).len(), 1);
        }
        assert_eq!(check(&samples::of_files(&[])).len(), 1);
    }
}
