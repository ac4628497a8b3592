//! Records and proofs, checked by the code an outsider would use.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use record::commit::{Salt, Seed};
use record::entry::{Entry, Kind};
use record::facet::FACETS;
use record::json::{self, Value};
use record::receipt::Receipt;
use record::stored::{self, Known, Opening};
use tlog::hash::{Hash, leaf_hash};
use tlog::proof::verify_consistency;
use tlog::tree::Frontier;
use tlog::{TlogProof, UnverifiedCheckpoint};

use crate::moody::Mood;
use crate::site::{Site, event, lines};

fn bytes(value: &Value<'_>) -> Vec<u8> {
    STANDARD.decode(value.str().unwrap()).unwrap()
}

/// A line of `records`, read as the interface describes it.
struct Row {
    index: u64,
    entry: Vec<u8>,
    opening: Opening,
    facets: Vec<Vec<u8>>,
}

fn rows(body: &[u8]) -> Vec<Row> {
    let row = |line: &[u8]| {
        let value = json::parse(line).unwrap();
        let member = |name: &str| value.path(&[name]).unwrap().clone();
        let known = |known: &Value<'_>| match (known.path(&["salt"]), known.path(&["digest"])) {
            (Some(salt), None) => Known::Salt(Salt(bytes(salt).try_into().unwrap())),
            (_, digest) => Known::Digest(bytes(digest.unwrap()).try_into().unwrap()),
        };
        let opening = match member("opening").path(&["seed"]) {
            Some(seed) => Opening::Seed(Seed(bytes(seed).try_into().unwrap())),
            None => {
                let list = member("opening")
                    .path(&["known"])
                    .unwrap()
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(known)
                    .collect::<Vec<_>>();
                Opening::Partial(list.try_into().unwrap())
            }
        };
        Row {
            index: member("index").str().unwrap().parse().unwrap(),
            entry: bytes(&member("entry")),
            opening,
            facets: member("facets").as_array().unwrap().iter().map(bytes).collect(),
        }
    };
    body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(row).collect()
}

#[test]
fn records_recompute_to_entries_and_entries_to_the_signed_root() {
    let site = Site::start();
    site.append("", lines(0..3000)).ok();
    let answer = site.append("?wait=committed", "junk\n").ok();
    let note = UnverifiedCheckpoint::parse(answer.text("checkpoint").as_bytes()).unwrap();
    let checkpoint = note.verify(&site.ledger().origin, &[site.key()], &[]).unwrap();
    let size = checkpoint.checkpoint().size;
    let answer = site.get(&format!("/v1/ledgers/main/records?from=0&to={size}")).ok();
    assert_eq!(answer.header("content-type"), "application/x-ndjson");
    let rows = rows(&answer.body);
    assert_eq!(rows.len() as u64, size);
    let mut tree = Frontier::default();
    for (index, row) in (0..).zip(&rows) {
        assert_eq!((row.index, row.facets.len()), (index, FACETS));
        let entry = Entry::decode(&row.entry).unwrap();
        let facets = std::array::from_fn(|facet| &row.facets[facet][..]);
        stored::check(&entry, &site.ledger().id, &row.opening, &facets).unwrap();
        tree.push(leaf_hash(&row.entry));
    }
    assert_eq!(tree.root(), checkpoint.checkpoint().root);
}

#[test]
fn records_are_asked_for_by_range() {
    let site = Site::start();
    site.append("", lines(0..50)).ok();
    let size = site.durable();
    let get = |query: &str| site.get(&format!("/v1/ledgers/main/records{query}"));
    let indexes = |query: &str| rows(&get(query).ok().body).iter().map(|row| row.index).collect::<Vec<_>>();
    assert_eq!(indexes("?from=3&to=6"), [3, 4, 5]);
    assert!(indexes("?from=3&to=3").is_empty());
    assert_eq!(indexes("").len() as u64, size);
    assert_eq!(indexes(&format!("?from={}", size - 1)), [size - 1]);
    for query in [format!("?to={}", size + 1), "?from=5&to=4".to_owned(), "?first=1".to_owned()] {
        get(&query).problem(400, "query");
    }
}

#[test]
fn one_record_is_shown_with_all_that_is_known() {
    let site = Site::start();
    let answer = site.append("?wait=committed", format!("{}\n\u{1F512} junk\n", event(7))).ok();
    let first = answer.number("first");
    let shown = site.get(&format!("/v1/ledgers/main/events/{first}")).ok();
    assert_eq!((shown.number("index"), shown.text("kind")), (first, "event".to_owned()));
    assert_eq!((shown.number("source"), shown.number("epoch")), (1, 1));
    assert_eq!(wire::rfc3339_ms(&shown.text("received")), Some(shown.number("received_ms") as i64));
    assert_eq!(shown.text("event.actor.user.name"), "user7");
    assert_eq!(shown.number("event.ledgerstone.received"), shown.number("received_ms"));
    assert_eq!(shown.text("raw"), event(7));
    assert_eq!(shown.value("committed").as_bool(), Some(true));
    let shown = site.get(&format!("/v1/ledgers/main/events/{}", first + 1)).ok();
    assert_eq!(
        (shown.text("kind"), shown.text("raw")),
        ("quarantine".to_owned(), "\u{1F512} junk".to_owned())
    );
    let answer = site.append("", b"\xff\xfe\n").ok();
    let shown = site.get(&format!("/v1/ledgers/main/events/{}", answer.number("first"))).ok();
    assert_eq!(bytes(&shown.value("raw_base64")), b"\xff\xfe");
    let genesis = site.get("/v1/ledgers/main/events/0").ok();
    assert_eq!((genesis.text("kind"), genesis.text("raw")), ("genesis".to_owned(), String::new()));
    let beyond = site.durable() + 10;
    let missing = site.get(&format!("/v1/ledgers/main/events/{beyond}")).problem(404, "not-found");
    assert_eq!(missing.number("index"), beyond);
    site.get("/v1/ledgers/main/events/x").problem(404, "not-found");
    site.get("/v1/ledgers/none/events/0").problem(404, "no-such-ledger");
    site.get("/v1/ledgers/%ff/events/0").problem(404, "not-found");
}

