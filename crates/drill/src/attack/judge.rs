//! What each who verifies makes of a store: the calls that `verify` makes, with what he holds.

use std::io;

use evidence::layout;
use evidence::verify::{Medium, Report, Verdict, hold_against, hold_against_policy};
use export::anchors::RangeProof;
use export::compare::{Paper, Spread, compare};
use record::entry::Entry;
use tlog::{Policy, TILE_WIDTH, VerifierKey, bundles_for_size, decode_bundle, leaf_hash};
use verifier::Directory;

use super::authority::existed_at;
use super::site::Site;
use super::witness::Witnesses;
use crate::DrillError;
use crate::claims::{Holds, Sight};
use timestamp::Authorities;

/// How long after its receipt a record may be stamped: tokens are asked for every hour or more often.
const STAMPED_WITHIN_MS: u64 = 2 * 3_600_000;

/// What is held by those who verify.
pub(super) struct Held<'a> {
    pub key: &'a VerifierKey,
    pub own: &'a Policy,
    pub foreign: &'a Policy,
    pub authorities: &'a Authorities,
    /// Receipts and checkpoints that were kept.
    pub kept: Vec<Vec<u8>>,
    /// A checkpoint and a token over it.
    pub stamped: (String, Vec<u8>),
    /// What another auditor was shown.
    pub other: Option<Paper>,
}

/// What somebody sees who is shown this store and holds what `holds` says. `shown` are the cosigned checkpoints that the
/// attacker may put beside it, each in turn: he takes the best for him.
pub(super) fn sight(
    site: &Site,
    alone: &Report,
    keyed: &Report,
    (holds, held): (Holds, &Held<'_>),
    (beside, witnesses): (&[Option<String>], &Witnesses),
) -> Result<(Sight, String), DrillError> {
    let medium = site.medium();
    let mut report = match holds {
        Holds::Nothing => alone.clone(),
        _ => keyed.clone(),
    };
    let shown = witnesses.shown();
    match holds {
        Holds::Nothing | Holds::Key => {}
        Holds::OwnWitness => report = best(&medium, &report, (held.own, &shown[..1]), (site, beside)),
        Holds::Quorum => report = best(&medium, &report, (held.foreign, &[]), (site, beside)),
        Holds::Asked => report = best(&medium, &report, (held.foreign, &shown[1..]), (site, beside)),
        Holds::Kept => {
            for kept in &held.kept {
                hold_against(&medium, kept, &mut report).map_err(DrillError::Demo)?;
            }
        }
        Holds::Another => {
            if let (Some(other), Verdict::Proven) = (&held.other, report.verdict()) {
                let papers = vec![paper(site, "this")?, other.clone()];
                let found = compare(papers, std::slice::from_ref(held.key));
                let said = found.forks.iter().map(|fork| &fork.text).chain(&found.undecided).next();
                return Ok((of(found.verdict()), said.cloned().unwrap_or_default()));
            }
        }
        Holds::Token => {
            let (note, token) = &held.stamped;
            hold_against(&medium, note.as_bytes(), &mut report).map_err(DrillError::Demo)?;
            if report.verdict() == Verdict::Proven
                && let Err(why) = stamped(site, note, token, held.authorities)?
            {
                return Ok((Sight::Detected, why));
            }
        }
    }
    let said = report.damage.iter().map(ToString::to_string).chain(report.undecided.clone()).next();
    Ok((of(report.verdict()), said.unwrap_or_default()))
}

fn of(verdict: Verdict) -> Sight {
    match verdict {
        Verdict::Proven => Sight::Not,
        Verdict::Undecidable => Sight::Unproven,
        Verdict::Disproven => Sight::Detected,
    }
}

/// The report that is best for the attacker, over all that he may put in the place of `checkpoint.witnessed`.
fn best(
    medium: &Directory,
    report: &Report,
    (policy, asked): (&Policy, &[Option<&str>]),
    (site, beside): (&Site, &[Option<String>]),
) -> Report {
    let judge = |note: &Option<String>| {
        let mut report = report.clone();
        let kept = note.iter().map(String::as_str).chain(asked.iter().copied().flatten());
        for note in kept {
            // A note that is none is for the policy to refuse.
            drop(hold_against(medium, note.as_bytes(), &mut report));
        }
        let file = layout::witnessed(&site.ledgers[0]);
        let with = With { medium, file, note: note.as_deref().map(str::as_bytes) };
        hold_against_policy(&with, policy, &mut report);
        report
    };
    let judged = beside.iter().map(judge);
    judged.min_by_key(|report| of(report.verdict())).unwrap_or_else(|| report.clone())
}

/// A store with another witnessed checkpoint beside it.
struct With<'a> {
    medium: &'a Directory,
    file: String,
    note: Option<&'a [u8]>,
}

