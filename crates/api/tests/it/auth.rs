//! Who may ask for what.

use std::os::unix::fs::PermissionsExt;

use api::{Open, Role, Tokens};

use crate::site::{Setup, Site, event, options};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Who {
    Nobody,
    Stranger,
    Mistyped,
    Source,
    OtherSource,
    Admin,
}

const EVERYBODY: [Who; 6] =
    [Who::Nobody, Who::Stranger, Who::Mistyped, Who::Source, Who::OtherSource, Who::Admin];

#[test]
fn each_route_is_open_to_those_it_is_for() {
    let site = Site::start();
    site.append("?wait=committed", event(1)).ok();
    let (number, source) = site.source("server");
    let (_, other) = site.source("server");
    let elsewhere = tempfile::tempdir().unwrap();
    let disk = std::sync::Arc::new(storage::LocalDisk::open(elsewhere.path()).unwrap());
    let (_, stranger) = Tokens::open(disk, std::sync::Arc::new(env::SystemEnv::new())).unwrap();
    let stranger = stranger.unwrap();
    let mistyped = site.admin[..site.admin.len() - 1].to_owned();
    let token = |who: Who| match who {
        Who::Nobody => None,
        Who::Stranger => Some(stranger.as_str()),
        Who::Mistyped => Some(mistyped.as_str()),
        Who::Source => Some(source.as_str()),
        Who::OtherSource => Some(other.as_str()),
        Who::Admin => Some(site.admin.as_str()),
    };
    let prefix = site.prefix();
    let everybody: &[Who] = &EVERYBODY;
    let tokens: &[Who] = &[Who::Source, Who::OtherSource, Who::Admin];
    let own: &[Who] = &[Who::Source, Who::Admin];
    let admin: &[Who] = &[Who::Admin];
    let open = r#"{"ledger":"main","numbering":"server"}"#;
    let routes = [
        ("GET", "/healthz".to_owned(), everybody),
        ("GET", "/.well-known/ledgerstone".to_owned(), everybody),
        ("GET", format!("{prefix}/checkpoint"), everybody),
        ("GET", format!("{prefix}/tile/0/000.p/1"), everybody),
        ("GET", format!("{prefix}/tile/entries/000.p/1"), admin),
        ("GET", "/v1/ledgers".to_owned(), admin),
        ("GET", "/v1/ledgers/main/events/0".to_owned(), admin),
        ("GET", "/v1/ledgers/main/records".to_owned(), admin),
        ("GET", "/v1/ledgers/main/search".to_owned(), admin),
        ("GET", "/v1/ledgers/main/proof/0".to_owned(), admin),
        ("GET", "/v1/ledgers/main/receipt/0".to_owned(), admin),
        ("GET", "/v1/ledgers/main/consistency?old=1".to_owned(), admin),
        ("POST", "/v1/ledgers/main/events".to_owned(), tokens),
        ("POST", format!("/v1/ledgers/main/events?source={number}"), own),
        ("POST", "/v1/ledgers/other/events".to_owned(), admin),
        ("POST", "/v1/sources".to_owned(), admin),
        ("POST", format!("/v1/sources/{number}/epochs"), own),
    ];
    for (method, path, allowed) in &routes {
        for who in EVERYBODY {
            let answer = match *method {
                "GET" => site.get_as(path, token(who)),
                _ => site.post_as(path, token(who), &[], open),
            };
            let expected = match who {
                who if allowed.contains(&who) => 200,
                Who::Nobody | Who::Stranger | Who::Mistyped => 401,
                _ => 403,
            };
            assert_eq!(answer.status, expected, "{method} {path} {who:?}: {answer}");
            if expected != 200 {
                let kind = match who {
                    Who::Nobody => "no-token",
                    Who::Stranger | Who::Mistyped => "unknown-token",
                    _ => "forbidden",
                };
                assert_eq!(answer.header("www-authenticate"), if expected == 401 { "Bearer" } else { "" });
                answer.problem(expected, kind);
            }
        }
    }
}

#[test]
fn names_of_ledgers_are_told_to_nobody_without_a_token() {
    let site = Site::start();
    for path in ["/v1/ledgers/main/events/0", "/v1/ledgers/none/events/0"] {
        site.get_as(path, None).problem(401, "no-token");
    }
    let (_, source) = site.source("server");
    for ledger in ["other", "none"] {
        let path = format!("/v1/ledgers/{ledger}/events");
        site.post_as(&path, Some(&source), &[], event(1)).problem(403, "forbidden");
    }
    let known = site.get_as("/.well-known/ledgerstone", None).ok();
    let text = String::from_utf8_lossy(&known.body).into_owned();
    assert!(!text.contains("main") && !text.contains("other"), "{text}");
    let ledgers = known.value("ledgers");
    let first = &ledgers.as_array().unwrap()[0];
    assert_eq!(first.path(&["vkey"]).unwrap().str(), Some(&*site.ledger().vkey));
    assert_eq!(first.path(&["prefix"]).unwrap().str(), Some(&*site.prefix()));
}

#[test]
fn what_is_open_can_be_switched() {
    for (open, tiles, bundles) in [
        (Open { tiles: false, bundles: false }, 401, 401),
        (Open { tiles: true, bundles: true }, 200, 200),
        (Open { tiles: false, bundles: true }, 401, 200),
    ] {
        let site = Site::with(Setup { open, options: options(), ..Setup::default() });
        let prefix = site.prefix();
        for (path, expected) in
            [("checkpoint", tiles), ("tile/0/000.p/1", tiles), ("tile/entries/000.p/1", bundles)]
        {
            let path = format!("{prefix}/{path}");
            assert_eq!(site.get_as(&path, None).status, expected, "{path} {open:?}");
            let answer = site.get(&path).ok();
            let shared = answer.header("cache-control").starts_with("public");
            assert_eq!(shared, expected == 200 && path.contains("tile"), "{path} {open:?}");
        }
    }
}

#[test]
fn a_new_source_gets_a_token_that_lasts() {
    let site = Site::start();
    let (number, token) = site.source("source");
    assert!(number >= 2);
    let answer = site.post_as("/v1/ledgers/main/events?epoch=1&sequence=1", Some(&token), &[], event(1)).ok();
    assert_eq!(answer.number("source"), number);
    let data = site.data().join("data");
    let disk = std::sync::Arc::new(storage::LocalDisk::open(&data).unwrap());
    let (tokens, first) = Tokens::open(disk, std::sync::Arc::new(env::SystemEnv::new())).unwrap();
    assert_eq!(first, None);
    let role = Role::Source { ledger: "main".to_owned(), source: number as u32 };
    assert_eq!(tokens.role(&token), Some(role));
    let mode = std::fs::metadata(data.join("tokens")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    site.post("/v1/sources", r#"{"ledger":"none"}"#).problem(404, "no-such-ledger");
    site.post("/v1/sources", "{").problem(400, "body");
    site.post("/v1/sources", format!(r#"{{"ledger":"{}"}}"#, "x".repeat(70_000))).problem(400, "body");
    site.post("/v1/sources/99/epochs", r#"{"ledger":"main"}"#).problem(404, "no-such-source");
    site.post("/v1/sources/0/epochs", r#"{"ledger":"main"}"#).problem(403, "forbidden");
    site.post("/v1/sources/x/epochs", r#"{"ledger":"main"}"#).problem(404, "not-found");
}
