//! Firmware for microcontrollers: built from exported source, and run under QEMU.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
};

use mote_deploy::{Files, Language};

use super::tools::{files_with, output, succeed, target_folder, toolchain};

/// A board that QEMU has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Board {
    pub(crate) name: &'static str,
    /// QEMU's name for it.
    machine: &'static str,
    cpu: &'static str,
    target: &'static str,
    /// What exported Rust has to be told.
    features: &'static str,
    flash_bytes: usize,
    ram_at: usize,
    ram_bytes: usize,
}

/// Cortex-M4 with floating point.
pub(crate) const M4: Board = Board {
    name: "Cortex-M4",
    machine: "mps2-an386",
    cpu: "cortex-m4",
    target: "thumbv7em-none-eabihf",
    features: "self-test,dsp",
    flash_bytes: 4 << 20,
    ram_at: 0x2000_0000,
    ram_bytes: 4 << 20,
};

/// Cortex-M55 with vectors.
pub(crate) const M55: Board = Board {
    name: "Cortex-M55",
    machine: "mps3-an547",
    cpu: "cortex-m55",
    target: "thumbv8m.main-none-eabihf",
    features: "self-test,mve",
    flash_bytes: 512 << 10,
    ram_at: 0x1100_0000,
    ram_bytes: 2 << 20,
};

impl Board {
    /// The same without its special kernels.
    #[allow(dead_code)]
    pub(crate) fn plain(self) -> Self {
        Self { features: "self-test", ..self }
    }
}

/// Firmware that was built.
#[derive(Clone, Debug)]
pub(crate) struct Firmware {
    board: Board,
    elf: PathBuf,
}

/// What a run said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// Zero, or what failed.
    pub(crate) status: i32,
    pub(crate) stack_bytes: usize,
    /// Executed in one run of the program.
    pub(crate) instructions: u64,
}

/// Bytes of the firmware without the harness and the vectors of its test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub(crate) code: usize,
    pub(crate) tables: usize,
    pub(crate) ram: usize,
}

/// Cargo's folder holds one library of each name, so one build runs at a time.
static BUILD: Mutex<()> = Mutex::new(());

fn support() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support")
}

impl Firmware {
    /// Writes `files` and builds them for `board`; `case` names the folder.
    #[track_caller]
    pub(crate) fn build(files: &Files, language: Language, board: Board, case: &str) -> Self {
        let _guard = BUILD.lock().unwrap_or_else(|e| e.into_inner());
        let folder = fresh(&format!("{case}-{language:?}"), board);
        let library = match language {
            Language::Rust => {
                vec![rust_library(&folder, board, &[("model".into(), files.clone())])]
            }
            Language::C => {
                files.write(&folder.join("model")).expect("written");
                let mut sources = files_with(&folder.join("model"), &["c", "S"]);
                sources.push(support().join("bare/firmware.c"));
                sources
            }
        };
        Self::link(&folder, board, library)
    }

    /// Builds several exports, each under its own name, into one firmware, which tests all and runs
    /// the first; its status is the number of the one that failed, from one.
    #[track_caller]
    #[allow(dead_code)]
    pub(crate) fn build_all(models: &[(String, Files)], language: Language, board: Board) -> Self {
        let _guard = BUILD.lock().unwrap_or_else(|e| e.into_inner());
        let folder = fresh(&format!("all-{language:?}"), board);
        let inputs = match language {
            Language::Rust => vec![rust_library(&folder, board, models)],
            Language::C => c_sources(&folder, models),
        };
        Self::link(&folder, board, inputs)
    }

    #[track_caller]
    fn link(folder: &Path, board: Board, inputs: Vec<PathBuf>) -> Self {
        let elf = folder.join("firmware.elf");
        let mut gcc = Command::new("arm-none-eabi-gcc");
        gcc.args(["-std=c99", "-O2", "-mthumb", "-mfloat-abi=hard", "-ffunction-sections"]);
        gcc.args(["-fdata-sections", "-Wall", "-Wextra", "-Werror", "-nostartfiles"]);
        gcc.args(["--specs=nano.specs", "--specs=nosys.specs", "-Wl,--gc-sections"]);
        gcc.arg(format!("-mcpu={}", board.cpu))
            .args((board.cpu == M4.cpu).then_some("-mfpu=fpv4-sp-d16"));
        gcc.arg(format!("-Wl,--no-warn-rwx-segments,--defsym=flash_bytes={}", board.flash_bytes));
        gcc.arg(format!("-Wl,--defsym=ram_at={}", board.ram_at));
        gcc.arg(format!("-Wl,--defsym=ram_bytes={}", board.ram_bytes));
        gcc.arg("-I").arg(folder.join("model"));
        gcc.arg("-T").arg(support().join("bare/memory.ld"));
        gcc.arg(support().join("bare/start.c")).args(inputs).args(["-lm", "-o"]).arg(&elf);
        succeed(&mut gcc, "gcc-arm-none-eabi libnewlib-arm-none-eabi");
        Self { board, elf }
    }

