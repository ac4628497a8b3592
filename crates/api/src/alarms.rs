//! Alarms: damage that verification has found, and what other processes did to the store. They stay in sight until they
//! are mended or somebody acknowledges them, over restarts.
//!
//! What others did is not kept in a file of its own, which whoever did it could remove: it is on record in the ledger
//! [`access::SYSTEM`] already, and so is each acknowledgement. A start reads back to the last of those.

use std::sync::Arc;

use access::{Action, SYSTEM};
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use ledger::{Fault, Next, Reads};
use record::entry::Kind;
use record::json::{self as parser, Object, Value};
use watch::Foreign;

use crate::audit::Access;
use crate::auth::Caller;
use crate::json;
use crate::problem::Problem;
use crate::server::Server;
use crate::sources::small_body;
use crate::view::{self, rfc3339};

/// What another process did to a file of the store.
pub(crate) const FOREIGN_WRITE: &str = "store.foreign-write";
/// Somebody has seen everything that is on record up to here.
pub(crate) const ACKNOWLEDGED: &str = "alarms.acknowledge";
/// A start has looked back and found nothing to acknowledge, so that the next one need not look further.
const NONE_STAND: &str = "alarms.none-stand";

/// Records that are read at once on the way back.
const WINDOW: u64 = 4096;
/// A start that had to read more than so many enters that nothing stands.
const LONG_WAY: u64 = 16 * WINDOW;
/// Most alarms that are brought back one by one.
const MOST: usize = 4096;
/// Longest reason, in bytes.
const MAX_REASON: usize = 1024;

/// `GET /v1/alarms`
pub(crate) async fn list(caller: Caller, State(server): State<Arc<Server>>) -> Result<Response, Problem> {
    caller.require(Action::Status, None)?;
    Ok(json::response(json::text(&Value::Object(alarms(&server)))))
}

/// `POST /v1/alarms/acknowledge`: whoever asks has seen so many writes by others, and says what came of it.
pub(crate) async fn acknowledge(
    caller: Caller,
    State(server): State<Arc<Server>>,
    body: Body,
) -> Result<Response, Problem> {
    caller.require(Action::Acknowledge, None)?;
    let (seen, reason) = wanted(&small_body(&server, body).await?)?;
    let watch = server.supervision().and_then(|supervision| supervision.watch.as_ref());
    let standing = watch.map_or(0, |watch| watch.state().standing);
    if seen != standing {
        return Err(others_by_now(standing));
    }
    let mut access = Access::new(ACKNOWLEDGED);
    access.count = Some(seen);
    access.more.push(("reason", reason));
    // On record first: what nobody can look up later is not forgotten.
    server.audit.enter(&caller, access).await?;
    if let Some(watch) = watch
        && !watch.acknowledge(seen)
    {
        return Err(others_by_now(watch.state().standing));
    }
    Ok(json::response(json::text(&Value::Object(alarms(&server)))))
}

fn others_by_now(standing: u64) -> Problem {
    let detail =
        "look at them (GET /v1/alarms), then say that you have seen as many as its member standing says";
    Problem::new(StatusCode::CONFLICT, "alarms-changed", "there are other alarms", detail)
        .with("standing", standing)
}

/// How many alarms of each kind there are: damage, and writes by others.
pub(crate) fn counts(server: &Server) -> (u64, u64) {
    let Some(supervision) = server.supervision() else { return (0, 0) };
    let damage = supervision.scrub.as_ref().map(|scrub| scrub.state());
    let writes = supervision.watch.as_ref().map(|watch| watch.state());
    (
        damage.map_or(0, |state| state.alarms.len() as u64 + state.alarms_beyond),
        writes.map_or(0, |state| state.alarms.len() as u64 + state.alarms_beyond),
    )
}

