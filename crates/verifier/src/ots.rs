//! OpenTimestamps files: whether one is over a checkpoint, and where it leads.

use evidence::verify::Verdict;
use timestamp::ots::{Attestation, BlockHeader, DetachedFile};
use tlog::{UnverifiedCheckpoint, VerifierKey};

use crate::output::utc;

/// What an OpenTimestamps file says of a checkpoint.
#[derive(Clone, Debug, Default)]
pub struct OtsReport {
    /// Origin, size and root of the checkpoint.
    pub checkpoint: Option<(String, u64, String)>,
    /// Whether the checkpoint is signed by the key that was brought from outside.
    pub pinned: bool,
    /// Heights of Bitcoin blocks that it leads to, and the Merkle root that each must have, as explorers write it.
    pub blocks: Vec<(u64, String)>,
    /// Calendars whose promises are still open.
    pub pending: Vec<String>,
    /// Height, hash and time (Unix seconds) of the block whose header was given and has that root.
    pub proven_by: Option<(u64, String, u32)>,
    /// What is not as it must be.
    pub damage: Vec<String>,
    /// What could not be decided.
    pub undecided: Vec<String>,
}

impl OtsReport {
    /// The answer in one word.
    pub fn verdict(&self) -> Verdict {
        match (self.damage.is_empty(), self.undecided.is_empty()) {
            (false, _) => Verdict::Disproven,
            (true, false) => Verdict::Undecidable,
            (true, true) => Verdict::Proven,
        }
    }
}

/// Whether bytes begin as an OpenTimestamps file.
pub fn is_ots_file(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x00OpenTimestamps\x00\x00Proof\x00")
}

/// Reads the header of a Bitcoin block as nodes give it, in hexadecimal.
///
/// # Errors
/// It is none.
pub fn parse_header(text: &str) -> Result<[u8; 80], String> {
    let wrong = || "a block header is 80 bytes in hexadecimal".to_owned();
    evidence::hex::decode(text).ok_or_else(wrong)
}

/// Verifies that `file` is over `data`: the signed text of a checkpoint, or its signed note. `header` is the header of a
/// Bitcoin block, which only a node or several explorers can vouch for.
pub fn verify_ots(
    file: &[u8],
    data: &[u8],
    key: Option<&VerifierKey>,
    header: Option<[u8; 80]>,
) -> OtsReport {
    let mut report = OtsReport::default();
    let file = match DetachedFile::parse(file) {
        Ok(file) => file,
        Err(error) => {
            report.damage.push(error.to_string());
            return report;
        }
    };
    let body = match signed_text(data, key, &mut report) {
        Ok(body) => body,
        Err(why) => {
            report.damage.push(why);
            return report;
        }
    };
    let digest = timestamp::digest(body.as_bytes());
    if file.digest() != digest {
        report.damage.push("the OpenTimestamps file is over other data than this checkpoint".to_owned());
        return report;
    }
    for (message, attestation) in file.attestations() {
        match attestation {
            Attestation::Bitcoin { height } if message.len() == 32 => {
                let root = message.iter().rev().map(|byte| format!("{byte:02x}")).collect();
                report.blocks.push((*height, root));
            }
            Attestation::Pending { uri } => report.pending.push(uri.clone()),
            _ => {}
        }
    }
    report.blocks.sort();
    if !report.blocks.is_empty() {
        // Promises beside a way to a block are of no more use.
        report.pending.clear();
    }
    let Some(lowest) = report.blocks.first() else {
        let calendars = report.pending.join(", ");
        report.undecided.push(format!(
            "it is in no block yet, only promised by {calendars}; fetch it again in some hours"
        ));
        return report;
    };
    let Some(header) = header.map(BlockHeader::new) else {
        report.undecided.push(format!(
            "whether Bitcoin block {} has the Merkle root {} must be looked up: ask a node or several explorers, or give \
             its header with --block-header",
            lowest.0, lowest.1
        ));
        return report;
    };
    let heights: Vec<u64> = report.blocks.iter().map(|(height, _)| *height).collect();
    let mut why = String::new();
    for height in heights {
        match file.verify(&digest, height, &header) {
            Ok(time) => report.proven_by = Some((time.height, time.block, time.time)),
            Err(error) => why = error.to_string(),
        }
    }
    if report.proven_by.is_none() {
        report.damage.push(why);
    }
    report
}

