use super::*;
use crate::canonical::{MAX_INTEGER, check};
use crate::facet::{Stamp, read_stamp};
use crate::testing::{cases, text};
use proptest::option::of;
use proptest::prelude::*;

fn ms() -> impl Strategy<Value = u64> {
    0..=MAX_INTEGER
}

fn control() -> impl Strategy<Value = (Kind, Control)> {
    let hash = || any::<[u8; 32]>();
    let cause = prop::sample::select(vec![GapCause::Downtime, GapCause::Suspended, GapCause::Sequence]);
    let class = prop::sample::select(vec![SealedClass::Events, SealedClass::Control]);
    let numbering = prop::sample::select(vec![Numbering::Source, Numbering::Server]);
    let genesis = (hash(), text(), text(), text(), any::<u16>(), hash(), of(text()), ms()).prop_map(
        |(
            ledger_id,
            origin,
            log_vkey,
            authority_vkey,
            table_version,
            table_hash,
            predecessor,
            created_ms,
        )| {
            Control::Genesis(Genesis {
                ledger_id,
                origin,
                log_vkey,
                authority_vkey,
                table_version,
                table_hash,
                predecessor,
                created_ms,
            })
        },
    );
    let range = (of(any::<u32>()), of(any::<u32>()), of(any::<u64>()), of(any::<u64>()));
    let gap = (cause, range, of(ms()), of(ms()), of(any::<bool>()), text()).prop_map(
        |(cause, (source, epoch, from_sequence, to_sequence), from_ms, to_ms, clean, detail)| {
            Control::Gap(Gap {
                cause,
                source,
                epoch,
                from_sequence,
                to_sequence,
                from_ms,
                to_ms,
                clean,
                detail,
            })
        },
    );
    let source = (any::<u32>(), any::<u32>(), numbering, of(any::<u64>())).prop_map(
        |(source, epoch, numbering, previous_last_sequence)| {
            Control::Source(SourceRecord { source, epoch, numbering, previous_last_sequence })
        },
    );
    let sealed = (text(), class, any::<u32>(), any::<[u64; 3]>(), hash(), of(any::<u32>())).prop_map(
        |(file, class, generation, [first, end, length], sha256, supersedes)| {
            Control::Sealed(Sealed { file, class, generation, first, end, length, sha256, supersedes })
        },
    );
    let cut = (text(), any::<u64>(), any::<u64>(), hash())
        .prop_map(|(file, offset, length, sha256)| Control::Cut(Cut { file, offset, length, sha256 }));
    let clock =
        (ms(), ms()).prop_map(|(expected_ms, wall_ms)| Control::Clock(Clock { expected_ms, wall_ms }));
    let reason = prop::sample::select(vec![
        RefusalReason::Ahead,
        RefusalReason::Conflict,
        RefusalReason::Key,
        RefusalReason::Behind,
    ]);
    let refusal = (text(), reason, any::<u64>(), of(any::<u64>()), of(text()), any::<bool>(), text())
        .prop_map(|(party, reason, size, claimed, note, stopped, detail)| {
            Control::Refusal(Refusal { party, reason, size, claimed, note, stopped, detail })
        });
    let token = proptest::collection::vec(any::<u8>(), 0..60);
    let timestamp = (any::<u64>(), hash(), text(), ms(), of(ms()), token).prop_map(
        |(size, root, authority, gen_time_ms, accuracy_ms, token)| {
            Control::Timestamp(Timestamp { size, root, authority, gen_time_ms, accuracy_ms, token })
        },
    );
    let key = (text(), text())
        .prop_map(|(statement, checkpoint)| Control::Key(KeyChange { statement, checkpoint }));
    prop_oneof![
        key.prop_map(|control| (Kind::Key, control)),
        refusal.prop_map(|control| (Kind::Cut, control)),
        timestamp.prop_map(|control| (Kind::Cut, control)),
        genesis.prop_map(|control| (Kind::Genesis, control)),
        gap.prop_map(|control| (Kind::Gap, control)),
        (any::<u64>(), proptest::option::of(".{0,40}"))
            .prop_map(|(size, system)| { (Kind::Heartbeat, Control::Heartbeat(Heartbeat { size, system })) }),
        source.prop_map(|control| (Kind::Source, control)),
        sealed.prop_map(|control| (Kind::Sealed, control)),
        cut.prop_map(|control| (Kind::Cut, control)),
        clock.prop_map(|control| (Kind::Cut, control)),
    ]
}

