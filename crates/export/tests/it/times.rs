//! Timestamps in a file, with somebody who knows which tokens are good.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use export::verify::{Bad, Check, Stamped, Times, Tokens, Told, Verdict};
use export::{Options, Report, Selection, verify};
use record::control::Timestamp;
use record::entry::Kind;
use testkit::sample::Sample;

/// A token is the text that it is over, a time, and who made it.
struct Known;

impl Tokens for Known {
    fn judge(&self, body: &str, token: &[u8]) -> Result<Told, Bad> {
        let token = std::str::from_utf8(token).unwrap();
        let [over, time, who] = token.split('|').collect::<Vec<_>>()[..] else { panic!("{token}") };
        match (over == body, who) {
            (false, _) => Err(Bad::False("over other data".to_owned())),
            (true, "stranger") => Err(Bad::Unknown("a stranger".to_owned())),
            (true, _) => Ok(Told { gen_time_ms: time.parse().unwrap(), accuracy_ms: None }),
        }
    }
}

/// Enters a token over all there is.
fn stamp(sample: &mut Sample, time: u64, who: &str, spoil: impl FnOnce(&mut Timestamp)) {
    let checkpoint = checkpoint(sample, sample.size());
    let mut record = Timestamp {
        size: checkpoint.size,
        root: *checkpoint.root.as_bytes(),
        authority: "tsa.example".to_owned(),
        gen_time_ms: time,
        accuracy_ms: None,
        token: format!("{}|{time}|{who}", checkpoint.to_text()).into_bytes(),
    };
    spoil(&mut record);
    sample.control(Kind::Cut, &record.to_draft());
}

fn checkpoint(sample: &Sample, size: u64) -> tlog::Checkpoint {
    let anchor = sample.anchor(size, Vec::new());
    tlog::UnverifiedCheckpoint::parse(anchor.checkpoint.as_bytes()).unwrap().claimed().clone()
}

fn events(sample: &mut Sample, count: usize) {
    (0..count).for_each(|_| sample.event(1, 1, b"{\"message\":\"m\"}"));
}

/// The first `end` entries, with lines for these sizes.
fn report(sample: &Sample, end: u64, anchors: &[(u64, Vec<Vec<u8>>)], tokens: Option<&dyn Tokens>) -> Report {
    let selection = Selection { from: 0, end, ..Selection::default() };
    let anchors: Vec<_> = anchors.iter().map(|(size, tokens)| sample.anchor(*size, tokens.clone())).collect();
    let (file, _) = sample.export(Vec::new(), sample.about(selection, &[]), &anchors, &|_| true);
    verify(&file[..], &Options { tokens, ..Options::default() })
}

fn found(report: &Report) -> Vec<(Check, Option<u64>, &str)> {
    report.damage.iter().map(|damage| (damage.check, damage.index, damage.detail.as_str())).collect()
}

#[test]
fn tokens_over_the_tree_say_when_its_records_existed() {
    let mut sample = Sample::new();
    events(&mut sample, 5);
    let end = sample.size();
    stamp(&mut sample, 1000, "tsa", |_| ());
    events(&mut sample, 3);
    let second = sample.size();
    stamp(&mut sample, 2000, "tsa", |_| ());
    stamp(&mut sample, 3000, "stranger", |_| ());

    let without = report(&sample, end, &[], None);
    assert_eq!((without.verdict(), without.timestamps, &without.times), (Verdict::Proven, 3, &None));
    // Nothing shows that what they are over is of the tree.
    let times = report(&sample, end, &[], Some(&Known)).times.unwrap();
    assert_eq!(times, Times { good: 2, unknown: 1, loose: 2, ..Times::default() });
    let shown = [(end, Vec::new()), (second, Vec::new())];
    let all = report(&sample, end, &shown, Some(&Known));
    assert_eq!((all.verdict(), found(&all)), (Verdict::Proven, Vec::new()));
    let at = |size, gen_time_ms| Some(Stamped { size, gen_time_ms });
    let expected = Times { good: 2, unknown: 1, loose: 0, covers: at(end, 1000), newest: at(second, 2000) };
    assert_eq!(all.times.unwrap(), expected);
    // Of a longer selection only the later one says something, or none at all.
    let times = report(&sample, end + 1, &shown, Some(&Known)).times.unwrap();
    assert_eq!(times.covers, at(second, 2000));
    let times = report(&sample, second + 1, &shown, Some(&Known)).times.unwrap();
    assert_eq!((times.covers, times.newest), (None, at(second, 2000)));
}

#[test]
fn tokens_beside_checkpoints_are_judged_too() {
    let mut sample = Sample::new();
    events(&mut sample, 9);
    let body = checkpoint(&sample, 7).to_text();
    let good = format!("{body}|500|tsa").into_bytes();
    let one = report(&sample, 7, &[(7, vec![good.clone()])], Some(&Known));
    assert_eq!(one.times.unwrap().covers, Some(Stamped { size: 7, gen_time_ms: 500 }));
    let two = report(&sample, 7, &[(6, vec![good])], Some(&Known));
    assert_eq!(found(&two), [(Check::Witnesses, None, "over other data")]);
    assert_eq!(two.damage[0].line, Some(1));
}

#[test]
fn records_that_are_not_what_they_say_are_found() {
    type Spoil = fn(&mut Timestamp);
    let spoilt: [(Spoil, &str); 4] = [
        (|record| record.gen_time_ms += 1, "the record says another time than its timestamp token"),
        (|record| record.accuracy_ms = Some(7), "the record says another time than its timestamp token"),
        (|record| record.size += 1, "a timestamp is of a larger tree than there was before it"),
        (|record| record.token[0] ^= 1, "over other data"),
    ];
    for (spoil, what) in spoilt {
        let mut sample = Sample::new();
        events(&mut sample, 4);
        let index = sample.size();
        stamp(&mut sample, 1000, "tsa", spoil);
        let report = report(&sample, index + 1, &[], Some(&Known));
        assert_eq!(found(&report), [(Check::Witnesses, Some(index), what)]);
    }
}

/// A token that is good over a tree that the ledger never had.
#[test]
fn a_token_over_another_tree_is_found_where_the_tree_is_shown() {
    let mut sample = Sample::new();
    events(&mut sample, 4);
    let size = sample.size();
    stamp(&mut sample, 1000, "tsa", |record| {
        record.root = [7; 32];
        let origin = tlog::Origin::new(std::str::from_utf8(&record.token).unwrap().lines().next().unwrap());
        let root = tlog::Hash::from_bytes(record.root);
        let other = tlog::Checkpoint { origin: origin.unwrap(), size: record.size, root };
        record.token = format!("{}|1000|tsa", other.to_text()).into_bytes();
    });
    let hidden = report(&sample, size + 1, &[], Some(&Known));
    assert_eq!((hidden.verdict(), hidden.times.unwrap().loose), (Verdict::Proven, 1));
    let shown = report(&sample, size + 1, &[(size, Vec::new())], Some(&Known));
    assert_eq!(
        found(&shown),
        [(Check::Witnesses, Some(size), "a timestamp is of another tree than the ledger's")]
    );
}