fn alarms(server: &Server) -> Object<'static> {
    let supervision = server.supervision();
    let scrub = supervision.and_then(|supervision| supervision.scrub.as_ref()).map(|scrub| scrub.state());
    let watch = supervision.and_then(|supervision| supervision.watch.as_ref()).map(|watch| watch.state());
    let damage = scrub.iter().flat_map(|state| &state.alarms).map(damage).collect::<Vec<_>>();
    let writes = watch.iter().flat_map(|state| &state.alarms).map(write).collect::<Vec<_>>();
    Object::from_iter([
        ("damage", Value::from(damage)),
        ("damage_beyond", Value::from(scrub.map_or(0, |state| state.alarms_beyond))),
        ("foreign_writes", Value::from(writes)),
        ("foreign_writes_beyond", Value::from(watch.as_ref().map_or(0, |state| state.alarms_beyond))),
        ("standing", Value::from(watch.map_or(0, |state| state.standing))),
    ])
}

fn damage(alarm: &scrub::Alarm) -> Value<'static> {
    let mut row = Object::new();
    row.insert("file", alarm.file.clone());
    row.insert("kind", alarm.kind.clone());
    row.insert("detail", alarm.detail.clone());
    row.insert("first_seen", rfc3339(alarm.first_seen_ms));
    row.insert("last_seen", rfc3339(alarm.last_seen_ms));
    row.insert("found_good", alarm.good_ms.map_or(Value::Null, |at| Value::from(rfc3339(at))));
    Value::Object(row)
}

fn write(alarm: &watch::Alarm) -> Value<'static> {
    let first = &alarm.first;
    let mut row = Object::new();
    row.insert("file", first.path.clone());
    row.insert("kind", first.kind.name());
    row.insert("count", alarm.count);
    row.insert("first_seen", rfc3339(first.at_ms));
    row.insert("last_seen", rfc3339(alarm.last_ms));
    for (name, value) in [("exe", &first.exe), ("command", &first.command)] {
        if let Some(text) = value {
            row.insert(name, text.clone());
        }
    }
    for (name, value) in [("pid", first.pid), ("uid", first.uid)] {
        if let Some(number) = value {
            row.insert(name, number);
        }
    }
    Value::Object(row)
}

/// How many somebody has seen, and what they say about it.
fn wanted(body: &[u8]) -> Result<(u64, String), Problem> {
    let value = parser::parse(body).map_err(|error| Problem::bad_body(error.to_string()))?;
    let object = value.as_object().ok_or_else(|| Problem::bad_body("send a JSON object"))?;
    if let Some((name, _)) = object.iter().find(|(name, _)| !["seen", "reason"].contains(name)) {
        return Err(Problem::bad_body(format!("unknown member: {name}")));
    }
    let seen = object.get("seen").and_then(Value::as_u64);
    let seen = seen.ok_or_else(|| Problem::bad_body("member must be a whole number: seen"))?;
    let reason = object.get("reason").and_then(Value::str).unwrap_or_default();
    if reason.is_empty() || reason.len() > MAX_REASON || reason.chars().any(char::is_control) {
        let detail = format!("reason must be a text of 1 to {MAX_REASON} bytes, without control characters");
        return Err(Problem::bad_body(detail));
    }
    Ok((seen, reason.to_owned()))
}

/// How a walk back ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Walked {
    /// Where nothing older can stand.
    Whole,
    /// The server stops.
    Stopped,
    /// At this index, since it went as far as it may.
    Until(u64),
}

/// What a walk back has found.
#[derive(Debug, Default)]
struct Earlier {
    /// Oldest first.
    writes: Vec<Foreign>,
    /// Records that were read.
    read: u64,
}

impl Server {
    /// How far back the ledger of accesses reaches before this run; for [`Server::restore_alarms`], to be asked before
    /// anything is watched.
    pub fn accesses_until_now(&self) -> u64 {
        self.system().map_or(0, |system| self.engine.reads().progress(system).durable)
    }

