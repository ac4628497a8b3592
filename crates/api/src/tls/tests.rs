//! What is taken from files, when, and what is told about it.

use std::fs;
use std::sync::Arc;

use rcgen::date_time_ymd;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::testing::{Authority, Pair, Standing, chmod, files, install, write_key};
use super::{DAY_MS, Tls, TlsChange, TlsFiles, TlsNews};

/// 2026-01-01T00:00:00Z, when the certificates of these tests end unless they say otherwise.
const END: u64 = 1_767_225_600_000;

struct Place {
    _dir: TempDir,
    files: TlsFiles,
    clock: Arc<Standing>,
    authority: Authority,
}

impl Place {
    fn new() -> Place {
        let dir = tempfile::tempdir().unwrap();
        let files = files(dir.path(), false);
        let place = Place {
            _dir: dir,
            files,
            clock: Standing::at(END - 100 * DAY_MS),
            authority: Authority::new("ca"),
        };
        install(&place.files, &place.pair());
        place
    }

    fn pair(&self) -> Pair {
        self.authority.server(|params| params.not_after = date_time_ymd(2026, 1, 1))
    }

    fn open(&self) -> Arc<Tls> {
        Tls::open(self.files.clone(), self.clock.clone()).unwrap()
    }

    fn refused(&self) -> String {
        Tls::open(self.files.clone(), self.clock.clone()).unwrap_err().to_string()
    }
}

fn look(tls: &Tls) -> Vec<String> {
    changes(tls).into_iter().map(|news| news.sentence).collect()
}

fn changes(tls: &Tls) -> Vec<TlsNews> {
    let mut told = Vec::new();
    tls.look(&mut |news| told.push(news));
    told
}

#[track_caller]
fn check_one(told: &[String], start: &str, part: &str) {
    assert!(
        matches!(told, [one] if one.starts_with(start) && one.contains(part)),
        "{start} {part}: {told:?}"
    );
}

fn serving(tls: &Tls) -> Arc<rustls::ServerConfig> {
    tls.config()
}

#[test]
fn what_can_not_be_used_is_refused_with_its_file() {
    let place = Place::new();
    let pair = place.pair();
    chmod(&place.files.key, 0o640);
    let refused = place.refused();
    assert!(
        refused.contains("chmod 600") && refused.contains("server.key") && refused.contains("640"),
        "{refused}"
    );
    install(&place.files, &Pair { key: place.pair().key, ..pair.clone() });
    assert!(place.refused().contains("is not that of the certificate"), "{}", place.refused());
    install(&place.files, &Pair { pem: "no PEM\n".to_owned(), ..pair.clone() });
    assert!(place.refused().contains("no CERTIFICATE section"), "{}", place.refused());
    install(&place.files, &Pair { pem: pair.pem.replace("-----END", "-----"), ..pair.clone() });
    assert!(place.refused().contains("server.pem"), "{}", place.refused());
    install(&place.files, &Pair { key: pair.pem.clone(), ..pair.clone() });
    assert!(place.refused().contains("no usable private key"), "{}", place.refused());
    fs::remove_file(&place.files.key).unwrap();
    assert!(place.refused().contains("can't read the TLS key"), "{}", place.refused());
    install(&place.files, &pair);
    place.open();
    let ca = TlsFiles { client_ca: Some(place.files.key.clone()), ..place.files.clone() };
    let refused = Tls::open(ca, place.clock.clone()).unwrap_err().to_string();
    assert!(refused.contains("no CERTIFICATE section"), "{refused}");
    assert!(!refused.contains("MIG"), "a message must not quote a key: {refused}");
}

#[test]
fn a_new_pair_is_taken_up_once_it_has_settled() {
    let place = Place::new();
    let tls = place.open();
    assert_eq!(look(&tls), [""; 0]);
    let before = serving(&tls);
    let new = place.authority.server(|params| params.not_after = date_time_ymd(2027, 1, 1));
    fs::write(&place.files.certificate, &new.pem).unwrap();
    // The key has still to come: that is no news yet.
    assert_eq!(look(&tls), [""; 0]);
    write_key(&place.files, &new.key);
    assert_eq!(look(&tls), [""; 0]);
    assert!(Arc::ptr_eq(&before, &serving(&tls)));
    check_one(&look(&tls), "info: ", "valid until 2027-01-01T00:00:00Z");
    assert!(!Arc::ptr_eq(&before, &serving(&tls)));
    assert_eq!(tls.status().not_after_ms, END + 365 * DAY_MS);
    assert_eq!(look(&tls), [""; 0]);
}

