//! A real Mosquitto broker on a free port of this machine, for tests.
//!
//! Include it with `#[path = "support/mosquitto.rs"] mod mosquitto;`. It needs the crate `tempfile`
//! and the Debian package `mosquitto`, and panics where the package is missing: a test that did not
//! run must not look like one that passed.

use std::fs;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The longest time that anything here may take on a slow machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running broker; it is killed when it is dropped.
///
/// Sessions and messages are saved after each change, nothing limits queues, and everybody may log
/// in, unless the configuration says otherwise.
pub(crate) struct Mosquitto {
    port: u16,
    directory: TempDir,
    child: Child,
}

impl Mosquitto {
    /// Starts a broker with further lines of configuration, in which `{dir}` is its own directory,
    /// and with files to put there.
    #[track_caller]
    pub(crate) fn start(lines: &[&str], files: &[(&str, &[u8])]) -> Self {
        let directory = TempDir::with_prefix("mosquitto-").expect("no temporary directory");
        for (name, content) in files {
            fs::write(directory.path().join(name), content).expect("cannot write a file");
        }
        // Another process may take the free port before the broker does.
        for _ in 0..10 {
            let port = free_port();
            fs::write(config(&directory), configuration(directory.path(), port, lines))
                .expect("cannot write the configuration");
            if let Some(child) = launch(&directory, port) {
                return Self { port, directory, child };
            }
        }
        panic!("mosquitto did not start ten times:\n{}", log(&directory));
    }

    /// The port it listens on, at 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// An address like `mqtt://127.0.0.1:1883/rest`.
    pub(crate) fn address(&self, rest: &str) -> String {
        format!("mqtt://127.0.0.1:{}{rest}", self.port)
    }

    /// Ends the broker as a crash would (SIGKILL).
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("cannot kill mosquitto");
        self.child.wait().expect("cannot wait for mosquitto");
    }

    /// Starts it again after [`Mosquitto::kill`], on the same port and with what it had saved.
    #[track_caller]
    pub(crate) fn restart(&mut self) {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(child) = launch(&self.directory, self.port) {
                self.child = child;
                return;
            }
            assert!(Instant::now() < end, "mosquitto did not restart:\n{}", log(&self.directory));
        }
    }

    /// Ends the broker as a crash would, at a moment at which it has saved all that it has confirmed: it confirms first
    /// and saves behind each round of its loop, so what it confirmed in between is lost with it, whatever clients do.
    #[track_caller]
    pub(crate) fn kill_saved(&mut self) {
        let id = self.child.id().to_string();
        let signal = |name: &str| {
            let status = Command::new("kill").args([name, &id]).status();
            assert!(status.is_ok_and(|status| status.success()), "cannot send {name}");
        };
        until("the broker had saved what it confirmed", || {
            signal("-STOP");
            let state = || fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
            until("the broker stopped", || state().contains(") T "));
            // A save is the last thing said, and its file has taken the place of the old one.
            let saves = log(&self.directory).lines().last().is_some_and(|l| l.contains("Saving"));
            let saved = saves && !self.directory.path().join("mosquitto.db.new").exists();
            if !saved {
                signal("-CONT");
            }
            saved
        });
        self.kill();
    }

    /// Waits until the saved state holds `text`, such as the client id of a subscriber.
    #[track_caller]
    pub(crate) fn wait_saved(&self, text: &str) {
        let database = self.directory.path().join("mosquitto.db");
        until("the broker saved its state", || {
            let saved = fs::read(&database).unwrap_or_default();
            saved.windows(text.len()).any(|window| window == text.as_bytes())
        });
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let log = log(&self.directory);
            let start = log.char_indices().rev().nth(4000).map_or(0, |(i, _)| i);
            eprintln!("the end of mosquitto's log:\n{}", &log[start..]);
        }
    }
}

/// A file in Mosquitto's format that lets one user in.
#[track_caller]
pub(crate) fn password_file(user: &str, password: &str) -> Vec<u8> {
    let directory = TempDir::new().expect("no temporary directory");
    let path = directory.path().join("passwords");
    let status = Command::new("mosquitto_passwd")
        .args(["-c", "-b"])
        .arg(&path)
        .args([user, password])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(is_installed(status.map(|status| status.success())), "mosquitto_passwd failed");
    fs::read(path).expect("mosquitto_passwd wrote nothing")
}

/// Polls until `done`, and fails with `what` did not happen in time.
#[track_caller]
pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < end, "it did not happen within {PATIENCE:?} that {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// A port of this machine that nobody listens on now.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("no free port");
    listener.local_addr().expect("a listener has an address").port()
}

/// Starts the broker and waits until it listens; `None` where it ended instead.
#[track_caller]
fn launch(directory: &TempDir, port: u16) -> Option<Child> {
    let start = |program: &str| {
        Command::new(program)
            .arg("-c")
            .arg(config(directory))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
    };
    // Debian installs it where only root looks.
    let child = start("mosquitto").or_else(|_| start("/usr/sbin/mosquitto"));
    let mut child = is_installed(child);
    let end = Instant::now() + PATIENCE;
    loop {
        if child.try_wait().expect("cannot ask for mosquitto's state").is_some() {
            return None;
        }
        if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Some(child);
        }
        assert!(Instant::now() < end, "mosquitto does not listen:\n{}", log(directory));
        thread::sleep(Duration::from_millis(10));
    }
}

#[track_caller]
fn is_installed<T>(result: std::io::Result<T>) -> T {
    match result {
        Ok(value) => value,
        Err(error) if error.kind() == ErrorKind::NotFound => panic!(
            "this test needs a real MQTT broker: install the Debian package `mosquitto` \
             (`apt-get install mosquitto`)"
        ),
        Err(error) => panic!("mosquitto cannot be started: {error}"),
    }
}

fn configuration(directory: &Path, port: u16, lines: &[&str]) -> String {
    let dir = directory.display().to_string();
    let has = |key: &str| lines.iter().any(|line| line.starts_with(key));
    let mut all = vec![
        // Started by root, it would become a user who cannot write here.
        "user root".to_owned(),
        format!("log_dest file {dir}/mosquitto.log"),
        "log_type all".to_owned(),
        format!("listener {port} 127.0.0.1"),
    ];
    for (key, value) in [
        ("allow_anonymous", "true"),
        ("persistence", "true"),
        ("persistence_location", "{dir}/"),
        ("autosave_on_changes", "true"),
        ("autosave_interval", "1"),
        ("max_inflight_messages", "0"),
        ("max_queued_messages", "0"),
    ] {
        if !has(&format!("{key} ")) {
            all.push(format!("{key} {value}"));
        }
    }
    all.extend(lines.iter().map(|&line| line.to_owned()));
    all.join("\n").replace("{dir}", &dir) + "\n"
}

fn config(directory: &TempDir) -> PathBuf {
    directory.path().join("mosquitto.conf")
}

fn log(directory: &TempDir) -> String {
    let log = fs::read(directory.path().join("mosquitto.log")).unwrap_or_default();
    String::from_utf8_lossy(&log).into_owned()
}
