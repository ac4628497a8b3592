use record::control::Control;
use record::entry::{Entry, Kind};
use record::facet::{self, Facet, FacetDraft, Stamp};
use record::json::{self, Value};
use record::receipt::Receipt;
use record::{canonical, stored};
use tlog::KeyStatement;

pub fn json(input: &[u8]) {
    let value = json::parse(input);
    if let Ok(value) = &value {
        let mut once = Vec::new();
        canonical::write(value, &mut once);
        assert_eq!(canonical::check(&once), Ok(()));
        let Ok(again) = json::parse(&once) else { panic!("canonical JSON is not strict JSON") };
        let mut twice = Vec::new();
        canonical::write(&again, &mut twice);
        assert_eq!(once, twice);
    }
    if let Ok(elements) = json::elements(input) {
        let spans: Vec<_> = elements.collect();
        if let Ok(Value::Array(elements)) = &value {
            assert_eq!(spans.len(), elements.len());
        }
    }
    if let (Ok(found), Ok(Value::Object(object))) = (json::member(input, "items"), &value) {
        assert_eq!(found.is_some(), object.get("items").is_some());
    }
}

pub fn canonical(input: &[u8]) {
    let canonical = canonical::check(input).is_ok();
    if let Ok(value) = json::parse(input) {
        let mut written = Vec::new();
        canonical::write(&value, &mut written);
        assert_eq!(canonical, written == input, "a text is canonical if writing it changes nothing");
    } else {
        assert!(!canonical, "canonical JSON is strict JSON");
    }
}

pub fn facet(input: &[u8]) {
    if let (Ok(stamp), Ok(())) = (facet::read_stamp(input), canonical::check(input)) {
        assert_stamp(input, &stamp);
    }
    let Ok(event) = json::parse(input) else { return };
    let draft = facet::split(&event);
    let stamp = Stamp { received_ms: 1, source: 2, epoch: 3, sequence: 4 };
    let facets = facets(&draft, &stamp);
    for bytes in &facets {
        assert_eq!(canonical::check(bytes), Ok(()));
    }
    assert_eq!(facet::read_stamp(&facets[0]), Ok(stamp));
    let merged = facet::merge([0, 1, 2, 3, 4].map(|n: usize| Some(facets[n].as_slice())));
    assert!(merged.is_ok(), "what was split can be put together");
}

pub fn receipt(input: &[u8]) {
    let Ok(receipt) = Receipt::parse(input) else { return };
    assert_eq!(Receipt::parse(receipt.to_json().as_bytes()).as_ref(), Ok(&receipt));
    let _ = receipt.check_raw(input);
}

/// The first byte says which kind of record the rest is read as.
pub fn control(input: &[u8]) {
    let Some((kind, what)) = input.split_first() else { return };
    let Some(kind) = Kind::from_u8(kind % 16) else { return };
    let draft = match Control::parse(kind, what) {
        Ok(Control::Genesis(payload)) => payload.to_draft(),
        Ok(Control::Gap(payload)) => payload.to_draft(),
        Ok(Control::Heartbeat(payload)) => payload.to_draft(),
        Ok(Control::Source(payload)) => payload.to_draft(),
        Ok(Control::Sealed(payload)) => payload.to_draft(),
        Ok(Control::Cut(payload)) => payload.to_draft(),
        Ok(Control::Clock(payload)) => payload.to_draft(),
        Ok(Control::Refusal(payload)) => payload.to_draft(),
        Ok(Control::Timestamp(payload)) => payload.to_draft(),
        Ok(Control::Key(payload)) => {
            if let Ok(statement) = KeyStatement::parse(&payload.statement) {
                assert_eq!(statement.to_text(), payload.statement);
            }
            payload.to_draft()
        }
        Err(_) => return,
    };
    assert_eq!(draft.what, what);
}

pub fn entry(input: &[u8]) {
    let Ok(entry) = Entry::decode(input) else { return };
    assert_eq!(entry.encode(), input);
    let opening = stored::Opening::Seed(record::commit::Seed([0; 16]));
    assert!(stored::check(&entry, &[0; 32], &opening, &[b"{}"; 6]).is_err(), "nobody knows this commitment");
}

fn assert_stamp(when: &[u8], stamp: &Stamp) {
    let Ok(Value::Object(object)) = json::parse(when) else { panic!("a stamp in no object") };
    let mut draft = object.clone();
    draft.remove(facet::STAMP_KEY);
    let mut written = Vec::new();
    facet::WhenDraft::from_object(&draft).write_stamped(stamp, &mut written);
    assert_eq!(written, when, "writing the stamp again changes nothing");
}

fn facets(draft: &FacetDraft, stamp: &Stamp) -> [Vec<u8>; 5] {
    let mut when = Vec::new();
    draft.when.write_stamped(stamp, &mut when);
    assert_eq!(Facet::JSON.len(), 5);
    [when, draft.who.clone(), draft.what.clone(), draft.content.clone(), draft.where_.clone()]
}