    /// Brings back the alarms about writes by others that were on record at `until` and that nobody has acknowledged.
    /// Reads the ledger of accesses back to the last acknowledgement, over at most [`Limits::alarm_records`] records and a
    /// few: to be called on a thread that may take a while. Gives the index before which it has not looked, if there is
    /// one; somebody must be told, since alarms may stand there.
    ///
    /// # Errors
    /// A part of that ledger can't be read; alarms found until then are back.
    pub fn restore_alarms(&self, watch: &watch::Handle, until: u64) -> Result<Option<u64>, Fault> {
        let Some(system) = self.system() else { return Ok(None) };
        let mut earlier = Earlier::default();
        let most = self.limits.alarm_records;
        let walked = earlier.walk(&self.engine.reads(), system, until, most, &|| self.is_stopping());
        watch.restore(&earlier.writes);
        match walked? {
            Walked::Whole if earlier.writes.is_empty() && earlier.read > LONG_WAY => {
                self.audit.note(None, &Access::new(NONE_STAND));
                Ok(None)
            }
            Walked::Whole | Walked::Stopped => Ok(None),
            Walked::Until(index) => Ok(Some(index)),
        }
    }

    fn system(&self) -> Option<usize> {
        Some(self.ledger(SYSTEM).ok()?.number)
    }
}

impl Earlier {
    /// Walks back from `until`, over `most` records and what else is read at once with them.
    fn walk(
        &mut self,
        reads: &Reads,
        system: usize,
        until: u64,
        most: u64,
        stop: &dyn Fn() -> bool,
    ) -> Result<Walked, Fault> {
        let mut end = until;
        while end > 0 {
            let start = end.saturating_sub(WINDOW);
            let (mut writes, mut acknowledged) = (Vec::new(), false);
            reads.scan(system, start..end, &mut |record| {
                self.read += 1;
                if record.decoded().is_some_and(|entry| entry.kind == Kind::Access)
                    && let Ok(event) = view::event(&record)
                {
                    match event.path(&["api", "operation"]).and_then(Value::str) {
                        Some(FOREIGN_WRITE) => writes.extend(foreign(&event)),
                        Some(ACKNOWLEDGED | NONE_STAND) => {
                            writes.clear();
                            acknowledged = true;
                        }
                        _ => {}
                    }
                }
                Next::More
            })?;
            writes.append(&mut self.writes);
            self.writes = writes;
            if acknowledged || self.writes.len() >= MOST {
                return Ok(Walked::Whole);
            }
            if stop() {
                return Ok(Walked::Stopped);
            }
            if start > 0 && until - start >= most {
                return Ok(Walked::Until(start));
            }
            end = start;
        }
        Ok(Walked::Whole)
    }
}

/// The write that a record tells of.
fn foreign(event: &Value<'_>) -> Option<Foreign> {
    let more = |name: &str| event.path(&["unmapped", name]).and_then(Value::str);
    let resource = event.path(&["resources"])?.as_array()?.first()?;
    Some(Foreign {
        path: resource.path(&["uid"])?.str()?.to_owned(),
        kind: watch::Kind::parse(more("kind")?)?,
        pid: more("pid").and_then(|pid| pid.parse().ok()),
        uid: more("uid").and_then(|uid| uid.parse().ok()),
        exe: more("exe").map(str::to_owned),
        command: more("command").map(str::to_owned),
        at_ms: event.path(&["time"]).and_then(Value::as_u64).unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_acknowledges_says_how_many_and_why() {
        assert_eq!(wanted(br#"{"seen":3,"reason":"the backup"}"#).unwrap(), (3, "the backup".to_owned()));
        for bad in [
            "",
            "[]",
            "{}",
            r#"{"seen":3}"#,
            r#"{"seen":3,"reason":""}"#,
            r#"{"seen":"3","reason":"x"}"#,
            r#"{"seen":-1,"reason":"x"}"#,
            r#"{"seen":3,"reason":"a\u001bb"}"#,
            r#"{"seen":3,"reason":"x","more":1}"#,
        ] {
            assert!(wanted(bad.as_bytes()).is_err(), "{bad}");
        }
        let long = format!(r#"{{"seen":3,"reason":"{}"}}"#, "x".repeat(MAX_REASON + 1));
        assert!(wanted(long.as_bytes()).is_err());
    }
}
