//! Member by member: how each payload is written and read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::fields::{Fields, decimal, push_some, word_of};
use super::{
    Clock, ControlError, Cut, Gap, GapCause, Genesis, Heartbeat, KeyChange, Numbering, Payload, Refusal,
    RefusalReason, Sealed, SealedClass, SourceRecord, Timestamp,
};
use crate::entry::Kind;
use crate::hex;
use crate::json::Object;

impl Payload for Genesis {
    const KIND: Kind = Kind::Genesis;
    const TYPE: &'static str = "genesis";
    const SEVERITY: u32 = 1;

    fn members(&self, what: &mut Object<'static>) {
        what.push("ledger_id", hex::encode(&self.ledger_id));
        what.push("origin", self.origin.clone());
        what.push("log_vkey", self.log_vkey.clone());
        what.push("authority_vkey", self.authority_vkey.clone());
        what.push("table_version", u32::from(self.table_version));
        what.push("table_hash", hex::encode(&self.table_hash));
        push_some(what, "predecessor", self.predecessor.clone());
        what.push("created_ms", self.created_ms);
    }

    fn read(fields: &Fields<'_>) -> Result<Genesis, ControlError> {
        Ok(Genesis {
            ledger_id: fields.hash("ledger_id")?,
            origin: fields.string("origin")?,
            log_vkey: fields.string("log_vkey")?,
            authority_vkey: fields.string("authority_vkey")?,
            table_version: fields.small("table_version")?,
            table_hash: fields.hash("table_hash")?,
            predecessor: fields.optional("predecessor", Fields::string)?,
            created_ms: fields.number("created_ms")?,
        })
    }
}

const CAUSES: &[(&str, GapCause)] =
    &[("downtime", GapCause::Downtime), ("suspended", GapCause::Suspended), ("sequence", GapCause::Sequence)];

impl Payload for Gap {
    const KIND: Kind = Kind::Gap;
    const TYPE: &'static str = "gap";
    const SEVERITY: u32 = 3;

    fn members(&self, what: &mut Object<'static>) {
        what.push("cause", word_of(CAUSES, &self.cause));
        push_some(what, "source", self.source);
        push_some(what, "epoch", self.epoch);
        push_some(what, "from_sequence", self.from_sequence.map(decimal));
        push_some(what, "to_sequence", self.to_sequence.map(decimal));
        push_some(what, "from_ms", self.from_ms);
        push_some(what, "to_ms", self.to_ms);
        push_some(what, "clean", self.clean);
        what.push("detail", self.detail.clone());
    }

    fn read(fields: &Fields<'_>) -> Result<Gap, ControlError> {
        Ok(Gap {
            cause: fields.word("cause", CAUSES)?,
            source: fields.optional("source", Fields::small)?,
            epoch: fields.optional("epoch", Fields::small)?,
            from_sequence: fields.optional("from_sequence", Fields::decimal)?,
            to_sequence: fields.optional("to_sequence", Fields::decimal)?,
            from_ms: fields.optional("from_ms", Fields::number)?,
            to_ms: fields.optional("to_ms", Fields::number)?,
            clean: fields.optional("clean", Fields::flag)?,
            detail: fields.string("detail")?,
        })
    }
}

impl Payload for Heartbeat {
    const KIND: Kind = Kind::Heartbeat;
    const TYPE: &'static str = "heartbeat";
    const SEVERITY: u32 = 1;

    fn members(&self, what: &mut Object<'static>) {
        what.push("size", decimal(self.size));
        push_some(what, "system", self.system.clone());
    }

    fn read(fields: &Fields<'_>) -> Result<Heartbeat, ControlError> {
        Ok(Heartbeat { size: fields.decimal("size")?, system: fields.optional("system", Fields::string)? })
    }
}

const NUMBERINGS: &[(&str, Numbering)] = &[("source", Numbering::Source), ("server", Numbering::Server)];

impl Payload for SourceRecord {
    const KIND: Kind = Kind::Source;
    const TYPE: &'static str = "source";
    const SEVERITY: u32 = 1;

    fn members(&self, what: &mut Object<'static>) {
        what.push("source", self.source);
        what.push("epoch", self.epoch);
        what.push("numbering", word_of(NUMBERINGS, &self.numbering));
        push_some(what, "previous_last_sequence", self.previous_last_sequence.map(decimal));
    }

    fn read(fields: &Fields<'_>) -> Result<SourceRecord, ControlError> {
        Ok(SourceRecord {
            source: fields.small("source")?,
            epoch: fields.small("epoch")?,
            numbering: fields.word("numbering", NUMBERINGS)?,
            previous_last_sequence: fields.optional("previous_last_sequence", Fields::decimal)?,
        })
    }
}

const CLASSES: &[(&str, SealedClass)] = &[("events", SealedClass::Events), ("control", SealedClass::Control)];

impl Payload for Sealed {
    const KIND: Kind = Kind::Sealed;
    const TYPE: &'static str = "sealed";
    const SEVERITY: u32 = 1;