    /// Runs it under QEMU and counts the instructions of one run of the program.
    #[track_caller]
    pub(crate) fn run(&self) -> Run {
        let symbols = self.symbols();
        let at = |name: &str| {
            let symbol = symbols.iter().find(|s| s.name == name);
            symbol.unwrap_or_else(|| panic!("no `{name}` in {}", self.elf.display())).address
        };
        let plugin = plugin();
        let marks = format!(
            "{},begin={:x},end={:x}",
            plugin.display(),
            at("roi_begin") & !1,
            at("roi_end") & !1
        );
        let mut qemu = Command::new("timeout");
        qemu.args(["120", "qemu-system-arm", "-M", self.board.machine, "-nographic"]);
        qemu.args(["-monitor", "none", "-serial", "none", "-semihosting-config"]);
        qemu.args(["enable=on,target=native", "-plugin", &marks, "-kernel"]).arg(&self.elf);
        let output = output(&mut qemu, "qemu-system-arm");
        let said = String::from_utf8_lossy(&output.stderr).into_owned()
            + &String::from_utf8_lossy(&output.stdout);
        let number = |word: &str| {
            let line = said.lines().find_map(|line| line.strip_prefix(word));
            let line = line.unwrap_or_else(|| panic!("no `{word}` in what QEMU said:\n{said}"));
            line.trim().parse::<u64>().expect("a number")
        };
        let status = output.status.code().unwrap_or(-1);
        assert_ne!(status, 127, "`qemu-system-arm` is missing: install the package of this name");
        Run {
            status,
            stack_bytes: number("stack ") as usize,
            instructions: number("instructions "),
        }
    }

    /// What the linker kept.
    #[track_caller]
    #[allow(dead_code)]
    pub(crate) fn sizes(&self) -> Sizes {
        let mut sizes = Sizes::default();
        for symbol in self.symbols() {
            // The harness, the vectors of the self-test and their functions are not shipped.
            let ours =
                ["harness", "roi_", "firmware_", "model_self_test", "near_", "INPUT_", "OUTPUT_"];
            let lower = ["input_", "output_"];
            let test = lower.iter().any(|p| symbol.name.starts_with(p) && symbol.kind == 'r');
            if test
                || ours.iter().any(|p| symbol.name.contains(p))
                || symbol.name.contains("self_test")
            {
                continue;
            }
            match symbol.kind.to_ascii_lowercase() {
                't' | 'w' => sizes.code += symbol.bytes,
                'r' => sizes.tables += symbol.bytes,
                'b' | 'd' => sizes.ram += symbol.bytes,
                _ => {}
            }
        }
        sizes
    }

    #[track_caller]
    fn symbols(&self) -> Vec<Symbol> {
        let mut nm = Command::new("arm-none-eabi-nm");
        let text = succeed(nm.arg("-S").arg(&self.elf), "binutils-arm-none-eabi");
        text.lines().filter_map(Symbol::parse).collect()
    }
}

struct Symbol {
    address: u64,
    bytes: usize,
    kind: char,
    name: String,
}

impl Symbol {
    /// From `address size kind name`; those without a size are no objects.
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let address = u64::from_str_radix(words.next()?, 16).ok()?;
        let bytes = usize::from_str_radix(words.next()?, 16).ok()?;
        let kind = words.next()?.chars().next()?;
        Some(Self { address, bytes, kind, name: words.next()?.into() })
    }
}

/// A new folder for a firmware.
fn fresh(case: &str, board: Board) -> PathBuf {
    let kernels = board.features.replace(',', "-");
    let folder = target_folder().join("firmware").join(format!("{case}-{}-{kernels}", board.cpu));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder in target");
    folder
}