impl Medium for With<'_> {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        match path == self.file {
            true => self.note.map(<[u8]>::to_vec).ok_or(io::ErrorKind::NotFound.into()),
            false => self.medium.read(path),
        }
    }

    fn read_at(&self, path: &str, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        self.medium.read_at(path, offset, len)
    }

    fn list(&self, dir: &str) -> io::Result<Vec<(String, u64, bool)>> {
        self.medium.list(dir)
    }
}

/// Whether the token is of that checkpoint, and of soon after its newest record says that it was received.
fn stamped(
    site: &Site,
    note: &str,
    token: &[u8],
    authorities: &Authorities,
) -> Result<Result<(), String>, DrillError> {
    let told = |error: tlog::NoteError| DrillError::Demo(error.to_string());
    let body = timestamp::body(note.as_bytes()).map_err(told)?;
    let at_ms = match existed_at(token, &body, authorities) {
        Ok(at_ms) => at_ms,
        Err(why) => return Ok(Err(why)),
    };
    let size = body.lines().nth(1).and_then(|size| size.parse::<u64>().ok()).unwrap_or_default();
    let entries = entries(site, size)?;
    let last = entries.last().and_then(|entry| Entry::decode(entry).ok());
    let received = last.map_or(0, |entry| entry.received_ms);
    // The authority tells whole seconds.
    Ok(match received / 1000 * 1000 <= at_ms && at_ms <= received.saturating_add(STAMPED_WITHIN_MS) {
        true => Ok(()),
        false => Err(format!("its newest record says {received}, the first token over it says {at_ms}")),
    })
}

/// A store as an auditor has it in an evidence file of all its records.
pub(super) fn paper(site: &Site, label: &str) -> Result<Paper, DrillError> {
    let note = site.checkpoint()?;
    let size = note.lines().nth(1).and_then(|size| size.parse::<u64>().ok()).unwrap_or_default();
    let leaves = entries(site, size)?.iter().map(|entry| leaf_hash(entry)).collect();
    let range = RangeProof { from: 0, end: size, ..RangeProof::default() };
    let range = Spread::new(&range, leaves, size);
    Ok(Paper { label: label.to_owned(), note, range, ..Paper::default() })
}

/// The first entries of a store that was stopped in order.
fn entries(site: &Site, size: u64) -> Result<Vec<Vec<u8>>, DrillError> {
    let medium = site.medium();
    let now = site.checkpoint()?.lines().nth(1).and_then(|size| size.parse::<u64>().ok()).unwrap_or_default();
    let mut entries = Vec::new();
    for (index, width) in bundles_for_size(now) {
        let path = layout::resource(&site.ledgers[0], &tlog::bundle_path(index, width));
        let bytes = medium.read(&path)?;
        let bundle = decode_bundle(&bytes).map_err(|error| DrillError::Demo(error.to_string()))?;
        entries.extend(bundle.into_iter().map(<[u8]>::to_vec));
        if (index + 1) * u64::from(TILE_WIDTH) >= size {
            break;
        }
    }
    entries.truncate(size as usize);
    Ok(entries)
}
