//! OpenTimestamps files against a small calendar, from the first promise to a block.

use proptest::prelude::*;
use sha2::{Digest as _, Sha256};
use timestamp::ots::{Attestation, BlockHeader, DetachedFile, MAX_FILE_LEN, Op, OtsError, Tree, calendar};

use crate::authority::digest;

const URI: &str = "https://calendar.example.org";

/// A calendar as far as its answers go: a promise first, then a block of one transaction.
struct Calendar;

impl Calendar {
    fn promise(commitment: &[u8]) -> (Tree, Vec<u8>) {
        let mut tree = Tree::new(commitment.to_vec()).unwrap();
        let end = tree.then(Op::Append(vec![1; 8])).unwrap().then(Op::Sha256).unwrap();
        end.attest(Attestation::pending(URI).unwrap());
        let message = end.message().to_vec();
        (tree, message)
    }

    /// The message in a transaction, the transaction's double hash as the Merkle root of a block.
    fn block(message: &[u8], height: u64) -> (Tree, BlockHeader) {
        let mut tree = Tree::new(message.to_vec()).unwrap();
        let end = tree.then(Op::Prepend(vec![2; 60])).unwrap().then(Op::Append(vec![3; 4])).unwrap();
        let end = end.then(Op::Sha256).unwrap().then(Op::Sha256).unwrap();
        end.attest(Attestation::Bitcoin { height });
        let mut header = [0; 80];
        header[36..68].copy_from_slice(end.message());
        header[68..72].copy_from_slice(&1_700_000_000u32.to_le_bytes());
        (tree, BlockHeader::new(header))
    }
}

fn stamped() -> (DetachedFile, BlockHeader) {
    let mut file = DetachedFile::start(digest(), [9; 16]);
    assert_eq!(file.to_bytes(), Err(OtsError::Empty));
    let commitment = file.commitment().unwrap();
    let sent = calendar::submit(URI, &commitment).unwrap();
    assert_eq!((sent.method, sent.path.as_str(), &sent.body), ("POST", "/digest", &commitment));
    assert_eq!(commitment, Sha256::digest([&digest()[..], &[9; 16]].concat()).to_vec());
    let (promise, message) = Calendar::promise(&commitment);
    let answer = calendar::answer(&commitment, &calendar::to_answer(&promise).unwrap()).unwrap();
    file.add(&commitment, &answer).unwrap();
    assert_eq!(file.promises(), [(&message[..], URI)]);
    assert_eq!(
        file.verify(&digest(), 800_000, &BlockHeader::new([0; 80])),
        Err(OtsError::NoSuchBlock { height: 800_000 })
    );

    let asked = calendar::upgrade(&message);
    assert_eq!((asked.method, asked.path.len()), ("GET", "/timestamp/".len() + 64));
    let (block, header) = Calendar::block(&message, 800_000);
    let answer = calendar::answer(&message, &calendar::to_answer(&block).unwrap()).unwrap();
    file.add(&message, &answer).unwrap();
    assert_eq!(file.promises(), []);
    (file, header)
}

#[test]
fn from_a_promise_to_a_block() {
    let (file, header) = stamped();
    let time = file.verify(&digest(), 800_000, &header).unwrap();
    assert_eq!((time.height, time.time), (800_000, 1_700_000_000));
    assert_eq!(time.block, header.hash());
    assert_eq!(DetachedFile::parse(&file.to_bytes().unwrap()).unwrap(), file);

    let other = timestamp::digest(b"other");
    assert!(matches!(file.verify(&other, 800_000, &header), Err(OtsError::OtherData { .. })));
    assert_eq!(file.verify(&digest(), 800_001, &header), Err(OtsError::NoSuchBlock { height: 800_001 }));
    let why = file.verify(&digest(), 800_000, &BlockHeader::new([7; 80])).unwrap_err();
    assert!(matches!(why, OtsError::OtherBlock { height: 800_000, .. }), "{why}");
}

/// Block 0, known to everyone.
#[test]
fn a_header_is_read_as_everyone_reads_it() {
    let mut header = [0; 80];
    header[0] = 1;
    let root = "3ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a";
    for at in 0..32 {
        header[36 + at] = u8::from_str_radix(&root[at * 2..at * 2 + 2], 16).unwrap();
    }
    header[68..].copy_from_slice(&[0x29, 0xab, 0x5f, 0x49, 0xff, 0xff, 0x00, 0x1d, 0x1d, 0xac, 0x2b, 0x7c]);
    let header = BlockHeader::new(header);
    assert_eq!(header.hash(), "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f");
    assert_eq!(header.time(), 1_231_006_505);
}

#[test]
fn every_changed_byte_is_noticed_or_leads_elsewhere() {
    let (file, header) = stamped();
    let bytes = file.to_bytes().unwrap();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << bit;
            let Ok(read) = DetachedFile::parse(&changed) else { continue };
            // The promise stands beside the way to the block and proves nothing.
            let verdict = read.verify(&digest(), 800_000, &header);
            let same_block = read.attestations().iter().any(|found| {
                file.attestations().contains(found)
                    && matches!(found.1, Attestation::Bitcoin { height: 800_000 })
            });
            assert_eq!(verdict.is_ok(), same_block, "bit {bit} of byte {at}: {verdict:?}");
            assert_ne!(read, file);
        }
    }
    for len in 0..bytes.len() {
        assert!(DetachedFile::parse(&bytes[..len]).is_err(), "{len}");
    }
    assert!(DetachedFile::parse(&[&bytes[..], &[0]].concat()).is_err());
}

