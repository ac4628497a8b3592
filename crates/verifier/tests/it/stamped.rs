//! Files beside checkpoints that were time-stamped: as they should be, and altered.

use std::fs;
use std::path::PathBuf;

use evidence::layout::{self, Stamped};
use evidence::verify::{DamageKind, Report};
use record::control::Timestamp;
use record::entry::Kind;
use timestamp::ots::{Attestation, DetachedFile, Tree};
use verifier::{Verdict, parse_header, verify_dir, verify_ots};

use crate::store::{self, Store};

const TOKEN: &[u8] = b"no token, which nobody asks without certificates";

struct Stamps {
    store: Store,
    note: String,
    size: u64,
}

/// A store with a token on record over 700 entries, whose files lie beside its newest checkpoint.
fn stamped() -> Stamps {
    let mut note = String::new();
    let store = store::build_with(700, true, |core| {
        let reads = core.reads();
        let published = reads.published(0).unwrap();
        let root = *published.checkpoint.root.as_bytes();
        let (size, authority) = (published.checkpoint.size, "tsa.example".to_owned());
        let token = TOKEN.to_vec();
        let stamp = Timestamp { size, root, authority, gen_time_ms: 1, accuracy_ms: None, token };
        note.clone_from(&published.note);
        vec![(Kind::Cut, stamp.to_draft())]
    });
    let size = tlog::UnverifiedCheckpoint::parse(note.as_bytes()).unwrap().claimed().size;
    let stamps = Stamps { store, note, size };
    fs::create_dir(stamps.store.data().join("ledgers/main/stamped")).unwrap();
    stamps.put(Stamped::Checkpoint, stamps.note.as_bytes());
    stamps.put(Stamped::Token(timestamp::digest(TOKEN)), TOKEN);
    stamps.put(Stamped::Ots, &ots(&stamps.note, Some(800_000)));
    stamps
}

/// A file over a note, which leads to a block at once, or is promised.
fn ots(note: &str, height: Option<u64>) -> Vec<u8> {
    let body = timestamp::body(note.as_bytes()).unwrap();
    let mut file = DetachedFile::start(timestamp::digest(body.as_bytes()), [1; 16]);
    let commitment = file.commitment().unwrap();
    let mut tree = Tree::new(commitment.clone()).unwrap();
    tree.attest(match height {
        Some(height) => Attestation::Bitcoin { height },
        None => Attestation::pending("https://calendar.example").unwrap(),
    });
    file.add(&commitment, &tree).unwrap();
    file.to_bytes().unwrap()
}

impl Stamps {
    fn path(&self, size: u64, what: Stamped) -> PathBuf {
        self.store.data().join("ledgers/main/stamped").join(layout::stamped_name(size, what))
    }

    fn put(&self, what: Stamped, bytes: &[u8]) {
        fs::write(self.path(self.size, what), bytes).unwrap();
    }

    fn verify(&self) -> Report {
        verify_dir(&self.store.data(), Some(&self.store.keys()), None, &|_, _| {})
    }

    /// The one thing that is wrong.
    fn damage(&self) -> (DamageKind, String) {
        let report = self.verify();
        assert_eq!(report.verdict(), Verdict::Disproven);
        let [damage] = &report.damage[..] else { panic!("{:?}", report.damage) };
        (damage.kind, damage.detail.clone())
    }
}

#[test]
fn files_that_fit_are_told() {
    let stamps = stamped();
    let report = stamps.verify();
    assert_eq!((report.verdict(), &report.damage), (Verdict::Proven, &Vec::new()), "{:?}", report.undecided);
    assert!(report.notes.iter().any(|note| note.contains("to block 800000")), "{:?}", report.notes);
    assert_eq!(report.ledgers[0].anchor, verifier::Anchor::None, "what lies inside anchors nothing");
    stamps.put(Stamped::Ots, &ots(&stamps.note, None));
    let report = stamps.verify();
    assert!(report.notes.iter().any(|note| note.contains("promised by calendars")), "{:?}", report.notes);
    // Nothing rests on them.
    fs::remove_dir_all(stamps.store.data().join("ledgers/main/stamped")).unwrap();
    assert_eq!(stamps.verify().verdict(), Verdict::Proven);
}

