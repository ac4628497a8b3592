//! Witnesses that object without being able to show anything, and those that were set back.

use record::control::RefusalReason;

use super::*;

/// One that refuses every proof and shows nothing is outvoted by a quorum of the others, at the start and later on.
#[test]
fn an_objection_that_nothing_is_shown_for_is_outvoted_by_a_quorum() {
    for from_the_start in [true, false] {
        let book = Book::new(leaves("a", 8));
        let manner = if from_the_start { Manner::Objects } else { Manner::Honest };
        let witnesses = three([Manner::Honest, manner, Manner::Honest]);
        witnesses.iter().for_each(|witness| witness.saw(&leaves("a", 8)));
        let (anchor, _net) = start(&book, &witnesses, 2);
        until("the gate is open", || book.held().is_none());
        witnesses[1].set(Manner::Objects);
        book.append(3);
        until("the others suffice", || kept(&book) == 11);
        until("it is told", || anchor.handle().of("main").unwrap().witnesses[1].alarm.is_some());
        until("signing goes on", || book.held().is_none());
        book.append(4);
        until("the others suffice again", || kept(&book) == 15);
        let status = anchor.handle().of("main").unwrap();
        let alarm = status.witnesses[1].alarm.clone().unwrap();
        assert_eq!((alarm.kind, alarm.stops, alarm.note), (AlarmKind::Conflict, false, None));
        assert_eq!(status.phase, Phase::Signing);
        let records = book.state.lock().unwrap().records.clone();
        assert!(!records.is_empty(), "an objection goes on record");
        assert!(
            records.iter().all(|record| record.reason == RefusalReason::Conflict && record.note.is_none())
        );
        anchor.stop(Duration::from_secs(5));
    }
}

/// Where the policy can't do without it, its word stops signatures.
#[test]
fn an_objection_stops_where_the_others_are_no_quorum() {
    let book = Book::new(leaves("a", 8));
    let witnesses = three([Manner::Honest; 3]);
    let (anchor, _net) = start(&book, &witnesses, 3);
    until("the gate is open", || book.held().is_none());
    witnesses[1].set(Manner::Objects);
    book.append(3);
    until("it stops", || book.held().is_some_and(|why| why.contains("w1 has cosigned another tree")));
    until("it is on record", || !book.state.lock().unwrap().records.is_empty());
    std::thread::sleep(Duration::from_millis(200));
    assert!(book.held().is_some());
    assert_eq!(anchor.handle().of("main").unwrap().phase, Phase::Stopped);
    assert!(book.state.lock().unwrap().records[0].stopped);
    anchor.stop(Duration::from_secs(5));
}

/// With a note of ours that contradicts the store it stops, however many others agree.
#[test]
fn an_objection_with_a_note_is_never_outvoted() {
    let book = Book::new(leaves("a", 8));
    let witnesses = three([Manner::Honest; 3]);
    let (anchor, _net) = start(&book, &witnesses, 2);
    until("the gate is open", || book.held().is_none());
    let mut copy = leaves("a", 8);
    copy.extend(leaves("copy", 1));
    witnesses[1].saw(&copy);
    book.append(30);
    until("it stops", || book.held().is_some_and(|why| why.contains("w1 has cosigned")));
    until("it is shown", || {
        let alarm = anchor.handle().of("main").unwrap().witnesses[1].alarm.clone();
        alarm.is_some_and(|alarm| alarm.note.is_some() && alarm.stops)
    });
    std::thread::sleep(Duration::from_millis(200));
    assert!(book.held().is_some());
    anchor.stop(Duration::from_secs(5));
}

/// A witness that was restored from a backup is told of and put on record, and fed from where it is.
#[test]
fn a_witness_that_was_set_back_is_told_of_and_fed_again() {
    let book = Book::new(leaves("a", 8));
    let witnesses = three([Manner::Honest; 3]);
    let (anchor, _net) = start(&book, &witnesses, 3);
    until("the gate is open", || book.held().is_none());
    book.append(12);
    until("all have cosigned", || kept(&book) == 20);
    for round in 1..=2 {
        witnesses[1].saw(&leaves("a", 5));
        book.append(1);
        until("it is fed again", || kept(&book) == 20 + round);
        assert!(book.held().is_none(), "it stops nothing");
        let alarm = anchor.handle().of("main").unwrap().witnesses[1].alarm.clone().unwrap();
        assert_eq!((alarm.kind, alarm.claimed, alarm.stops), (AlarmKind::Behind, Some(5), false));
        assert_eq!(alarm.before, Some(19 + round));
        let records = book.state.lock().unwrap().records.clone();
        assert_eq!(records.len() as u64, round, "each time goes on record: {records:?}");
        let last = records.last().unwrap();
        assert_eq!((last.reason, last.claimed, last.stopped), (RefusalReason::Behind, Some(5), false));
        assert!(last.detail.contains("restored from a backup"), "{}", last.detail);
    }
    anchor.stop(Duration::from_secs(5));
    // It was set back while this server was down: what was kept shows it.
    witnesses[2].saw(&leaves("a", 3));
    let (anchor, _net) = start(&book, &witnesses, 3);
    until("it is noticed", || {
        let alarm = anchor.handle().of("main").unwrap().witnesses[2].alarm.clone();
        alarm.is_some_and(|alarm| alarm.kind == AlarmKind::Behind && alarm.before == Some(22))
    });
    until("the gate is open", || book.held().is_none());
    anchor.stop(Duration::from_secs(5));
}

/// One that was never told more than it says was not set back.
#[test]
fn a_witness_that_lags_was_not_set_back() {
    let book = Book::new(leaves("a", 8));
    let witnesses = three([Manner::Honest, Manner::Gone, Manner::Honest]);
    witnesses[1].saw(&leaves("a", 3));
    let (anchor, _net) = start(&book, &witnesses, 2);
    until("the gate is open", || book.held().is_none());
    book.append(12);
    until("two have cosigned", || kept(&book) == 20);
    witnesses[1].set(Manner::Honest);
    book.append(1);
    until("it has come along", || anchor.handle().of("main").unwrap().witnesses[1].size == Some(21));
    assert!(anchor.handle().of("main").unwrap().witnesses[1].alarm.is_none());
    assert!(book.state.lock().unwrap().records.is_empty());
    anchor.stop(Duration::from_secs(5));
}
