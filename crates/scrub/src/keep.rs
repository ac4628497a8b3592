//! The state as it is kept over restarts: a state file (docs/format.md, section 3). It is no evidence, and without it
//! only the age of the last cycle and earlier alarms are forgotten.

use std::io;
use std::sync::Arc;

use evidence::verify::{Damage, DamageKind, Verdict};
use evidence::{layout, statefile};
use record::json::{Object, Value};
use storage::{Disk, DiskRegister, Register, RegisterError};

use crate::state::{ALARMS_MAX, Alarm, Cycle, ScrubState};

/// Reads what an earlier run kept. A file that does not read is an alarm of its own: somebody may have wanted alarms
/// to be forgotten.
pub(crate) fn load(disk: &Arc<dyn Disk>, now_ms: u64) -> ScrubState {
    let mut state = ScrubState::default();
    let damage = match disk.read(layout::SCRUB) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => Some(error.to_string()),
        Ok(bytes) => parse(&bytes, &mut state).err(),
    };
    if let Some(reason) = damage {
        state = ScrubState::default();
        let detail = format!("alarms that were kept here cannot be read: {reason}");
        state.raise(&Damage::new(DamageKind::Format, layout::SCRUB, detail), now_ms);
    }
    state
}

/// Writes what must outlive this run.
pub(crate) fn save(disk: &Arc<dyn Disk>, state: &ScrubState) -> Result<(), String> {
    let register = DiskRegister::new(disk.clone(), layout::SCRUB);
    let bytes = format(state);
    let done = match register.load() {
        Ok(Some(held)) => register.swap(held, bytes).map(drop),
        Ok(None) => register.create(bytes).map(drop),
        Err(error) => Err(RegisterError::from(error)),
    };
    done.map_err(|error| error.to_string())
}

fn format(state: &ScrubState) -> Vec<u8> {
    let mut object = Object::new();
    object.insert("alarms", state.alarms.iter().map(alarm_value).collect::<Vec<_>>());
    object.insert("beyond", state.alarms_beyond);
    if let Some(last) = &state.last {
        object.insert(
            "last",
            Object::from_iter([
                ("began_ms", Value::from(last.began_ms)),
                ("bytes", Value::from(last.bytes)),
                ("ended_ms", Value::from(last.ended_ms)),
                ("entries", Value::from(last.entries)),
                ("payloads_opened", Value::from(last.payloads_opened)),
                ("took_ms", Value::from(last.took_ms)),
                ("verdict", Value::from(last.verdict.word())),
            ]),
        );
    }
    statefile::format(layout::SCRUB_NAME, &Value::Object(object))
}

fn alarm_value(alarm: &Alarm) -> Value<'_> {
    let mut object = Object::from_iter([
        ("detail", Value::from(alarm.detail.as_str())),
        ("file", Value::from(alarm.file.as_str())),
        ("first_seen_ms", Value::from(alarm.first_seen_ms)),
        ("kind", Value::from(alarm.kind.as_str())),
        ("last_seen_ms", Value::from(alarm.last_seen_ms)),
    ]);
    if let Some((ledger, first, end)) = &alarm.entries {
        object.insert("ledger", ledger.as_str());
        object.insert("first", *first);
        object.insert("end", *end);
    }
    if let Some(good) = alarm.good_ms {
        object.insert("good_ms", good);
    }
    Value::Object(object)
}

fn parse(bytes: &[u8], state: &mut ScrubState) -> Result<(), String> {
    let value = statefile::parse(layout::SCRUB_NAME, bytes).map_err(|error| error.to_string())?;
    let alarms = value.path(&["alarms"]).and_then(Value::as_array).ok_or("no alarms member")?;
    state.alarms_beyond = number(&value, "beyond")?;
    for value in alarms.iter().take(ALARMS_MAX) {
        let entries = match text(value, "ledger") {
            Ok(ledger) => Some((ledger, number(value, "first")?, number(value, "end")?)),
            Err(_) => None,
        };
        state.alarms.push(Alarm {
            file: text(value, "file")?,
            kind: text(value, "kind")?,
            entries,
            detail: text(value, "detail")?,
            first_seen_ms: number(value, "first_seen_ms")?,
            last_seen_ms: number(value, "last_seen_ms")?,
            good_ms: number(value, "good_ms").ok(),
        });
    }
    if let Some(last) = value.path(&["last"]) {
        let verdict = match text(last, "verdict")?.as_str() {
            "proven" => Verdict::Proven,
            "disproven" => Verdict::Disproven,
            "undecidable" => Verdict::Undecidable,
            other => return Err(format!("no such verdict: {other}")),
        };
        state.last = Some(Cycle {
            began_ms: number(last, "began_ms")?,
            ended_ms: number(last, "ended_ms")?,
            took_ms: number(last, "took_ms")?,
            verdict,
            bytes: number(last, "bytes")?,
            entries: number(last, "entries")?,
            payloads_opened: last.path(&["payloads_opened"]).and_then(Value::as_bool).unwrap_or(false),
        });
    }
    Ok(())
}

fn number(value: &Value<'_>, name: &str) -> Result<u64, String> {
    value.path(&[name]).and_then(Value::as_u64).ok_or_else(|| format!("{name} is not a number"))
}

fn text(value: &Value<'_>, name: &str) -> Result<String, String> {
    value.path(&[name]).and_then(Value::str).map(str::to_owned).ok_or_else(|| format!("{name} is not a text"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use storage::LocalDisk;

    #[test]
    fn state_is_read_back_and_a_changed_file_is_an_alarm() {
        let dir = tempfile::tempdir().unwrap();
        let disk: Arc<dyn Disk> = Arc::new(LocalDisk::open(dir.path()).unwrap());
        assert_eq!(load(&disk, 1), ScrubState::default());
        let mut state = ScrubState { alarms_beyond: 2, ..ScrubState::default() };
        state.raise(&Damage::new(DamageKind::Hash, "a\u{1b}[31m", "bad \"thing\"").of("main", 3, 9), 5);
        state.raise(&Damage::new(DamageKind::Missing, "b", "gone"), 6);
        state.good(7);
        state.last = Some(Cycle {
            began_ms: 1,
            ended_ms: 9,
            took_ms: 8,
            verdict: Verdict::Disproven,
            bytes: 77,
            entries: 5,
            payloads_opened: true,
        });
        for _ in 0..2 {
            save(&disk, &state).unwrap();
            assert_eq!(load(&disk, 1), state);
        }
        let mut bytes = disk.read(layout::SCRUB).unwrap();
        for at in 0..bytes.len() {
            bytes[at] ^= 1;
            std::fs::write(dir.path().join(layout::SCRUB), &bytes).unwrap();
            let state = load(&disk, 11);
            let seen: Vec<_> = state.alarms.iter().map(|a| (a.file.as_str(), a.first_seen_ms)).collect();
            assert_eq!(seen, [(layout::SCRUB, 11)], "byte {at}");
            bytes[at] ^= 1;
        }
    }
}