#[test]
fn altered_files_are_found() {
    let stamps = stamped();
    let token = Stamped::Token(timestamp::digest(TOKEN));
    stamps.put(token, b"another");
    assert_eq!(stamps.damage(), (DamageKind::Hash, "not the token that its name says".to_owned()));
    fs::remove_file(stamps.path(stamps.size, token)).unwrap();
    let other = Stamped::Token(timestamp::digest(b"another"));
    stamps.put(other, b"another");
    assert_eq!(
        stamps.damage(),
        (DamageKind::Unexpected, "no record of the ledger holds this token".to_owned())
    );
    fs::remove_file(stamps.path(stamps.size, other)).unwrap();

    let mut bytes = ots(&stamps.note, Some(1));
    bytes[40] ^= 1;
    stamps.put(Stamped::Ots, &bytes);
    let why = "it is over other data than the checkpoint".to_owned();
    assert_eq!(stamps.damage(), (DamageKind::Contradiction, why));
    bytes.truncate(50);
    stamps.put(Stamped::Ots, &bytes);
    assert_eq!(stamps.damage().0, DamageKind::Format);
    fs::remove_file(stamps.path(stamps.size, Stamped::Ots)).unwrap();

    let spoilt =
        stamps.note.replacen(&format!("\n{}\n", stamps.size), &format!("\n{}\n", stamps.size + 1), 1);
    stamps.put(Stamped::Checkpoint, spoilt.as_bytes());
    let why = "a checkpoint of another size than its name".to_owned();
    assert_eq!(stamps.damage(), (DamageKind::Contradiction, why));
    fs::rename(
        stamps.path(stamps.size, Stamped::Checkpoint),
        stamps.path(stamps.size + 1, Stamped::Checkpoint),
    )
    .unwrap();
    assert_eq!(stamps.damage().0, DamageKind::Signature);
    fs::remove_file(stamps.path(stamps.size + 1, Stamped::Checkpoint)).unwrap();
    fs::write(stamps.store.data().join("ledgers/main/stamped/7.ots"), b"").unwrap();
    assert_eq!(stamps.damage().0, DamageKind::Unexpected);
}

#[test]
fn an_opentimestamps_file_alone_leaves_the_block_to_be_looked_up() {
    let stamps = stamped();
    let body = timestamp::body(stamps.note.as_bytes()).unwrap();
    let file = ots(&stamps.note, Some(800_000));
    for data in [body.as_bytes(), stamps.note.as_bytes()] {
        let report = verify_ots(&file, data, None, None);
        assert_eq!((report.verdict(), report.blocks.len()), (Verdict::Undecidable, 1), "{report:?}");
        assert!(report.undecided[0].contains("Bitcoin block 800000 has the Merkle root"), "{report:?}");
    }
    let root = DetachedFile::parse(&file).unwrap().attestations()[0].0.to_vec();
    let mut header = [0; 80];
    header[36..68].copy_from_slice(&root);
    let report = verify_ots(&file, body.as_bytes(), None, Some(header));
    assert_eq!((report.verdict(), report.proven_by.unwrap().0), (Verdict::Proven, 800_000));
    header[36] ^= 1;
    assert_eq!(verify_ots(&file, body.as_bytes(), None, Some(header)).verdict(), Verdict::Disproven);
    let vkey = tlog::VerifierKey::parse(&stamps.verify().ledgers[0].vkey).unwrap();
    header[36] ^= 1;
    assert!(verify_ots(&file, stamps.note.as_bytes(), Some(&vkey), Some(header)).pinned);
    let unsigned = verify_ots(&file, body.as_bytes(), Some(&vkey), Some(header));
    assert_eq!(unsigned.verdict(), Verdict::Undecidable);
    let promised = verify_ots(&ots(&stamps.note, None), body.as_bytes(), None, None);
    assert_eq!((promised.verdict(), promised.pending.len()), (Verdict::Undecidable, 1));
    let other = body.replace("ledgerstone", "ledgerstane");
    assert_eq!(verify_ots(&file, other.as_bytes(), None, None).verdict(), Verdict::Disproven);
    assert_eq!(verify_ots(&file[..60], body.as_bytes(), None, None).verdict(), Verdict::Disproven);
    assert!(parse_header(&"00".repeat(80)).is_ok() && parse_header("00").is_err());
}
