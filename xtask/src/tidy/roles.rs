//! What a Rust file is for: the product's library code, a binary, a tool, or tests.

use std::collections::BTreeSet;

use crate::{
    code::{Module, TestItem},
    workspace::{File, Workspace},
};

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Code that others call.
    Library,
    /// The door to the world: it may print, exit, and read clock and environment.
    Binary,
    /// The build and the checks.
    Tool,
    /// Tests, benchmarks and examples.
    Test,
}

/// The roles of all files of a workspace.
#[derive(Debug)]
pub(super) struct Roles {
    /// Files and folders (which end in `/`) that are modules for tests only.
    test_modules: BTreeSet<String>,
}

impl Roles {
    /// Follows the modules that are compiled for tests only to their files.
    pub(super) fn of(workspace: &Workspace) -> Self {
        let mut test_modules = BTreeSet::new();
        for (file, code) in workspace.rust_files() {
            for module in code.test_items(&file.text).into_iter().filter_map(|item| item.module) {
                let stem = match module {
                    Module::Named(name) => format!("{}{name}", children(&file.path)),
                    Module::At(path) => {
                        let path = path.trim_end_matches(".rs");
                        format!("{}{path}", folder(&file.path))
                    }
                };
                test_modules.insert(format!("{stem}.rs"));
                test_modules.insert(format!("{stem}/"));
            }
        }
        Self { test_modules }
    }

    /// What `file` is for.
    pub(super) fn role(&self, file: &File) -> Role {
        let path = file.path.as_str();
        let module = |m: &String| path == m || m.ends_with('/') && path.starts_with(m);
        if self.test_modules.iter().any(module) {
            return Role::Test;
        }
        // What follows the folder of the crate: `src/…`, `tests/…`.
        let inside = match path.strip_prefix("crates/") {
            Some(rest) => rest.split_once('/').map_or(rest, |(_, inside)| inside),
            None => path,
        };
        match inside.split('/').next().unwrap_or(inside) {
            "bench" | "xtask" | "build.rs" => Role::Tool,
            "tests" | "benches" | "examples" => Role::Test,
            _ if inside == "src/main.rs" || inside.starts_with("src/bin/") => Role::Binary,
            _ if is_command(path) => Role::Binary,
            _ => Role::Library,
        }
    }

    /// The lines of `file` that run in tests only, as a question about a line.
    pub(super) fn in_tests(&self, file: &File) -> impl Fn(usize) -> bool {
        let whole = self.role(file) == Role::Test;
        let items = file.code.as_ref().map_or_else(Vec::new, |code| code.test_items(&file.text));
        move |line| whole || items.iter().any(|TestItem { lines, .. }| lines.contains(&line))
    }
}

/// Whether the file is a part of the command `mote` and not of its library.
fn is_command(path: &str) -> bool {
    let Some(inside) = path.strip_prefix("crates/mote/src/") else { return false };
    let first = inside.split('/').next().unwrap_or(inside);
    matches!(first, "cli" | "cli.rs" | "command" | "command.rs")
}

/// The folder of a file, with its slash.
fn folder(path: &str) -> &str {
    path.rfind('/').map_or("", |at| &path[..=at])
}

/// The folder in which the modules of a file lie, with its slash.
fn children(path: &str) -> String {
    match path.strip_suffix(".rs") {
        Some(stem) if !is_folder_itself(path) => format!("{stem}/"),
        _ => folder(path).to_owned(),
    }
}

/// Whether a file stands for its folder, so that its modules lie beside it.
fn is_folder_itself(path: &str) -> bool {
    let name = &path[folder(path).len()..];
    let target = ["src/bin/", "tests/", "benches/", "examples/"];
    matches!(name, "lib.rs" | "main.rs" | "mod.rs")
        || target.iter().any(|t| folder(path).ends_with(t))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::samples;

    #[track_caller]
    fn check(path: &str, wanted: Role) {
        let workspace = samples::of_files(&[
            ("crates/a/src/lib.rs", "#[cfg(test)]\nmod top;\nmod deep;\n"),
            ("crates/a/src/deep.rs", "#[cfg(test)]\nmod inner;\n"),
            ("crates/a/src/side.rs", "#[cfg(test)]\n#[path = \"side_tests.rs\"]\nmod tests;\n"),
        ]);
        let roles = Roles::of(&workspace);
        assert_eq!(roles.role(&File::new(path, "")), wanted, "{path}");
    }

    #[test]
    fn folders_tell_what_a_file_is_for() {
        check("crates/a/src/lib.rs", Role::Library);
        check("crates/a/src/cli/run.rs", Role::Library);
        check("crates/a/src/main.rs", Role::Binary);
        check("crates/a/src/bin/b.rs", Role::Binary);
        check("crates/a/build.rs", Role::Tool);
        check("crates/a/tests/b.rs", Role::Test);
        check("crates/a/examples/b/main.rs", Role::Test);
        check("xtask/src/main.rs", Role::Tool);
    }

    #[test]
    fn the_command_is_a_binary_and_its_library_is_not() {
        check("crates/mote/src/cli/run.rs", Role::Binary);
        check("crates/mote/src/command.rs", Role::Binary);
        check("crates/mote/src/commander.rs", Role::Library);
        check("crates/mote/src/lib.rs", Role::Library);
    }

    #[test]
    fn modules_for_tests_are_tests_with_all_below_them() {
        check("crates/a/src/top.rs", Role::Test);
        check("crates/a/src/top/below.rs", Role::Test);
        check("crates/a/src/deep/inner.rs", Role::Test);
        check("crates/a/src/side_tests.rs", Role::Test);
        check("crates/a/src/inner.rs", Role::Library);
        check("crates/a/src/deep/other.rs", Role::Library);
    }

    #[test]
    fn lines_of_test_items_are_tests() {
        let file = File::new("crates/a/src/b.rs", "fn a() {}\n#[cfg(test)]\nmod t {\n}\nfn b() {}");
        let roles = Roles::of(&samples::of_files(&[]));
        let in_tests = roles.in_tests(&file);
        assert_eq!((1..=5).filter(|l| in_tests(*l)).collect::<Vec<_>>(), [2, 3, 4]);
    }
}
