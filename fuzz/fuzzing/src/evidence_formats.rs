//! Formats whose frames carry their own hash: a fuzzer never guesses one, so each body also puts the right hash on
//! what it was given and goes in behind it.

use evidence::block::{BlockBuilder, Unpacked};
use evidence::keys::{self, WrappedKey};
use evidence::register::Registered;
use evidence::segment::{self, Class, Directory};
use evidence::wal::{FileHeader, Group, HEADER_LEN, Tail};
use evidence::{hex, layout, statefile, wal};
use sha2::{Digest, Sha256};

/// The first two bytes say up to where the file was known durable.
pub fn wal_scan(input: &[u8]) {
    let Some((known, file)) = input.split_first_chunk::<2>() else { return };
    let known = u64::from(u16::from_be_bytes(*known));
    scan(file, known);
    let mut file = file.to_vec();
    if let Some(header) = file.get_mut(..HEADER_LEN) {
        rehash(header);
        if let Ok((header, _)) = FileHeader::decode(&file) {
            assert_eq!(header.encode(), file[..HEADER_LEN]);
        }
        scan(&file, known);
    }
}

fn scan(file: &[u8], known: u64) {
    let Ok(scan) = wal::scan(file, known) else { return };
    let mut at = HEADER_LEN as u64;
    for found in &scan.groups {
        assert_eq!(found.offset, at);
        at += found.len as u64;
        assert_eq!(scan.chain_at(at), Some(found.hash));
    }
    assert_eq!(scan.end, at);
    assert!(scan.tail != Tail::Clean || at == file.len() as u64);
    assert!(matches!(scan.tail, Tail::Corrupt(_)) || at >= known, "what was durable is never called torn");
}

pub fn wal_group(input: &[u8]) {
    let mut frame = input.to_vec();
    if let Some(len) = frame.get_mut(4..8) {
        len.copy_from_slice(&(input.len() as u32).to_be_bytes());
        rehash(&mut frame);
    }
    for bytes in [input, &frame] {
        if let Ok((group, len, hash)) = Group::decode(bytes) {
            assert_eq!(group.encode(), (bytes[..len].to_vec(), hash));
            for part in &group.parts {
                assert!(part.count() > 0 && part.end() > part.first);
            }
        }
    }
}

pub fn segment(input: &[u8]) {
    check_segment(input);
    let mut file = input.to_vec();
    if file.len() >= segment::HEADER_LEN {
        rehash(&mut file[..segment::HEADER_LEN]);
    }
    rehash(&mut file);
    check_segment(&file);
    // The same bytes as a footer behind an empty body.
    if let Some((header, footer)) = file.split_at_checked(segment::HEADER_LEN) {
        let _ = Directory::decode(header, footer, segment::HEADER_LEN as u64);
    }
}

fn check_segment(file: &[u8]) {
    let _ = segment::entries_at(file, file.len() as u64 / 2);
    let Ok(directory) = segment::check(file) else { return };
    for (at, row) in directory.blocks.iter().enumerate() {
        assert_eq!(directory.find(row.first), Some(at));
        let bytes = &file[row.offset as usize..][..row.len as usize];
        let _ = directory.open_block(at, bytes, None);
    }
}

/// The input as a packed block, and as what a packed block holds.
pub fn block(input: &[u8]) {
    unpack(input);
    let Ok(frame) = zstd::bulk::compress(input, 1) else { return };
    let mut packed = (input.len() as u32).to_be_bytes().to_vec();
    packed.extend_from_slice(&frame);
    unpack(&packed);
}

fn unpack(packed: &[u8]) {
    let Ok(unpacked) = Unpacked::unpack(packed) else { return };
    let mut builder = BlockBuilder::new();
    for record in unpacked.records() {
        assert_eq!(unpacked.find(record.index).as_ref(), Some(&record));
        builder.push(&record);
    }
    assert_eq!(
        (builder.first(), builder.end(), builder.len()),
        (unpacked.first(), unpacked.end(), unpacked.len())
    );
    let Ok(again) = Unpacked::unpack(&builder.pack(1)) else { panic!("what was packed unpacks") };
    assert!(unpacked.records().eq(again.records()));
}

/// The input as a whole file, and as the object in a file of each kind.
pub fn state_file(input: &[u8]) {
    parse_state_file(input);
    for name in NAMES {
        let mut file = format!("{name}\n").into_bytes();
        file.extend_from_slice(input);
        file.push(b'\n');
        let hash: [u8; 32] = Sha256::digest(&file).into();
        file.extend_from_slice(format!("sha256:{}\n", hex::encode(&hash)).as_bytes());
        if let Ok(value) = statefile::parse(name, &file) {
            assert_eq!(statefile::format(name, &value), file);
        }
        parse_state_file(&file);
    }
}

const NAMES: [&str; 4] = [
    "ledgerstone/register/v1",
    "ledgerstone/wrapping-key/v1",
    "ledgerstone/signing-key/v1",
    "ledgerstone/data-key/v1",
];

fn parse_state_file(file: &[u8]) {
    if let Ok(register) = Registered::parse(file) {
        assert_eq!(register.format(), file);
    }
    if let Ok(key) = keys::parse_wrapping(file) {
        assert_eq!(keys::format_wrapping(&key), file);
    }
    if let Ok((name, seed, vkey)) = keys::parse_signing(file) {
        assert_eq!(keys::format_signing(&name, &seed, &vkey), file);
    }
    if let Ok(key) = WrappedKey::parse(file) {
        assert_eq!(key.format(), file);
    }
}

pub fn file_name(input: &[u8]) {
    let Ok(name) = std::str::from_utf8(input) else { return };
    if let Some(number) = layout::parse_wal_name(name) {
        assert!(layout::wal_file(number).ends_with(name));
    }
    for class in [Class::Events, Class::Control] {
        if let Some((first, end, generation)) = layout::parse_segment_name(class, name) {
            assert!(layout::segment_file(class, first, end, generation).ends_with(name));
        }
    }
    if layout::is_ledger_name(name) {
        assert!(!name.contains(['/', '.', '\0']) && layout::ledger_dir(name).ends_with(name));
    }
    if let Some(bytes) = hex::decode::<32>(name) {
        assert_eq!(hex::encode(&bytes), name);
    }
}

/// Makes the last 32 bytes the hash of those before.
fn rehash(frame: &mut [u8]) {
    if let Some((body, stored)) = frame.split_last_chunk_mut::<32>() {
        *stored = Sha256::digest(&*body).into();
    }
}