#[test]
fn files_of_one_digest_are_merged() {
    let (one, header) = stamped();
    let mut two = DetachedFile::start(digest(), [4; 16]);
    let commitment = two.commitment().unwrap();
    two.add(&commitment, &Calendar::promise(&commitment).0).unwrap();
    let mut both = two.clone();
    both.merge(&one).unwrap();
    let mut other_way = one.clone();
    other_way.merge(&two).unwrap();
    assert_eq!(both, other_way);
    assert_eq!(both.promises().len(), 1);
    both.verify(&digest(), 800_000, &header).unwrap();
    assert_eq!(DetachedFile::parse(&both.to_bytes().unwrap()).unwrap(), both);
    let mut elsewhere = DetachedFile::start(timestamp::digest(b"other"), [4; 16]);
    assert!(matches!(elsewhere.merge(&one), Err(OtsError::OtherData { .. })));
    assert!(matches!(
        elsewhere.add(b"never seen", &Calendar::promise(b"never seen").0),
        Err(OtsError::OtherData { .. })
    ));
}

#[test]
fn too_much_of_anything_is_refused() {
    let pending = calendar::to_answer(&{
        let mut tree = Tree::new(vec![0; 32]).unwrap();
        tree.attest(Attestation::pending(URI).unwrap());
        tree
    })
    .unwrap();
    let after = |ops: &[u8]| calendar::answer(&[0; 32], &[ops, &pending].concat());
    assert!(after(&[0x08; 255]).is_ok());
    assert!(matches!(after(&[0x08; 256]), Err(OtsError::TooLarge { what: "operations in a row", .. })));
    assert!(after(&[0xf3; 7]).is_ok());
    assert!(matches!(after(&[0xf3; 8]), Err(OtsError::TooLarge { what: "bytes of a message", .. })));
    for tag in [0x02, 0x03, 0x67, 0x01] {
        assert_eq!(after(&[tag]), Err(OtsError::Unsupported { tag, at: 0 }));
    }
    let wide = [&[0xff][..], &pending].concat().repeat(4096);
    let file = |tree: &[u8]| {
        let start =
            [b"\x00OpenTimestamps\x00\x00Proof\x00\xbf\x89\xe2\xe8\x84\xe8\x92\x94\x01\x08", &[0; 32][..]]
                .concat();
        DetachedFile::parse(&[&start, tree, &pending].concat()).map(drop)
    };
    assert!(file(&wide[(1 + pending.len())..]).is_ok());
    assert!(matches!(file(&wide), Err(OtsError::TooLarge { what: "operations and attestations", .. })));
    // Seven doublings make 4096 bytes of 32, and each further branch holds them again.
    let branches =
        [&[0xf3; 7][..], &[0xff, 0xf2].iter().chain(&pending).copied().collect::<Vec<u8>>().repeat(1100)]
            .concat();
    assert!(matches!(file(&branches), Err(OtsError::TooLarge { what: "bytes of all messages", .. })));
    assert!(matches!(DetachedFile::parse(&vec![0; MAX_FILE_LEN + 1]), Err(OtsError::TooLarge { .. })));
    let long = [&pending[..], &[0; 10_000]].concat();
    assert!(matches!(calendar::answer(&[0; 32], &long), Err(OtsError::TooLarge { .. })));
    assert!(matches!(after(&[0xf0, 0]), Err(OtsError::Malformed { .. })));
    assert!(matches!(after(&[0xf0, 0x81, 0, 5]), Err(OtsError::Malformed { .. })));
    assert_eq!(calendar::submit("https://calendar.example/?a=b", &[0; 32]), Err(OtsError::Address));
    assert_eq!(Tree::new(Vec::new()), Err(OtsError::TooLarge { what: "bytes of a message", max: 4096 }));
}

fn trees() -> impl Strategy<Value = Tree> {
    let op = prop_oneof![
        Just(Op::Sha256),
        Just(Op::Reverse),
        prop::collection::vec(any::<u8>(), 1..40).prop_map(Op::Append),
        prop::collection::vec(any::<u8>(), 1..40).prop_map(Op::Prepend),
    ];
    let end = prop_oneof![
        any::<u64>().prop_map(|height| Attestation::Bitcoin { height }),
        "[a-z./:-]{0,30}".prop_map(|uri| Attestation::pending(&uri).unwrap()),
        prop::collection::vec(any::<u8>(), 0..300)
            .prop_map(|payload| Attestation::Unknown { tag: *b"whatever", payload }),
    ];
    let path = (prop::collection::vec(op, 0..8), end);
    prop::collection::vec(path, 1..10).prop_map(|paths| {
        let mut tree = Tree::new(digest().to_vec()).unwrap();
        for (ops, end) in paths {
            ops.into_iter().fold(&mut tree, |tree, op| tree.then(op).unwrap()).attest(end);
        }
        tree
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_and_written_the_same(tree in trees()) {
        let written = calendar::to_answer(&tree).unwrap();
        let read = calendar::answer(&digest(), &written).unwrap();
        prop_assert_eq!(&read, &tree);
        prop_assert_eq!(calendar::to_answer(&read).unwrap(), written);
    }

    #[test]
    fn merging_is_a_union(one in trees(), two in trees()) {
        let (mut a, mut b) = (one.clone(), two.clone());
        a.merge(&two).unwrap();
        b.merge(&one).unwrap();
        prop_assert_eq!(&a, &b);
        for found in one.attestations().iter().chain(&two.attestations()) {
            prop_assert!(a.attestations().contains(found));
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), at in 0..200usize, byte: u8) {
        let _ = calendar::answer(&digest(), &bytes);
        let (file, _) = stamped();
        let mut written = file.to_bytes().unwrap();
        let at = at % written.len();
        written[at] = byte;
        let _ = DetachedFile::parse(&written);
        written.splice(at.., bytes);
        let _ = DetachedFile::parse(&written);
    }
}
