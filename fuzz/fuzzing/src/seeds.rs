//! What a fuzzer starts from: one of everything our own encoders write, and hand-made input near the edges.

use evidence::block::{BlockBuilder, BlockRecord};
use evidence::keys::{WrappedKey, format_signing, format_wrapping};
use evidence::register::{LedgerState, Registered, SourceState, WalPosition};
use evidence::seal::Key;
use evidence::segment::{Class, Header, SegmentWriter};
use evidence::wal::{FileHeader, Group, Part, Previous};
use record::commit::{Salt, Seed};
use record::control::{
    Clock, Cut, Gap, GapCause, Genesis, Heartbeat, KeyChange, Numbering, Sealed, SealedClass, SourceRecord,
    Timestamp,
};
use record::entry::{ENTRY_LEN, Entry, Kind};
use record::facet::{FacetDraft, Stamp, TABLE_VERSION, table_hash};
use record::receipt::{Level, Receipt, ReceiptProof};
use record::stored::{Known, Opening};
use timestamp::ots::{Attestation, DetachedFile, Op, Tree, calendar};
use tlog::witness::{format_cosignatures, format_size};
use tlog::{
    AddCheckpoint, Checkpoint, CosigningKey, Hash, KeyStatement, Origin, SigningKey, TileStack, TlogProof,
    VerifierKey, leaf_hash, sign_checkpoint,
};

const NATIVE: &str = r#"{"time":1700000000000,"actor":{"user":{"name":"alice"}},"api":{"operation":"read"},"src_endpoint":{"ip":"192.0.2.1"},"n":-0.5e3}"#;
const CLOUDTRAIL: &str = r#"{"eventVersion":"1.08","userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::111122223333:user/a","accountId":"111122223333","userName":"a"},"eventTime":"2024-05-01T12:00:00Z","eventSource":"s3.amazonaws.com","eventName":"GetObject","awsRegion":"eu-central-1","sourceIPAddress":"192.0.2.7","userAgent":"x","requestParameters":{"bucketName":"b","key":"k"},"responseElements":null,"eventID":"e","readOnly":true,"eventType":"AwsApiCall"}"#;
const KUBERNETES: &str = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"1","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/d/pods","verb":"list","user":{"username":"system:admin","groups":["g"]},"sourceIPs":["192.0.2.9"],"objectRef":{"resource":"pods","namespace":"d","apiVersion":"v1"},"responseStatus":{"code":200},"requestReceivedTimestamp":"2024-05-01T12:00:00.000001Z","stageTimestamp":"2024-05-01T12:00:00.000002Z"}"#;

/// One input of a corpus.
pub struct SeedFile {
    /// Name of the target.
    pub target: &'static str,
    /// Name of the file.
    pub name: &'static str,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// All of them.
pub fn all() -> Vec<SeedFile> {
    let mut seeds = Seeds(Vec::new());
    records(&mut seeds);
    controls(&mut seeds);
    logs(&mut seeds);
    stores(&mut seeds);
    streams(&mut seeds);
    stamps(&mut seeds);
    files(&mut seeds);
    seeds.0
}

struct Seeds(Vec<SeedFile>);

impl Seeds {
    fn add(&mut self, target: &'static str, name: &'static str, bytes: impl Into<Vec<u8>>) {
        self.0.push(SeedFile { target, name, bytes: bytes.into() });
    }