    fn members(&self, what: &mut Object<'static>) {
        what.push("file", self.file.clone());
        what.push("class", word_of(CLASSES, &self.class));
        what.push("generation", self.generation);
        what.push("first", decimal(self.first));
        what.push("end", decimal(self.end));
        what.push("length", decimal(self.length));
        what.push("sha256", hex::encode(&self.sha256));
        push_some(what, "supersedes", self.supersedes);
    }

    fn read(fields: &Fields<'_>) -> Result<Sealed, ControlError> {
        Ok(Sealed {
            file: fields.string("file")?,
            class: fields.word("class", CLASSES)?,
            generation: fields.small("generation")?,
            first: fields.decimal("first")?,
            end: fields.decimal("end")?,
            length: fields.decimal("length")?,
            sha256: fields.hash("sha256")?,
            supersedes: fields.optional("supersedes", Fields::small)?,
        })
    }
}

impl Payload for Cut {
    const KIND: Kind = Kind::Cut;
    const TYPE: &'static str = "cut";
    const SEVERITY: u32 = 3;

    fn members(&self, what: &mut Object<'static>) {
        what.push("file", self.file.clone());
        what.push("offset", decimal(self.offset));
        what.push("length", decimal(self.length));
        what.push("sha256", hex::encode(&self.sha256));
    }

    fn read(fields: &Fields<'_>) -> Result<Cut, ControlError> {
        Ok(Cut {
            file: fields.string("file")?,
            offset: fields.decimal("offset")?,
            length: fields.decimal("length")?,
            sha256: fields.hash("sha256")?,
        })
    }
}

impl Payload for Clock {
    const KIND: Kind = Kind::Cut;
    const TYPE: &'static str = "clock";
    const SEVERITY: u32 = 3;

    fn members(&self, what: &mut Object<'static>) {
        what.push("expected_ms", self.expected_ms);
        what.push("wall_ms", self.wall_ms);
    }

    fn read(fields: &Fields<'_>) -> Result<Clock, ControlError> {
        Ok(Clock { expected_ms: fields.number("expected_ms")?, wall_ms: fields.number("wall_ms")? })
    }
}

const REFUSALS: &[(&str, RefusalReason)] = &[
    ("ahead", RefusalReason::Ahead),
    ("conflict", RefusalReason::Conflict),
    ("key", RefusalReason::Key),
    ("behind", RefusalReason::Behind),
];

impl Payload for Refusal {
    const KIND: Kind = Kind::Cut;
    const TYPE: &'static str = "refusal";
    const SEVERITY: u32 = 5;

    fn members(&self, what: &mut Object<'static>) {
        what.push("party", self.party.clone());
        what.push("reason", word_of(REFUSALS, &self.reason));
        what.push("size", decimal(self.size));
        push_some(what, "claimed", self.claimed.map(decimal));
        push_some(what, "note", self.note.clone());
        what.push("stopped", self.stopped);
        what.push("detail", self.detail.clone());
    }

    fn read(fields: &Fields<'_>) -> Result<Refusal, ControlError> {
        Ok(Refusal {
            party: fields.string("party")?,
            reason: fields.word("reason", REFUSALS)?,
            size: fields.decimal("size")?,
            claimed: fields.optional("claimed", Fields::decimal)?,
            note: fields.optional("note", Fields::string)?,
            stopped: fields.flag("stopped")?,
            detail: fields.string("detail")?,
        })
    }
}

impl Payload for Timestamp {
    const KIND: Kind = Kind::Cut;
    const TYPE: &'static str = "timestamp";
    const SEVERITY: u32 = 1;

    fn members(&self, what: &mut Object<'static>) {
        what.push("size", decimal(self.size));
        what.push("root", hex::encode(&self.root));
        what.push("authority", self.authority.clone());
        what.push("gen_time_ms", self.gen_time_ms);
        push_some(what, "accuracy_ms", self.accuracy_ms);
        what.push("token_sha256", hex::encode(&Sha256::digest(&self.token)));
        what.push("token", STANDARD.encode(&self.token));
    }

    fn read(fields: &Fields<'_>) -> Result<Timestamp, ControlError> {
        let token = STANDARD.decode(fields.text("token")?).map_err(|_| ControlError::Malformed("token"))?;
        if fields.hash("token_sha256")? != <[u8; 32]>::from(Sha256::digest(&token)) {
            return Err(ControlError::Malformed("token_sha256"));
        }
        Ok(Timestamp {
            size: fields.decimal("size")?,
            root: fields.hash("root")?,
            authority: fields.string("authority")?,
            gen_time_ms: fields.number("gen_time_ms")?,
            accuracy_ms: fields.optional("accuracy_ms", Fields::number)?,
            token,
        })
    }
}

impl Payload for KeyChange {
    const KIND: Kind = Kind::Key;
    const TYPE: &'static str = "key";
    const SEVERITY: u32 = 1;

    fn members(&self, what: &mut Object<'static>) {
        what.push("statement", self.statement.clone());
        what.push("checkpoint", self.checkpoint.clone());
    }

    fn read(fields: &Fields<'_>) -> Result<KeyChange, ControlError> {
        Ok(KeyChange { statement: fields.string("statement")?, checkpoint: fields.string("checkpoint")? })
    }
}
