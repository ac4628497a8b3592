//! Who a process is, as far as `/proc` tells while it still runs (proc(5)).

use std::fs;
use std::io::Read;

/// Longest command line kept, in bytes.
const COMMAND_MAX: u64 = 512;

/// User, program and command line of a process.
#[derive(Debug, Default)]
pub(crate) struct Who {
    pub uid: Option<u32>,
    pub exe: Option<String>,
    pub command: Option<String>,
}

pub(crate) fn look_up(pid: u32) -> Who {
    let at = |name: &str| format!("/proc/{pid}/{name}");
    let exe = fs::read_link(at("exe")).ok().map(|path| path.to_string_lossy().into_owned());
    let status = fs::read_to_string(at("status")).unwrap_or_default();
    // Uid: real, effective, saved, file system.
    let uid =
        status.lines().find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().next()?.parse().ok());
    Who { uid, exe, command: command(&at("cmdline")) }
}

fn command(path: &str) -> Option<String> {
    let mut bytes = Vec::new();
    fs::File::open(path).ok()?.take(COMMAND_MAX).read_to_end(&mut bytes).ok()?;
    let words = bytes.split(|byte| *byte == 0).filter(|word| !word.is_empty());
    let words: Vec<_> = words.map(String::from_utf8_lossy).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_known() {
        let who = look_up(std::process::id());
        assert_eq!(who.exe, Some(std::env::current_exe().unwrap().display().to_string()));
        assert!(who.uid.is_some());
        assert!(who.command.is_some_and(|command| command.contains("watch")));
    }

    #[test]
    fn one_that_has_ended_is_not() {
        let mut child = crate::testing::spawn(&mut std::process::Command::new("true"));
        child.wait().unwrap();
        let who = look_up(child.id());
        assert!(who.uid.is_none() && who.exe.is_none() && who.command.is_none());
    }
}
