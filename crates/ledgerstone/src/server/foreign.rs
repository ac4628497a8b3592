//! Starts the watch over the store and tells what other processes do to it as sentences.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use env::Env;
use serde_json::Value;
use watch::{Foreign, Kind, Method, Root, Watch};

use super::log::{log, log_with};
use super::plan::Plan;

/// Starts it, after the engine has opened the store. Each foreign write is logged and handed to `record`, which may
/// take its time. That nothing can be watched is told and leaves a server that records all the same.
pub(super) fn start(
    plan: &Plan,
    env: Arc<dyn Env>,
    mut record: impl FnMut(&Foreign) + Send + 'static,
) -> Option<Watch> {
    let full = |path: &Path| -> PathBuf { path.canonicalize().unwrap_or_else(|_| path.to_owned()) };
    let roots = [Root { label: "", path: full(&plan.data) }, Root { label: "keys:", path: full(&plan.keys) }];
    let teller = env.clone();
    let started = Watch::start(&roots, env.clone(), move |foreign| {
        log_with(teller.as_ref(), &sentence(&foreign), &fields(&foreign));
        record(&foreign);
    });
    match started {
        Ok(watch) => {
            let state = watch.handle().state();
            let covers = state.method.covers();
            match state.method {
                Method::Fanotify { .. } => {}
                _ => log(
                    env.as_ref(),
                    &format!("warning: of writes to the store by other processes this is noticed: {covers}"),
                ),
            }
            if let Some((count, first)) = state.unwatched {
                log(
                    env.as_ref(),
                    &format!("warning: {count} directories of the store can't be watched, such as {first}"),
                );
            }
            Some(watch)
        }
        Err(error) => {
            log(
                env.as_ref(),
                &format!("error: writes to the store by other processes are not noticed: {error}"),
            );
            None
        }
    }
}

/// Brings back what earlier runs saw and nobody has acknowledged, on a thread of its own: it may have to read far back.
pub(super) fn restore(server: &Arc<api::Server>, handle: watch::Handle, until: u64, env: Arc<dyn Env>) {
    let server = Arc::downgrade(server);
    let work = move || {
        let Some(server) = server.upgrade() else { return };
        match server.restore_alarms(&handle, until) {
            Ok(None) => {}
            Ok(Some(index)) => log(
                env.as_ref(),
                &format!(
                    "warning: earlier alarms may not all be shown: nobody has acknowledged any since entry {index} of the \
                     ledger of accesses, and what came before was not looked at; see it with: ledgerstone access \
                     api.operation:store.foreign-write"
                ),
            ),
            Err(fault) => log(env.as_ref(), &format!("error: earlier alarms are not all shown: {fault}")),
        }
        let standing = handle.state().standing;
        if standing > 0 {
            log(
                env.as_ref(),
                &format!(
                    "warning: {standing} writes to the store from outside are not acknowledged; see them, and say so, \
                     with: ledgerstone doctor"
                ),
            );
        }
    };
    // Without the thread they are on record all the same, and the next start shows them.
    drop(std::thread::Builder::new().name("alarms".to_owned()).spawn(work));
}

/// The same for programs.
fn fields(foreign: &Foreign) -> Vec<(&'static str, Value)> {
    let known = [
        ("file", Some(Value::from(foreign.path.as_str()))),
        ("done", Some(Value::from(foreign.kind.name()))),
        ("pid", foreign.pid.map(Value::from)),
        ("uid", foreign.uid.map(Value::from)),
        ("exe", foreign.exe.as_deref().map(Value::from)),
    ];
    known.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn sentence(foreign: &Foreign) -> String {
    let done = match foreign.kind {
        Kind::Lost => {
            return "error: more was done to the files of the store than could be taken in: what it was is not known"
                .to_owned();
        }
        Kind::Create => "made",
        Kind::Modify => "changed",
        Kind::CloseWrite => "opened for writing",
        Kind::Delete => "removed",
        Kind::MovedFrom => "moved away",
        Kind::MovedTo => "put in place",
        Kind::Attributes => "given other attributes",
    };
    let who = match (foreign.pid, &foreign.exe) {
        (None, _) => "a process that the kernel does not name".to_owned(),
        (Some(pid), None) => format!("process {pid}, which has ended"),
        (Some(pid), Some(exe)) => {
            let user = foreign.uid.map_or(String::new(), |uid| format!(" of user {uid}"));
            let command = foreign.command.as_deref().unwrap_or(exe);
            format!("process {pid}{user} ({exe}: {command})")
        }
    };
    format!("error: a file of the store was {done} from outside: {} by {who}", foreign.path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_of_the_process_is_told() {
        let foreign = |pid, exe: Option<&str>| Foreign {
            path: "register".to_owned(),
            kind: Kind::Modify,
            pid,
            uid: exe.map(|_| 7),
            exe: exe.map(str::to_owned),
            command: exe.map(|exe| format!("{exe} -x")),
            at_ms: 1,
        };
        assert_eq!(
            sentence(&foreign(Some(9), Some("/bin/sh"))),
            "error: a file of the store was changed from outside: register by process 9 of user 7 (/bin/sh: /bin/sh -x)"
        );
        assert!(sentence(&foreign(Some(9), None)).ends_with("by process 9, which has ended"));
        assert!(sentence(&foreign(None, None)).ends_with("by a process that the kernel does not name"));
    }
}
