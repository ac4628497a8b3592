//! Running other programs: in view, or aside with a limit.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The time, for measuring and limits.
#[expect(clippy::disallowed_methods, reason = "automation measures real time; nothing it does is replayed")]
pub fn now() -> Instant {
    Instant::now()
}

/// The programs and folders that commands are run with.
pub struct Shell {
    /// Folder of the workspace.
    pub root: PathBuf,
    /// What automation keeps between runs, below the target folder.
    pub cache: PathBuf,
    /// Folder of the programs that were built, this one among them.
    pub built: PathBuf,
}

impl Shell {
    /// Finds the folders, and makes that of the cache.
    pub fn new(root: &Path) -> io::Result<Self> {
        let built = std::env::current_exe()?.parent().map(Path::to_path_buf).unwrap_or_default();
        let cache = built.parent().unwrap_or(&built).join("xtask");
        fs::create_dir_all(&cache)?;
        Ok(Self { root: root.to_path_buf(), cache, built })
    }

    /// A command that runs in the workspace.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.root).stdin(Stdio::null());
        command
    }

    /// The cargo that runs us.
    pub fn cargo(&self, arguments: &[&str]) -> Command {
        self.command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()), arguments)
    }

    /// Runs a command in view and hands each line of its output to `each` as well.
    ///
    /// # Errors
    /// The command could not be started, or failed; the text says which.
    pub fn watch(&self, command: &mut Command, mut each: impl FnMut(&str)) -> Result<(), String> {
        let name = show(command);
        let failed = |error: io::Error| format!("{name}: {error}");
        let mut child = command.stdout(Stdio::piped()).spawn().map_err(failed)?;
        if let Some(output) = child.stdout.take() {
            for line in BufReader::new(output).split(b'\n') {
                let line = line.map_err(failed)?;
                let line = String::from_utf8_lossy(&line);
                println!("{line}");
                each(&line);
            }
        }
        let status = child.wait().map_err(failed)?;
        if status.success() { Ok(()) } else { Err(format!("{name}: {status}")) }
    }

    /// Runs a command in view.
    ///
    /// # Errors
    /// As for [`Shell::watch`].
    pub fn run(&self, command: &mut Command) -> Result<(), String> {
        self.watch(command, |_| {})
    }

    /// Runs a command aside for at most `limit`; its output, or what there is of it and why it failed.
    ///
    /// # Errors
    /// It could not be started, failed, or took too long and was ended.
    pub fn aside(&self, command: &mut Command, limit: Duration) -> Result<String, String> {
        let name = show(command);
        let failed = |error: io::Error| format!("{name}: {error}");
        // A file and no pipe: what the command leaves running can't keep us waiting.
        let path = self.cache.join(format!("output-{}", std::process::id()));
        let file = File::create(&path).map_err(failed)?;
        let errors = file.try_clone().map_err(failed)?;
        let mut child = command.stdout(file).stderr(errors).spawn().map_err(failed)?;
        let deadline = now() + limit;
        let status = loop {
            match child.try_wait().map_err(failed)? {
                Some(status) => break Some(status),
                None if now() >= deadline => {
                    // It may have ended just now, which is as good.
                    let _ = child.kill();
                    let _ = child.wait();
                    break None;
                }
                None => thread::sleep(Duration::from_millis(20)),
            }
        };
        let output =
            fs::read(&path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).map_err(failed)?;
        fs::remove_file(&path).map_err(failed)?;
        match status {
            Some(status) if status.success() => Ok(output),
            Some(status) => Err(format!("{name}: {status}\n{output}")),
            None => Err(format!("{name}: not done after {} s\n{output}", limit.as_secs())),
        }
    }
}

/// The command as one would type it.
fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    Vec::from_iter(words.map(|word| word.to_string_lossy())).join(" ")
}
