//! A directory of its own for each test, a server in it, and the other verbs run against it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_ledgerstone");

/// An empty directory in which verbs are run.
pub struct Rig {
    dir: TempDir,
}

/// A server that runs; killed when dropped.
pub struct Server {
    child: Child,
    /// Everything it printed at its start.
    pub banner: String,
    /// Its address.
    pub url: String,
}

/// What a verb did.
#[derive(Debug)]
pub struct Done {
    pub code: Option<i32>,
    pub out: String,
    pub raw_out: Vec<u8>,
    pub err: String,
}

impl Rig {
    pub fn new() -> Rig {
        Rig { dir: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// Starts a server on a free port and waits until it listens.
    pub fn up(&self, flags: &[&str]) -> Server {
        let mut command = self.command(&["up", "--listen", "127.0.0.1:0"]);
        let mut child = command.args(flags).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut banner = String::new();
        // The last line of a banner is the command with curl.
        while !banner.contains("curl") {
            if out.read_line(&mut banner).unwrap() == 0 {
                let mut err = String::new();
                child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
                panic!("the server did not start: {banner}{err}");
            }
        }
        child.stdout = Some(out.into_inner());
        let url = banner.split_whitespace().find(|word| word.starts_with("http")).unwrap().to_owned();
        Server { child, banner, url }
    }

    /// Runs a verb without a server.
    pub fn run(&self, args: &[&str]) -> Done {
        finish(self.command(args).stdin(Stdio::null()))
    }

    /// Runs a verb against a server.
    pub fn ask(&self, server: &Server, args: &[&str]) -> Done {
        finish(self.command(args).env("LEDGERSTONE_SERVER", &server.url).stdin(Stdio::null()))
    }

    /// Runs a verb against a server and reads the JSON it prints.
    pub fn ask_json(&self, server: &Server, args: &[&str]) -> Value {
        let done = self.ask(server, &[args, &["--json"]].concat());
        serde_json::from_str(&done.out).unwrap_or_else(|error| panic!("{args:?}: {error}: {done:?}"))
    }

    /// Runs a verb that reads standard input.
    pub fn feed(&self, server: &Server, args: &[&str], input: &[u8]) -> Done {
        let mut command = self.command(args);
        command.env("LEDGERSTONE_SERVER", &server.url).stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        Done::of(child.wait_with_output().unwrap())
    }

    /// The verb, in this directory, without anything from the surroundings.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.args(args).current_dir(self.dir.path());
        for name in [
            "LEDGERSTONE_SERVER",
            "LEDGERSTONE_TOKEN",
            "LEDGERSTONE_PURPOSE",
            "LEDGERSTONE_CA",
            "NO_COLOR",
            "http_proxy",
            "HTTP_PROXY",
        ] {
            command.env_remove(name);
        }
        command
    }
}

impl Server {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Stops it as a supervisor would; gives its exit code and what it logged.
    pub fn terminate(mut self) -> (Option<i32>, String) {
        signal("TERM", self.pid());
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        (self.child.wait().unwrap().code(), log)
    }

    /// What it logs, for a test that reads along; then stop it with [`Server::terminate_quietly`].
    pub fn stderr(&mut self) -> std::process::ChildStderr {
        self.child.stderr.take().unwrap()
    }

    /// Stops it as a supervisor would, where another reads what it logs.
    pub fn terminate_quietly(mut self) {
        signal("TERM", self.pid());
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }

    /// Ends it without any warning.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The verification key that the banner tells.
    pub fn vkey(&self) -> String {
        let line = self.banner.lines().find(|line| line.contains("verification key  ")).unwrap();
        line.rsplit(' ').next().unwrap().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Done {
    fn of(output: std::process::Output) -> Done {
        Done {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            raw_out: output.stdout,
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    #[track_caller]
    pub fn ok(self) -> Done {
        self.code_is(0)
    }

    #[track_caller]
    pub fn code_is(self, code: i32) -> Done {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }

    #[track_caller]
    pub fn says(self, text: &str) -> Done {
        assert!(self.out.contains(text) || self.err.contains(text), "{text:?} is not in {self:?}");
        self
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Sends a signal to one process that this test started.
pub fn signal(name: &str, pid: u32) {
    let sent = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status().unwrap();
    assert!(sent.success());
}

/// A file of the examples that come with the sources.
pub fn example(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name);
    path.canonicalize().unwrap().display().to_string()
}

fn finish(command: &mut Command) -> Done {
    Done::of(command.output().unwrap())
}