/// Exported Rust as a library for the harness, which runs the first crate.
#[track_caller]
fn rust_library(folder: &Path, board: Board, crates: &[(String, Files)]) -> PathBuf {
    let firmware = folder.join("firmware");
    fs::create_dir_all(firmware.join("src")).expect("a folder in target");
    let features = board.features.replace(',', "\", \"");
    let (mut dependencies, mut tests) = (String::new(), String::new());
    for (i, (name, files)) in crates.iter().enumerate() {
        write_part(files, &folder.join(name));
        dependencies +=
            &format!("{name} = {{ path = \"../{name}\", features = [\"{features}\"] }}\n");
        tests += &format!("    test!({name}, {});\n", i + 1);
    }
    let template = fs::read_to_string(support().join("bare/firmware.rs.in")).expect("committed");
    let source = template.replace("FIRST", &crates[0].0).replace("TESTS", tests.trim());
    fs::write(firmware.join("src/lib.rs"), source).expect("written");
    let manifest = format!(
        "[package]\nname = \"firmware\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\
         [lib]\ncrate-type = [\"staticlib\"]\n[dependencies]\n{dependencies}\
         [profile.release]\npanic = \"abort\"\nlto = true\ncodegen-units = 1\nopt-level = 3\n\
         [workspace]\n"
    );
    fs::write(firmware.join("Cargo.toml"), manifest).expect("written");
    let target = target_folder().join("firmware").join(board.target);
    let mut cargo = cargo("build", &firmware, board.target, &target);
    cargo.arg("-Zbuild-std=core").env("RUSTFLAGS", format!("-Ctarget-cpu={}", board.cpu));
    succeed(&mut cargo, "cargo");
    target.join(board.target).join("release/libfirmware.a")
}

/// Writes an exported crate as a part of a larger build.
pub(crate) fn write_part(files: &Files, folder: &Path) {
    files.write(folder).expect("written");
    let path = folder.join("Cargo.toml");
    let manifest = fs::read_to_string(&path).expect("written");
    fs::write(path, manifest.replace("[workspace]", "")).expect("written");
}

/// Exported C of several models, the kernels of all once, and a test of each in turn: what a build
/// takes. `firmware_self_test` says which failed, as that of Rust does.
pub(crate) fn c_sources(folder: &Path, models: &[(String, Files)]) -> Vec<PathBuf> {
    fs::create_dir_all(folder.join("kernels")).expect("a folder in target");
    let (mut includes, mut tests) = (String::new(), String::new());
    for (i, (name, files)) in models.iter().enumerate() {
        for (path, content) in files.iter().filter(|(path, _)| *path != "README.md") {
            fs::write(folder.join(path), content).expect("written");
        }
        includes += &format!("#include \"{name}.h\"\n");
        tests +=
            &format!("    if ({name}_self_test() != 0) {{\n        return {};\n    }}\n", i + 1);
    }
    let source = format!(
        "{includes}\nint firmware_self_test(void);\nvoid firmware_run(void);\n\n\
         int firmware_self_test(void) {{\n{tests}    return 0;\n}}\n\n\
         void firmware_run(void) {{\n    {}_run();\n}}\n",
        models[0].0
    );
    fs::write(folder.join("firmware.c"), source).expect("written");
    files_with(folder, &["c", "S"])
}

/// A command of the toolchain's Cargo for `triple`, in `folder`.
#[track_caller]
pub(crate) fn cargo(command: &str, folder: &Path, triple: &str, target: &Path) -> Command {
    let toolchain = toolchain();
    let mut cargo = Command::new(toolchain.join("usr/bin/cargo"));
    cargo.current_dir(folder).args([command, "--release", "--target", triple]);
    cargo.env("RUSTC", toolchain.join("usr/bin/rustc")).env("RUSTC_BOOTSTRAP", "1");
    cargo.env("LD_LIBRARY_PATH", toolchain.join("usr/lib/x86_64-linux-gnu"));
    cargo.env("CARGO_TARGET_DIR", target).env_remove("CARGO_ENCODED_RUSTFLAGS");
    // Those of the toolchain that runs this test.
    cargo.env_remove("RUSTUP_TOOLCHAIN").env_remove("RUSTC_WRAPPER").env_remove("CARGO");
    cargo
}

/// The plugin that counts, built once.
#[track_caller]
fn plugin() -> PathBuf {
    static ONCE: Mutex<bool> = Mutex::new(false);
    let path = target_folder().join("firmware/libcount.so");
    let mut done = ONCE.lock().unwrap_or_else(|e| e.into_inner());
    if !*done {
        let mut cc = Command::new("cc");
        cc.args(["-O2", "-shared", "-fPIC", "-o"]).arg(&path).arg(support().join("count.c"));
        succeed(&mut cc, "build-essential");
        *done = true;
    }
    path
}