fn draft_of(control: &Control) -> FacetDraft {
    match control {
        Control::Genesis(payload) => payload.to_draft(),
        Control::Gap(payload) => payload.to_draft(),
        Control::Heartbeat(payload) => payload.to_draft(),
        Control::Source(payload) => payload.to_draft(),
        Control::Sealed(payload) => payload.to_draft(),
        Control::Cut(payload) => payload.to_draft(),
        Control::Clock(payload) => payload.to_draft(),
        Control::Refusal(payload) => payload.to_draft(),
        Control::Timestamp(payload) => payload.to_draft(),
        Control::Key(payload) => payload.to_draft(),
    }
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn payloads_are_read_as_written((kind, control) in control(), at in any::<prop::sample::Index>(), byte: u8) {
        let draft = draft_of(&control);
        prop_assert!(kind.is_control());
        prop_assert_eq!(Control::parse(kind, &draft.what), Ok(control.clone()));
        for facet in [&draft.who, &draft.content, &draft.where_] {
            prop_assert_eq!(facet.as_slice(), b"{}");
        }
        let stamp = Stamp { received_ms: 1, source: 0, epoch: 1, sequence: 9 };
        let mut when = Vec::new();
        draft.when.write_stamped(&stamp, &mut when);
        prop_assert_eq!((check(&when), check(&draft.what), read_stamp(&when)), (Ok(()), Ok(()), Ok(stamp)));

        let mut damaged = draft.what.clone();
        let at = at.index(damaged.len());
        let old = std::mem::replace(&mut damaged[at], byte);
        if let Ok(read) = Control::parse(kind, &damaged) {
            prop_assert_eq!(read == control, old == byte, "other bytes are another payload");
        }
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        for kind in Kind::ALL {
            prop_assert!(Control::parse(kind, &bytes).is_err());
        }
    }
}

#[test]
fn a_payload_has_one_spelling() {
    let what = r#"{"end":"512","class":"events","file":"s","first":"256","generation":0,"length":"9","sha256":"HASH","type":"sealed"}"#
        .replace("HASH", &"0a".repeat(32))
        .replacen(r#""end":"512","class":"events""#, r#""class":"events","end":"512""#, 1);
    let sealed = Sealed::parse(what.as_bytes()).unwrap();
    assert_eq!((sealed.first, sealed.end, sealed.supersedes), (256, 512, None));
    let spelling = ControlError::Malformed("a member that is unknown or spelt in another way");
    for (from, to, error) in [
        (r#""256""#, "256", ControlError::Malformed("first")),
        (r#""256""#, r#""0256""#, spelling.clone()),
        (r#""256""#, r#""+256""#, spelling.clone()),
        (r#""256""#, r#""-1""#, ControlError::Malformed("first")),
        (r#""256""#, r#""18446744073709551616""#, ControlError::Malformed("first")),
        (r#""generation":0"#, r#""generation":"0""#, ControlError::Malformed("generation")),
        (r#""generation":0"#, r#""generation":4294967296"#, ControlError::Malformed("generation")),
        (r#""generation":0"#, r#""generation": 0"#, spelling.clone()),
        (r#""generation":0"#, r#""generation":0,"later":1"#, spelling.clone()),
        (r#""generation":0"#, r#""generation":0,"supersedes":null"#, ControlError::Malformed("supersedes")),
        (r#""events""#, r#""all""#, ControlError::Malformed("class")),
        ("0a0a", "0A0A", ControlError::Malformed("sha256")),
        (r#""type":"sealed""#, r#""type":"cut""#, ControlError::Unknown),
        (r#","type":"sealed""#, "", ControlError::Malformed("type")),
    ] {
        let changed = what.replacen(from, to, 1);
        assert_ne!(changed, what, "{from}");
        assert_eq!(Sealed::parse(changed.as_bytes()), Err(error), "{changed}");
    }
    let clock = br#"{"expected_ms":9007199254740992,"type":"clock","wall_ms":0}"#;
    assert_eq!(Clock::parse(clock), Err(ControlError::Malformed("expected_ms")));
    assert_eq!(Sealed::parse(b"[]"), Err(ControlError::Malformed("not an object")));
    assert!(matches!(Sealed::parse(b"{"), Err(ControlError::Json(_))));
}

#[test]
fn kinds_without_a_payload_here_are_unknown() {
    for kind in [Kind::Event, Kind::Quarantine, Kind::BatchSignature, Kind::Erase, Kind::Access] {
        assert_eq!(Control::parse(kind, b"{}"), Err(ControlError::Unknown));
    }
    assert_eq!(Control::parse(Kind::Cut, br#"{"type":"later"}"#), Err(ControlError::Unknown));
    assert_eq!(Control::parse(Kind::Key, br#"{"type":"later"}"#), Err(ControlError::Unknown));
}
