//! The worked example of docs/format.md is what the engine writes: one event in one ledger, then a stop, with keys,
//! clock and random numbers fixed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fmt::Write as _;
use std::sync::Arc;

use evidence::hex::encode;
use evidence::keys::{WrappedKey, parse_wrapping};
use evidence::seal::{FileType, Place};
use evidence::wal::{self, HEADER_LEN};
use ledger::{Batch, Core, Options, Pending, Prepared, Request};
use record::commit::Seed;
use record::entry::Kind;
use record::facet::{FacetDraft, WhenDraft};
use testkit::{DATA, KEYS, SimEnv, SimFs, SimHost};

/// Bytes in lines of sixteen, as the page shows them.
fn dump(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (line, chunk) in bytes.chunks(16).enumerate() {
        let words: Vec<String> = chunk.chunks(4).map(encode).collect();
        writeln!(text, "{:04x}  {}", line * 16, words.join(" ")).unwrap();
    }
    text
}

fn event() -> Prepared {
    let draft = FacetDraft {
        when: WhenDraft { head: b"{\"class_uid\":6003,".to_vec(), tail: b",\"time\":1}".to_vec() },
        who: b"{\"actor\":{\"user\":{\"name\":\"u1\"}}}".to_vec(),
        what: b"{\"api\":{\"operation\":\"read\"}}".to_vec(),
        content: b"{\"message\":\"secret 1\"}".to_vec(),
        where_: b"{}".to_vec(),
    };
    let raw = br#"{"class_uid":6003,"time":1,"actor":{"user":{"name":"u1"}},"api":{"operation":"read"},"message":"secret 1"}"#;
    Prepared::new(Kind::Event, draft, raw, Seed([1; 16]))
}

#[test]
fn the_worked_example_is_what_the_engine_writes() {
    let host = SimHost::boot(SimFs::new(&[DATA, KEYS]));
    let (data, keys) = host.disks();
    let env = Arc::new(SimEnv::new(1, 1_763_715_600_000));
    let mut core = Core::open(data.clone(), keys.clone(), env, Options::default()).unwrap();
    let batch = Batch { source: 1, numbered: None, records: vec![event()] };
    core.commit(vec![Request::Append { ledger: 0, batch, pending: Pending::new(drop) }]).unwrap();
    core.stop().unwrap();

    let bytes = data.read("wal/0000000000000001.wal").unwrap();
    let scan = wal::scan(&bytes, bytes.len() as u64).unwrap();
    let (header, groups) = (&scan.header.0, &scan.groups);
    let [zero, one, two] = &groups[..] else { panic!("{} groups", groups.len()) };
    let of = |group: &wal::Found<'_>| &bytes[group.offset as usize..][..group.len];
    let part = &one.group.parts[0];
    let entry = encode(part.entries);
    let wrapping = parse_wrapping(&keys.read("wrapping.key").unwrap()).unwrap();
    let path = format!("data/{}.key", encode(&header.key_id));
    let wrapped = keys.read(&path).unwrap();
    let key = WrappedKey::parse(&wrapped).unwrap().unwrap(&wrapping).unwrap();
    let place = Place {
        ledger: part.ledger,
        file_type: FileType::Wal,
        file: 1,
        generation: 0,
        block: 1,
        first: 2,
        count: 1,
        last: false,
    };
    let packed = key.sealer().open(&place.aad(), part.sealed).unwrap();
    let (sealed, end) = (part.sealed, part.sealed.len());
    let start = |bytes: &[u8]| format!("`{}…`", encode(&bytes[..4]));
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let sealed_at = one.len - 32 - end;

    let pieces = [
        format!("| 160 | {} | group 0: genesis and source 1 |\n", zero.len),
        format!("| {} | {} | group 1: the event |\n", one.offset, one.len),
        format!("| {} | {} | group 2: a sync marker |\n", two.offset, two.len),
        dump(&bytes[..HEADER_LEN]),
        dump(of(one)),
        format!("| 4 | `{}` | length: {} |\n", encode(&of(one)[4..8]), one.len),
        format!("| 8 | `{}` | key id of the file |\n", encode(&header.key_id)),
        format!("| 32 | `{:016x}` | synced to {1}, the end of group 0 |\n", one.group.synced_to, one.offset),
        format!("| 40 | {} | hash of group 0 |\n", start(&zero.hash)),
        format!("| 74 | {} | id of the ledger |\n", start(&part.ledger)),
        format!("| 180 | `{:08x}` | sealed block: {end} bytes |\n", end),
        format!("| {} | {} | nonce |\n", sealed_at, start(sealed)),
        format!("| {} | {} | ciphertext, {} bytes |\n", sealed_at + 24, start(&sealed[24..]), end - 40),
        format!("| {} | {} | tag |\n", one.len - 48, start(&sealed[end - 16..])),
        format!("| {} | {} | SHA-256 of bytes 0 to {} |\n", one.len - 32, start(&one.hash), one.len - 33),
        format!("{}\n{}\n", &entry[..52], &entry[52..]),
        format!("Its leaf is `{}`.\n", encode(tlog::leaf_hash(part.entries).as_bytes())),
        dump(of(two)),
        format!("```text\n{}\n```\n", encode(wrapping.bytes())),
        format!("and `{path}`:\n"),
        text(wrapped),
        format!("```text\n{}\n```\n", encode(key.bytes())),
        dump(&place.aad()),
        format!("the sealed block opens to a packed block of {} bytes", packed.len()),
        text(data.read("ledgers/main/checkpoint").unwrap()),
        text(data.read("register").unwrap()),
    ];
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/format.md");
    let page = std::fs::read_to_string(page).unwrap();
    let missing: Vec<&String> = pieces.iter().filter(|piece| !page.contains(piece.as_str())).collect();
    for piece in &missing {
        println!("{piece}");
    }
    assert!(missing.is_empty(), "docs/format.md lacks {} pieces, printed above", missing.len());
}
