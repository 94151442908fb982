//! The `mote` command: arguments in, exit codes and words for people out.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