    /// With the byte ahead that chooses how the rest is read.
    fn chosen(&mut self, target: &'static str, name: &'static str, choice: u8, bytes: &[u8]) {
        self.add(target, name, [&[choice], bytes].concat());
    }
}

/// The golden evidence files, and the texts in one that come as they are.
fn files(seeds: &mut Seeds) {
    let range = include_bytes!("../../../crates/export/tests/golden/range.evidence");
    seeds.chosen("evidence_file", "range", 0, range);
    let withheld = include_bytes!("../../../crates/export/tests/golden/withheld.evidence");
    seeds.chosen("evidence_file", "withheld", 0, withheld);
    let query = include_bytes!("../../../crates/export/tests/golden/query.evidence");
    seeds.chosen("evidence_file", "query", 0, query);
    for row in export::zip::directory(&range[..]).unwrap_or_default() {
        if row.name == "manifest.json" {
            seeds.chosen("evidence_file", "manifest", 1, &range[row.data() as usize..row.end() as usize]);
        }
    }
    let hash = Hash::from_bytes([7; 32]);
    let neighbour = export::anchors::Neighbour { entry: vec![1; ENTRY_LEN], proof: vec![hash] };
    let place = export::anchors::RangeProof {
        from: 1,
        end: 2,
        left: vec![hash],
        before: Some(neighbour),
        ..Default::default()
    };
    seeds.chosen("evidence_file", "place", 2, &place.to_text());
    let anchor = export::anchors::Anchor {
        checkpoint: "o\n1\n\n".to_owned(),
        consistency: vec![hash],
        timestamps: vec![vec![0x30, 0]],
    };
    seeds.chosen("evidence_file", "anchor", 3, &anchor.to_text());
    let row = "{\"entry\":\"AQ==\",\"index\":\"7\",\"payload\":{\"facets\":[\"{}\",\"{}\",\"{}\",\"{\\\"a\\\":\\\"\\\\n\\\"}\",\"{}\"],\
               \"form\":0,\"raw\":\"aA==\",\"seed\":\"00112233445566778899aabbccddeeff\",\"table_version\":1},\"proof\":[]}";
    let entry = format!("\"entry\":\"{}\"", export::text::base64(&[1; ENTRY_LEN]));
    seeds.chosen("evidence_file", "row", 4, row.replace("\"entry\":\"AQ==\"", &entry).as_bytes());
}

fn stamps(seeds: &mut Seeds) {
    seeds.add("token", "response", crate::timestamp_formats::RESPONSE);
    let token = timestamp::response(crate::timestamp_formats::RESPONSE);
    seeds.add("token", "token", token.map(|token| token.as_bytes().to_vec()).unwrap_or_default());
    let mut file = DetachedFile::start([7; 32], [9; 16]);
    let commitment = file.commitment().unwrap_or_default();
    let promise = Attestation::pending("https://calendar.example.org");
    let block = ("block", Attestation::Bitcoin { height: 800_000 });
    for (name, end) in promise.into_iter().map(|promise| ("promise", promise)).chain([block]) {
        let Ok(mut tree) = Tree::new(commitment.clone()) else { continue };
        let way = [Op::Append(vec![1; 8]), Op::Prepend(vec![2]), Op::Reverse, Op::Hexlify, Op::Sha256];
        let mut below = &mut tree;
        for op in way {
            below = below.then(op).unwrap_or_else(|error| panic!("{error}"));
        }
        below.attest(end);
        file.add(&commitment, &tree).unwrap_or_else(|error| panic!("{error}"));
        seeds.add("ots", name, calendar::to_answer(&tree).unwrap_or_default());
    }
    seeds.add("ots", "file", file.to_bytes().unwrap_or_default());
}

fn records(seeds: &mut Seeds) {
    for (name, text) in [
        ("native", NATIVE),
        ("numbers", "[0,-0,1e400,9007199254740993,0.1,1E-7,123456789012345678901234567890]"),
        ("escapes", r#"{"\u0000\"\\\/\b\f\n\r\t":"\ud83d\ude00\u00e9"}"#),
        ("surrogate", r#""\ud800""#),
        ("duplicate", r#"{"a":1,"\u0061":2}"#),
        ("items", r#"{"kind":"List","items":[1,{"a":[]},"b"]}"#),
        ("array", " [ {} , [ ] , null , true ]\n"),
    ] {
        seeds.add("json", name, text);
    }
    seeds.add("json", "deep", "[".repeat(65));
    for (name, text) in [
        ("object", r#"{"a":1,"b":[true,false,null],"€":"\u000f\n"}"#),
        ("order", "{\"\u{e000}\":1,\"😀\":2}"),
        ("numbers", "[0,1e+21,1e-7,333333333.3333333,9007199254740991]"),
        ("space", r#"{"a": 1}"#),
    ] {
        seeds.add("canonical", name, text);
    }
    let draft = record::json::parse(NATIVE.as_bytes()).map(|event| record::facet::split(&event));
    let FacetDraft { when, .. } = draft.unwrap_or_default();
    let mut stamped = Vec::new();
    when.write_stamped(&Stamp { received_ms: 5, source: 1, epoch: 1, sequence: 7 }, &mut stamped);
    seeds.add("facet", "when", stamped);
    seeds.add("facet", "event", NATIVE);
    seeds.add(
        "facet",
        "taken",
        r#"{"ledgerstone":{"source":9},"unmapped":{"a":{"b":[{"c":1}]}},"raw_data":"x"}"#,
    );
    seeds.add("entry", "event", entry().encode());
    seeds.add("entry", "genesis", Entry { kind: Kind::Genesis, ..entry() }.encode());
}

fn entry() -> Entry {
    Entry {
        kind: Kind::Event,
        received_ms: 1_700_000_000_000,
        source: 3,
        epoch: 2,
        sequence: 41,
        commitment: [0xab; 32],
    }
}

fn controls(seeds: &mut Seeds) {
    let mut add =
        |name, kind: Kind, draft: FacetDraft| seeds.chosen("control", name, kind as u8, &draft.what);
    let vkey = signing_key().map(|key| key.verifying_key().to_string()).unwrap_or_default();
    let genesis = Genesis {
        ledger_id: [1; 32],
        origin: "example.com/log".to_owned(),
        log_vkey: vkey.clone(),
        authority_vkey: vkey,
        table_version: TABLE_VERSION,
        table_hash: table_hash(),
        predecessor: Some("example.com/old\n0\n\n".to_owned()),
        created_ms: 5,
    };
    add("genesis", Kind::Genesis, genesis.to_draft());
    let gap = Gap {
        cause: GapCause::Sequence,
        source: Some(3),
        epoch: Some(1),
        from_sequence: Some(10),
        to_sequence: Some(u64::MAX),
        from_ms: None,
        to_ms: None,
        clean: None,
        detail: "numbers are missing".to_owned(),
    };
    add("gap", Kind::Gap, gap.to_draft());
    let statement = "ledgerstone/key-change/v1\nexample.com/log\n0\n\n".to_owned();
    add("key-malformed", Kind::Key, KeyChange { statement, checkpoint: String::new() }.to_draft());
    if let (Some(key), Ok(origin)) = (signing_key(), Origin::new("example.com/log")) {
        let head = Checkpoint { origin: origin.clone(), size: 1, root: leaf_hash(b"x") };
        let new = key.verifying_key().clone();
        let statement = KeyStatement { origin, size: 1, root: head.root, key: new };
        let checkpoint = sign_checkpoint(&head, &key);
        let text = KeyChange { statement: statement.to_text(), checkpoint: checkpoint.clone() };
        add("key-text", Kind::Key, text.to_draft());
        add("key", Kind::Key, KeyChange { statement: statement.sign(&key), checkpoint }.to_draft());
    }
    add("heartbeat", Kind::Heartbeat, Heartbeat { size: 9, system: None }.to_draft());
    let system = Some("example.com/1\n9\n\n".to_owned());
    add("heartbeat-system", Kind::Heartbeat, Heartbeat { size: 9, system }.to_draft());
    let source =
        SourceRecord { source: 4, epoch: 2, numbering: Numbering::Source, previous_last_sequence: Some(17) };
    add("source", Kind::Source, source.to_draft());
    let sealed = Sealed {
        file: "segment/events/00".to_owned(),
        class: SealedClass::Events,
        generation: 1,
        first: 0,
        end: 256,
        length: 4096,
        sha256: [7; 32],
        supersedes: Some(0),
    };
    add("sealed", Kind::Sealed, sealed.to_draft());
    let cut = Cut { file: "wal/1".to_owned(), offset: 160, length: 12, sha256: [8; 32] };
    add("cut", Kind::Cut, cut.to_draft());
    add("clock", Kind::Cut, Clock { expected_ms: 5, wall_ms: 4 }.to_draft());
    let stamp = Timestamp {
        size: 4711,
        root: [9; 32],
        authority: "tsa.example".to_owned(),
        gen_time_ms: 1_700_000_000_000,
        accuracy_ms: Some(1500),
        token: vec![0x30, 0],
    };
    add("timestamp", Kind::Cut, stamp.to_draft());
}

fn signing_key() -> Option<SigningKey> {
    SigningKey::from_seed("example.com/log", [7; 32]).ok()
}

fn logs(seeds: &mut Seeds) {
    let (Some(key), Ok(witness)) = (signing_key(), CosigningKey::from_seed("example.com/witness", [8; 32]))
    else {
        return;
    };
    let Ok(origin) = Origin::new(key.name()) else { return };
    let entries: Vec<[u8; ENTRY_LEN]> =
        (0..5).map(|sequence| Entry { sequence, ..entry() }.encode()).collect();
    let mut tree = TileStack::new();
    for entry in &entries {
        tree.push(leaf_hash(entry), &mut |_, _| {});
    }
    let checkpoint = Checkpoint { origin, size: tree.size(), root: tree.root() };
    let note = sign_checkpoint(&checkpoint, &key);
    let cosigned = format!("{note}{}\n", witness.cosign(&checkpoint, 1_700_000_000));
    seeds.add("note", "signed", note.as_str());
    seeds.add("note", "cosigned", cosigned.as_str());
    seeds.add("note", "long_signature", "text\n\n— example.com AAAAAAAAAAAAAAAAAAAAAAAAAAAA\n");
    seeds.add("checkpoint", "signed", note.as_str());
    seeds.add("checkpoint", "text", checkpoint.to_text());
    seeds.add("checkpoint", "extension", checkpoint.to_text() + "more\n");
    seeds.add("vkey", "log", key.verifying_key().to_string());
    seeds.add("vkey", "witness", witness.verifying_key().to_string());

    let hashes: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
    witnessing(seeds, key.verifying_key(), &witness, &checkpoint, &note, &hashes);
    let proof = TlogProof {
        extra: Some(b"extra".to_vec()),
        index: 4,
        hashes: vec![hashes[0]],
        checkpoint: note.clone(),
    };
    seeds.add("proof", "extra", proof.to_string());
    seeds.add("proof", "plain", TlogProof { extra: None, ..proof }.to_string());
    let receipt = Receipt {
        origin: "example.com/log".to_owned(),
        ledger_id: [1; 32],
        index: 4,
        level: Level::Durable,
        entry: entries[4],
        table_version: TABLE_VERSION,
        salt_5: Salt([3; 16]),
        digests: [[4; 32]; 5],
        proof: None,
    };
    seeds.add("receipt", "durable", receipt.to_json());
    let proof = ReceiptProof { checkpoint: note, hashes: vec![hashes[0], hashes[1]] };
    let committed = Receipt { level: Level::Committed, proof: Some(proof), ..receipt };
    seeds.add("receipt", "committed", committed.to_json());

    for (name, path) in [
        ("full", "tile/0/x123/456"),
        ("partial", "tile/1/000.p/7"),
        ("entries", "tile/entries/x001/x002/003.p/255"),
        ("wide", "tile/63/000.p/256"),
    ] {
        seeds.add("tile_path", name, path);
    }
    seeds.add("bundle", "entries", tlog::encode_bundle(&entries).unwrap_or_default());
    seeds.chosen("bundle", "tile", hashes.len() as u8, &tlog::encode_tile(&hashes));
}

fn witnessing(
    seeds: &mut Seeds,
    log: &VerifierKey,
    witness: &CosigningKey,
    checkpoint: &Checkpoint,
    note: &str,
    hashes: &[Hash],
) {
    let vkey = witness.verifying_key();
    let policy = format!(
        "# one of one\nlog {log} https://log.example/\nwitness w {vkey} https://w.example\n\
         group g 1 w\n\tgroup  h all g\nquorum h\n"
    );
    seeds.add("policy", "groups", policy.as_str());
    seeds.add("policy", "none", "quorum none");
    seeds.add(
        "policy",
        "octets",
        [b"# \xff\nwitness \xfe ", vkey.to_string().as_bytes(), b"\nquorum \xfe\n"].concat(),
    );
    let request = AddCheckpoint { old: 3, proof: hashes.to_vec(), checkpoint_note: note.to_owned() };
    seeds.add("add_checkpoint", "proof", request.to_string());
    seeds.add("add_checkpoint", "first", AddCheckpoint { old: 0, proof: Vec::new(), ..request }.to_string());
    let cosignature = witness.cosign(checkpoint, 1_700_000_000);
    let answer = format_cosignatures(&[cosignature.clone(), cosignature]);
    seeds.add("witness_answer", "cosignatures", answer);
    seeds.add("witness_answer", "size", format_size(20_852_014));
}

fn stores(seeds: &mut Seeds) {
    let facets: [&[u8]; 6] = [b"{}", b"{\"a\":1}", b"{}", b"{}", b"{}", b"raw"];
    let partial = Opening::Partial([const { Known::Digest([5; 32]) }; 6]).clone();
    let rows = [
        BlockRecord { index: 256, opening: Opening::Seed(Seed([9; 16])), facets },
        BlockRecord { index: 258, opening: partial, facets: [b""; 6] },
    ];
    let mut builder = BlockBuilder::new();
    rows.iter().for_each(|row| builder.push(row));
    let packed = builder.pack(1);
    let plain = zstd::bulk::decompress(&packed[4..], 1 << 16).unwrap_or_default();
    seeds.add("block", "packed", packed.as_slice());
    seeds.add("block", "plain", plain);

    let mut header = Header {
        ledger: [1; 32],
        class: Class::Control,
        generation: 0,
        first: 256,
        end: 512,
        key_id: [0; 16],
    };
    let mut writer = SegmentWriter::new(header.clone(), None, 1);
    rows.iter().for_each(|row| writer.push(row, || [0; 24]));
    seeds.add("segment", "control", writer.finish(|| [0; 24]).unwrap_or_default());
    header.class = Class::Events;
    let sealer = Key::new([2; 32]).sealer();
    let mut writer = SegmentWriter::new(header, Some(&sealer), 1);
    rows.iter().for_each(|row| writer.push(row, || [0; 24]));
    seeds.add("segment", "events", writer.finish(|| [0; 24]).unwrap_or_default());

    let header = FileHeader { number: 1, created_ms: 5, previous: Previous::default(), key_id: [7; 16] };
    let mut file = header.encode().to_vec();
    let entries = entry().encode().repeat(2);
    let mut chain = header_hash(&file);
    for number in 0..2 {
        let part =
            Part { ledger: [1; 32], first: number * 2, entries: &entries, clear: &packed, sealed: b"sealed" };
        let (id, synced_to) = ([7; 16], file.len() as u64);
        let group = Group { file: id, number, synced_to, previous: chain, parts: vec![part] };
        let (frame, hash) = group.encode();
        chain = hash;
        file.extend_from_slice(&frame);
        if number == 0 {
            seeds.add("wal_group", "one_part", frame);
        }
    }
    let (id, synced_to) = ([7; 16], file.len() as u64);
    let marker = Group { file: id, number: 2, synced_to, previous: chain, parts: Vec::new() };
    seeds.add("wal_group", "marker", marker.encode().0);
    seeds.add("wal_scan", "whole", [&[0, 0], file.as_slice()].concat());
    seeds.add("wal_scan", "torn", [&[1, 0], &file[..file.len() - 9]].concat());
    state_files(seeds);
    for (name, text) in [
        ("wal", "0000000000000001.wal"),
        ("segment", "00000000000000000256-00000000000000000512.0"),
        ("ledger", "main"),
        ("hash", "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"),
    ] {
        seeds.add("file_name", name, text);
    }
}

fn header_hash(header: &[u8]) -> [u8; 32] {
    header.last_chunk().copied().unwrap_or_default()
}

fn state_files(seeds: &mut Seeds) {
    let register = Registered {
        store: [1; 16],
        writer_epoch: 3,
        stopped: false,
        written_ms: 1_700_000_000_000,
        settings: Some([2; 32]),
        wal: WalPosition { file: 1, offset: 160, chain: [3; 32] },
        wal_floor: 1,
        ledgers: vec![LedgerState {
            name: "main".to_owned(),
            id: [4; 32],
            origin: "example.com/log".to_owned(),
            vkey: String::new(),
            size: 300,
            root: leaf_hash(b""),
            received_ms: 5,
            sealed: 256,
            sealed_frontier: vec![leaf_hash(b"x")],
            sources: vec![SourceState { source: 1, epoch: 1, numbered_by_source: true, last_sequence: 8 }],
        }],
    };
    let key = Key::new([5; 32]);
    let files = [
        ("register", register.format()),
        ("wrapping", format_wrapping(&key)),
        ("signing", format_signing("example.com/log", &[6; 32], "vkey")),
        ("data", WrappedKey::wrap(&key, &key, [7; 16], "wal/1", [8; 24]).format()),
    ];
    for (name, file) in files {
        seeds.add("state_file", name, file);
    }
    let object = register.format().split(|byte| *byte == b'\n').nth(1).map(<[u8]>::to_vec);
    seeds.add("state_file", "object", object.unwrap_or_default());
}

fn streams(seeds: &mut Seeds) {
    let rows = [
        ("lines", format!("{NATIVE}\n\nno json\r\n{NATIVE}")),
        ("list", format!("{{\"Records\":[{CLOUDTRAIL} , {CLOUDTRAIL}],\"more\":1}}")),
        (
            "items",
            format!(
                "{{\"kind\":\"EventList\",\"items\":[{KUBERNETES}],\"metadata\":{{\"continue\":\"c\"}}}}\n"
            ),
        ),
        ("array", format!("[\n  {NATIVE},\n  {{\"a\":[]}}\n]\n")),
        ("pretty", "\u{feff}{\n  \"a\": 1\n}\n{\n  \"b\": \"}\"\n}\n".to_owned()),
        ("broken", "{\n\"a\": ]\n}\n{\"b\":2}\n".to_owned()),
        ("long", format!("{{\"a\":\"{}\"}}\n{{}}\n", "x".repeat(300))),
    ];
    for (at, (name, text)) in rows.into_iter().enumerate() {
        seeds.chosen("split", name, at as u8 * 5 + 1, text.as_bytes());
    }
    for (choice, name, text) in [
        (0, "detected_native", NATIVE),
        (0, "detected_cloudtrail", CLOUDTRAIL),
        (0, "detected_kubernetes", KUBERNETES),
        (1, "native", NATIVE),
        (2, "cloudtrail", CLOUDTRAIL),
        (3, "kubernetes", KUBERNETES),
        (1, "time", "2024-02-29T23:59:60.5+14:00"),
    ] {
        seeds.chosen("map", name, choice, text.as_bytes());
    }
}