/// What of `data` is stamped: all of it, or the text of a note, whose signature is then checked if there is a key.
fn signed_text(data: &[u8], key: Option<&VerifierKey>, report: &mut OtsReport) -> Result<String, String> {
    let text = std::str::from_utf8(data).map_err(|_| "the checkpoint is no text".to_owned())?;
    let note = UnverifiedCheckpoint::parse(data);
    if let (Ok(note), Some(key)) = (&note, key) {
        note.clone().verify(key.name(), std::slice::from_ref(key), &[]).map_err(|error| error.to_string())?;
        report.pinned = true;
    }
    let checkpoint = match note {
        Ok(note) => note.claimed().clone(),
        Err(error) => tlog::Checkpoint::parse(text).map_err(|_| format!("not a checkpoint: {error}"))?,
    };
    if key.is_some() && !report.pinned {
        report.undecided.push("the checkpoint has no signature that --key could check".to_owned());
    }
    report.checkpoint = Some((checkpoint.origin.to_string(), checkpoint.size, checkpoint.root.to_base64()));
    Ok(checkpoint.to_text())
}

/// The report for people. Its first line is the verdict.
pub fn ots_text(report: &OtsReport) -> String {
    let mut out = format!("{}\n", report.verdict().word());
    if let Some((origin, size, root)) = &report.checkpoint {
        out += &format!("\n{origin}\n  checkpoint {size} entries, root {root}\n");
        out += match report.pinned {
            true => "  anchor     signed by the key you gave\n",
            false => "  anchor     none: whose checkpoint it is was not checked\n",
        };
    }
    for (height, root) in &report.blocks {
        out += &format!("  block      {height}, if its Merkle root is {root}\n");
    }
    for uri in &report.pending {
        out += &format!("  promised   {uri}\n");
    }
    if let Some((height, hash, seconds)) = &report.proven_by {
        out += &format!(
            "  existed    before {}, if {hash} is the hash of block {height}; a miner's clock may be two hours off\n",
            utc(u64::from(*seconds) * 1000)
        );
    }
    for damage in &report.damage {
        out += &format!("\ndamage: {damage}\n");
    }
    for undecided in &report.undecided {
        out += &format!("\nundecided: {undecided}\n");
    }
    out
}

/// The report for programs, one JSON object.
pub fn ots_json(report: &OtsReport) -> String {
    use record::canonical;
    use record::json::{Object, Value};
    let strings = |list: &[String]| Value::Array(list.iter().map(|text| Value::from(text.clone())).collect());
    let mut object = Object::new();
    object.insert("verdict", report.verdict().word().to_owned());
    object.insert("anchor", if report.pinned { "key" } else { "none" });
    if let Some((origin, size, root)) = &report.checkpoint {
        object.insert("origin", origin.clone());
        object.insert("size", *size);
        object.insert("root", root.clone());
    }
    let block = |(height, root): &(u64, String)| {
        let mut object = Object::new();
        object.insert("height", *height);
        object.insert("merkle_root", root.clone());
        Value::Object(object)
    };
    object.insert("blocks", Value::Array(report.blocks.iter().map(block).collect()));
    object.insert("pending", strings(&report.pending));
    if let Some((height, hash, seconds)) = &report.proven_by {
        object.insert("block", *height);
        object.insert("block_hash", hash.clone());
        object.insert("block_time_s", u64::from(*seconds));
    }
    object.insert("damage", strings(&report.damage));
    object.insert("undecided", strings(&report.undecided));
    let mut out = Vec::new();
    canonical::write(&Value::Object(object), &mut out);
    String::from_utf8_lossy(&out).into_owned()
}