#[test]
fn proofs_and_receipts_verify_under_the_key() {
    let site = Site::start();
    let answer = site.append("?wait=committed&receipts=full", lines(0..600)).ok();
    let receipts = answer.receipts();
    for at in [0, 1, 255, 256, 599] {
        let index = receipts[at].index;
        let answer = site.get(&format!("/v1/ledgers/main/proof/{index}")).ok();
        assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
        let proof = TlogProof::parse(&answer.body).unwrap();
        assert_eq!(proof.index, index);
        let leaf = receipts[at].leaf_hash();
        proof.verify(&leaf, &site.ledger().origin, &[site.key()], &[]).unwrap();
        let other = receipts[(at + 1) % 600].leaf_hash();
        assert!(proof.verify(&other, &site.ledger().origin, &[site.key()], &[]).is_err());
        let rebuilt = site.get(&format!("/v1/ledgers/main/receipt/{index}")).ok();
        let rebuilt = Receipt::parse(&rebuilt.body).unwrap();
        rebuilt.check_raw(event(at as u64).as_bytes()).unwrap();
        rebuilt.check_proof(&site.key()).unwrap();
        assert_eq!((rebuilt.entry, &rebuilt.salt_5), (receipts[at].entry, &receipts[at].salt_5));
    }
    let beyond = site.durable() + 10;
    site.get(&format!("/v1/ledgers/main/proof/{beyond}")).problem(404, "not-found");
    site.get(&format!("/v1/ledgers/main/receipt/{beyond}")).problem(404, "not-found");
}

#[test]
fn what_is_durable_only_has_no_proof_yet() {
    let mut options = crate::site::options();
    options.checkpoint_interval = std::time::Duration::from_secs(3600);
    let site = Site::with(crate::site::Setup { options, ..Default::default() });
    site.append("?wait=committed", event(0)).ok();
    let index = site.append("", event(1)).ok().number("first");
    let shown = site.get(&format!("/v1/ledgers/main/events/{index}")).ok();
    assert_eq!(shown.value("committed").as_bool(), Some(false));
    for path in ["proof", "receipt"] {
        let answer = site.get(&format!("/v1/ledgers/main/{path}/{index}")).problem(409, "not-committed");
        assert_eq!(answer.header("retry-after"), "1");
    }
    site.temper.set(Mood::Fine);
}

#[test]
fn any_older_size_is_shown_to_be_a_beginning() {
    let site = Site::start();
    let mut roots: Vec<(u64, Hash)> = Vec::new();
    for round in 0..6 {
        let note = site.append("?wait=committed", lines(0..100 * round + 1)).ok().text("checkpoint");
        let checkpoint = UnverifiedCheckpoint::parse(note.as_bytes()).unwrap();
        let checkpoint = checkpoint.verify(&site.ledger().origin, &[site.key()], &[]).unwrap();
        roots.push((checkpoint.checkpoint().size, checkpoint.checkpoint().root));
    }
    for (old, root) in &roots {
        let answer = site.get(&format!("/v1/ledgers/main/consistency?old={old}")).ok();
        let note = answer.text("checkpoint");
        let checkpoint = UnverifiedCheckpoint::parse(note.as_bytes()).unwrap();
        let checkpoint = checkpoint.verify(&site.ledger().origin, &[site.key()], &[]).unwrap();
        let new = checkpoint.checkpoint();
        assert_eq!((answer.number("old"), answer.number("new")), (*old, new.size));
        let proof = answer.value("proof");
        let hash = |value: &Value<'_>| Hash::from_bytes(bytes(value).try_into().unwrap());
        let proof: Vec<Hash> = proof.as_array().unwrap().iter().map(hash).collect();
        verify_consistency(*old, new.size, root, &new.root, &proof).unwrap();
    }
    let empty = site.get("/v1/ledgers/main/consistency?old=0").ok();
    assert!(empty.value("proof").as_array().unwrap().is_empty());
    site.get("/v1/ledgers/main/consistency?old=999999").problem(400, "query");
    site.get("/v1/ledgers/main/consistency").problem(400, "query");
}

#[test]
fn the_ledgers_say_how_far_they_are() {
    let site = Site::start();
    site.append("?wait=committed", lines(0..10)).ok();
    let answer = site.get("/v1/ledgers").ok().json();
    let list = answer.as_array().unwrap();
    let names: Vec<_> = list.iter().map(|ledger| ledger.path(&["name"]).unwrap().str().unwrap()).collect();
    assert!(names.contains(&"main") && names.contains(&"other"), "{names:?}");
    let text = |name: &str| list[0].path(&[name]).unwrap().str().unwrap().to_owned();
    let info = site.ledger();
    assert_eq!((text("origin"), text("vkey"), text("prefix")), (info.origin, info.vkey, site.prefix()));
    assert_eq!(text("id"), evidence::hex::encode(&info.id));
    let number = |name: &str| list[0].path(&[name]).unwrap().as_u64().unwrap();
    assert!(number("durable") >= number("committed") && number("committed") >= 10);
    assert!(number("sealed") <= number("committed"));
    let health = site.get_as("/healthz", None).ok();
    assert_eq!((health.text("status"), health.number("ledgers")), ("ok".to_owned(), list.len() as u64));
    assert!(site.stored().iter().any(|(kind, _)| *kind == Kind::Genesis));
}