#[test]
fn what_is_no_good_keeps_the_old_pair_and_is_told_once() {
    let place = Place::new();
    let tls = place.open();
    let (before, good) = (serving(&tls), fs::read_to_string(&place.files.certificate).unwrap());
    let ended = place.authority.server(|params| params.not_after = date_time_ymd(2025, 1, 1));
    let to_come = place.authority.server(|params| params.not_before = date_time_ymd(2025, 12, 1));
    let key = fs::read_to_string(&place.files.key).unwrap();
    let cases = [
        (Pair { key: key.clone(), ..place.pair() }, "is not that of the certificate"),
        (Pair { pem: good[..200].to_owned(), key: key.clone(), der: Vec::new() }, "server.pem"),
        (ended, "ended on 2025-01-01"),
        (to_come.clone(), "valid only from 2025-12-01"),
    ];
    for (pair, why) in &cases {
        install(&place.files, pair);
        assert_eq!(look(&tls), [""; 0], "{why}");
        check_one(&look(&tls), "error: the TLS files have changed and are not used", why);
        assert_eq!(look(&tls), [""; 0], "{why}");
        assert!(tls.status().trouble.is_some_and(|trouble| trouble.contains(why)));
        assert!(Arc::ptr_eq(&before, &serving(&tls)), "{why}");
    }
    fs::remove_file(&place.files.certificate).unwrap();
    check_one(&look(&tls), "error: ", "can't read the TLS certificate");
    assert_eq!(look(&tls), [""; 0]);
    install(&place.files, &Pair { pem: good, key, der: Vec::new() });
    check_one(&look(&tls), "info: ", "again those in use");
    assert_eq!(tls.status().trouble, None);
    // One that was refused for its time alone is taken up when its time has come.
    install(&place.files, &to_come);
    look(&tls);
    look(&tls);
    place.clock.put(END - 20 * DAY_MS);
    assert!(look(&tls)[0].contains("are in use"));
}

#[test]
fn what_goes_on_record_names_the_certificate_and_its_end() {
    let place = Place::new();
    let tls = place.open();
    let sha256 = |pair: &Pair| -> [u8; 32] { Sha256::digest(&pair.der).into() };
    let install_and_look = |pair: &Pair| {
        install(&place.files, pair);
        look(&tls);
        let mut told = changes(&tls);
        assert_eq!(told.len(), 1, "{told:?}");
        told.remove(0).change.unwrap()
    };
    let good = place.authority.server(|params| params.not_after = date_time_ymd(2027, 1, 1));
    let change = install_and_look(&good);
    let end = END + 365 * DAY_MS;
    assert_eq!(change, TlsChange { certificate: Some((sha256(&good), end)), refused: None });
    assert_eq!(tls.status().sha256, sha256(&good));
    let other = place.pair();
    let change = install_and_look(&Pair { key: good.key.clone(), ..other.clone() });
    assert_eq!(change.certificate, Some((sha256(&other), END)));
    assert!(change.refused.unwrap().contains("is not that of the certificate"));
    assert_eq!(tls.status().sha256, sha256(&good), "what is in use is what was good");
    fs::write(&place.files.certificate, "nothing").unwrap();
    look(&tls);
    let change = changes(&tls).remove(0).change.unwrap();
    assert!(change.certificate.is_none() && change.refused.is_some());
}

#[test]
fn the_end_of_a_certificate_is_told_ahead() {
    let place = Place::new();
    let tls = place.open();
    let told = |before_end: u64| {
        place.clock.put(END - before_end);
        look(&tls)
    };
    assert_eq!(told(30 * DAY_MS + 1), [""; 0]);
    check_one(&told(30 * DAY_MS), "warning: ", "2026-01-01T00:00:00Z, in less than 30 days");
    assert_eq!(told(8 * DAY_MS), [""; 0]);
    check_one(&told(7 * DAY_MS), "warning: ", "less than 7 days");
    check_one(&told(DAY_MS), "warning: ", "less than 1 day");
    assert_eq!((tls.status().days_left, tls.status().expired), (1, false));
    check_one(&told(0), "error: ", "ended on 2026-01-01");
    assert_eq!(told(0), [""; 0]);
    assert_eq!((tls.status().days_left, tls.status().expired), (0, true));
    // A server that starts with it is not refused, and told at once.
    check_one(&look(&place.open()), "error: ", "ended");
}

#[test]
fn the_status_says_whose_certificate_it_is() {
    let place = Place::new();
    let status = place.open().status();
    assert_eq!(status.names, ["localhost", "127.0.0.1"]);
    assert!(status.subject.starts_with("CN="), "{}", status.subject);
    assert_eq!((status.days_left, status.expired, status.client_certificates), (100, false, false));
}
