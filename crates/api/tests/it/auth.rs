//! Who may ask for what.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use access::{Role, Tokens};
use api::{Limits, Open};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use record::entry::Entry;
use record::json::{self, Value};

use crate::site::{PATIENCE, Setup, Site, event, options, wait_until};

/// Roles that may; none stands for everybody, with a token or without.
type Allowed = &'static [Role];

/// One request of the matrix: method, path on ledger `L`, body, and who may. Written out here, apart from the program's
/// own table, which it is held against.
const MATRIX: &[(&str, &str, &str, Option<Allowed>)] = {
    use Role::{Admin, Auditor, Investigator, Operator, Reader, Source};
    const CASE: &str = r#"{"case":"c","purpose":"p"}"#;
    const TOKEN: &str = r#"{"label":"t","roles":["reader"]}"#;
    const SOURCE: &str = r#"{"ledger":"L","label":"s"}"#;
    const SEEN: &str = r#"{"seen":0,"reason":"r"}"#;
    const EPOCH: &str = r#"{"ledger":"L","numbering":"server"}"#;
    &[
        ("GET", "/healthz", "", None),
        ("GET", "/readyz", "", None),
        ("GET", "/metrics", "", Some(&[Auditor, Operator, Admin])),
        ("GET", "/.well-known/ledgerstone", "", None),
        ("GET", "/openapi.json", "", None),
        ("GET", "/P/checkpoint", "", None),
        ("GET", "/P/checkpoint.witnessed", "", None),
        ("GET", "/P/tile/0/000.p/1", "", None),
        ("GET", "/P/tile/entries/000.p/1", "", Some(&[Auditor])),
        ("POST", "/v1/ledgers/L/events", EVENT, Some(&[Source])),
        ("GET", "/v1/ledgers/L/events/0", "", Some(&[Reader, Investigator, Auditor])),
        ("GET", "/v1/ledgers/L/search", "", Some(&[Reader, Investigator, Auditor])),
        ("GET", "/v1/ledgers/L/tail", "", Some(&[Reader, Investigator, Auditor])),
        ("GET", "/v1/ledgers/L/records", "", Some(&[Auditor])),
        ("POST", "/v1/ledgers/L/evidence", CASE, Some(&[Investigator, Auditor])),
        ("GET", "/v1/ledgers/L/proof/0", "", Some(&[Reader, Investigator, Auditor])),
        ("GET", "/v1/ledgers/L/receipt/0", "", Some(&[Investigator])),
        ("GET", "/v1/ledgers/L/consistency?old=1", "", Some(&[Reader, Investigator, Auditor])),
        ("GET", "/v1/ledgers/L/timestamps", "", Some(&[Reader, Investigator, Auditor])),
        ("GET", "/v1/ledgers", "", Some(&[Reader, Investigator, Auditor, Operator, Admin])),
        ("GET", "/v1/witnesses", "", Some(&[Reader, Investigator, Auditor, Operator, Admin])),
        ("GET", "/v1/timestamps", "", Some(&[Reader, Investigator, Auditor, Operator, Admin])),
        ("GET", "/v1/alarms", "", Some(&[Auditor, Operator, Admin])),
        ("POST", "/v1/alarms/acknowledge", SEEN, Some(&[Operator, Admin])),
        ("GET", "/v1/sources", "", Some(&[Auditor, Operator, Admin])),
        ("POST", "/v1/sources", SOURCE, Some(&[Admin])),
        ("POST", "/v1/sources/2/epochs", EPOCH, Some(&[Source, Admin])),
        ("GET", "/v1/tokens", "", Some(&[Admin])),
        ("POST", "/v1/tokens", TOKEN, Some(&[Admin])),
        ("DELETE", "/v1/tokens/0000000000000000", "", Some(&[Admin])),
    ]
};

const EVENT: &str = r#"{"class_uid":6003,"time":1700000000000,"actor":{"user":{"name":"u"}},"message":"m"}"#;

/// Every role on every route, on its own ledger, another tenant's and the ledger of accesses: only the allowed cells
/// pass, and each denial is on record.
#[test]
fn each_role_passes_the_cells_it_is_for_and_each_denial_is_on_record() {
    let site = Site::start();
    let (number, _) = site.source("server");
    assert_eq!(number, 2);
    site.append("?wait=committed", EVENT).ok();
    site.post("/v1/ledgers/other/events?wait=committed", EVENT).ok();
    let mut tokens = Vec::new();
    for role in Role::ALL {
        let source = if role == Role::Source { r#","source":2"# } else { "" };
        let body = format!(
            r#"{{"label":"{0}","roles":["{0}"],"ledgers":["main"],"purpose":"test"{source}}}"#,
            role.name()
        );
        let answer = site.post("/v1/tokens", body).ok();
        tokens.push((role, answer.text("id"), answer.text("token")));
    }
    let mut denied = 0;
    let mut cells = 0;
    for (method, path, body, allowed) in MATRIX {
        let prefix = site.prefix();
        for ledger in ["main", "other", "system"] {
            let on_ledger = path.contains("/L/") || body.contains(r#""ledger":"L""#);
            if !on_ledger && ledger != "main" {
                continue;
            }
            let path = path.replace("/L/", &format!("/{ledger}/")).replace("/P/", &format!("{prefix}/"));
            let body = body.replace(r#""L""#, &format!("\"{ledger}\""));
            for (role, id, token) in &tokens {
                // Tokens here are for `main` only: nobody gets at the others.
                let may =
                    allowed.is_none_or(|roles| roles.contains(role)) && (ledger == "main" || !on_ledger);
                let status = site.status(method, &path, Some(token), &body);
                cells += 1;
                match may {
                    true => assert!(![401, 403].contains(&status), "{role:?} {method} {path}: {status}"),
                    false => {
                        assert_eq!(status, 403, "{role:?} {method} {path}");
                        denied += 1;
                        let path = path.split('?').next().unwrap();
                        let wanted = format!("{method} {path}");
                        site.expect_access(&[("operation", "denied"), ("token", id), ("request", &wanted)]);
                    }
                }
            }
            let status = site.status(method, &path, None, &body);
            assert_eq!(status == 401, allowed.is_some(), "nobody {method} {path}: {status}");
        }
    }
    assert!(denied > 100 && cells > 150, "{denied} of {cells}");
    // The table above is whole.
    let described = site.get_as("/openapi.json", None).ok().json();
    let paths = described.path(&["paths"]).unwrap().as_object().unwrap();
    let count: usize = paths.iter().map(|(_, methods)| methods.as_object().unwrap().iter().count()).sum();
    // Bundles and tiles are one route.
    assert_eq!(count + 1, MATRIX.len());
}

/// Who may read the ledger of accesses, with tokens for all ledgers.
#[test]
fn the_ledger_of_accesses_is_read_by_auditors_and_written_by_nobody() {
    let site = Site::start();
    for role in Role::ALL.into_iter().filter(|role| *role != Role::Source) {
        let body = format!(r#"{{"label":"x","roles":["{}"],"purpose":"test"}}"#, role.name());
        let token = site.post("/v1/tokens", body).ok().text("token");
        for (path, ok) in [("events/0", 200), ("search?q=kind:access", 200), ("records", 200)] {
            let expected = if role == Role::Auditor { ok } else { 403 };
            let status = site.status("GET", &format!("/v1/ledgers/system/{path}"), Some(&token), "");
            assert_eq!(status, expected, "{role:?} {path}");
        }
    }
    site.post("/v1/ledgers/system/events", EVENT).problem(403, "forbidden");
    site.post("/v1/sources", r#"{"ledger":"system"}"#).problem(403, "forbidden");
}

#[test]
fn content_is_seen_by_investigators_who_say_what_for() {
    let site = Site::start();
    let event =
        r#"{"class_uid":6003,"time":1700000000000,"actor":{"user":{"name":"alice"}},"message":"SECRET-77"}"#;
    let index = site.append("?wait=committed", event).ok().number("first");
    let token = |role: &str, purpose: &str| {
        let body = format!(r#"{{"label":"x","roles":["{role}"]{purpose}}}"#);
        site.post("/v1/tokens", body).ok().text("token")
    };
    let show = format!("/v1/ledgers/main/events/{index}");
    let search = "/v1/ledgers/main/search?q=SECRET-77";
    for role in ["reader", "auditor"] {
        let token = token(role, "");
        for path in [show.as_str(), "/v1/ledgers/main/search?q=alice"] {
            let answer = site.get_as(path, Some(&token)).ok();
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            assert!(text.contains("alice") && text.contains("withheld"), "{role}: {text}");
            assert!(!text.contains("SECRET-77"), "{role}: {text}");
        }
        // A search is no way to guess.
        let found = site.get_as(search, Some(&token)).ok();
        assert!(found.value("hits").as_array().unwrap().is_empty(), "{role}: {found}");
    }
    let auditor = token("auditor", "");
    let export = site.get_as("/v1/ledgers/main/records", Some(&auditor)).ok();
    let secret = STANDARD.encode(event);
    let export = String::from_utf8(export.body).unwrap();
    assert!(!export.contains(&secret[..40]) && !export.contains("\"seed\":") || export.contains("digest"));
    for line in export.lines() {
        let row = json::parse(line.as_bytes()).unwrap();
        let entry = STANDARD.decode(row.path(&["entry"]).unwrap().str().unwrap()).unwrap();
        let entry = Entry::decode(&entry).unwrap();
        let seed = row.path(&["opening", "seed"]).is_some();
        assert_eq!(seed, entry.kind.is_control(), "a seed would let a guess be confirmed: {line}");
    }
    let investigator = token("investigator", "");
    site.get_as(&show, Some(&investigator)).problem(403, "purpose");
    site.get_as(search, Some(&investigator)).problem(403, "purpose");
    let stated = [("ledgerstone-purpose", "case 4711")];
    let answer = site.get_with(&show, Some(&investigator), &stated).ok();
    assert!(answer.text("raw").contains("SECRET-77"));
    let answer = site.get_with(search, Some(&investigator), &stated).ok();
    assert_eq!(answer.value("hits").as_array().unwrap().len(), 1);
    site.expect_access(&[("operation", "show"), ("purpose", "case 4711")]);
    site.expect_access(&[("operation", "search"), ("purpose", "case 4711"), ("query", "SECRET-77")]);
    let standing = token("investigator", r#","purpose":"case 9""#);
    site.get_as(&show, Some(&standing)).ok();
    site.expect_access(&[("operation", "show"), ("purpose", "case 9")]);
}

#[test]
fn a_token_is_given_out_listed_and_revoked() {
    let site = Site::start();
    let answer = site.post("/v1/tokens", r#"{"label":"r","roles":["reader"],"expires_in_days":1}"#).ok();
    let (id, token) = (answer.text("id"), answer.text("token"));
    site.get_as("/v1/ledgers", Some(&token)).ok();
    let list = site.get("/v1/tokens").ok();
    let text = String::from_utf8_lossy(&list.body).into_owned();
    assert!(text.contains(&id) && !text.contains(&token[4..40]), "{text}");
    assert_eq!(site.status("DELETE", &format!("/v1/tokens/{id}"), Some(&site.admin), ""), 200);
    site.get_as("/v1/ledgers", Some(&token)).problem(401, "unknown-token");
    assert_eq!(site.status("DELETE", &format!("/v1/tokens/{id}"), Some(&site.admin), ""), 404);
    let own = json::parse(&site.get("/v1/tokens").ok().body).unwrap().into_owned();
    let own = own.as_array().unwrap()[0].path(&["id"]).unwrap().str().unwrap().to_owned();
    assert_eq!(site.status("DELETE", &format!("/v1/tokens/{own}"), Some(&site.admin), ""), 409);
    for operation in ["token.add", "token.added", "token.list", "token.revoke"] {
        site.expect_access(&[("operation", operation)]);
    }
    site.post("/v1/tokens", r#"{"label":"r","roles":["reader"],"ledgers":["none"]}"#)
        .problem(404, "no-such-ledger");
}

/// One record for a query, none for its pages; strangers are counted.
#[test]
fn pages_are_not_recorded_and_strangers_are_counted() {
    let limits = Limits { count_interval: Duration::from_millis(300), ..Limits::default() };
    let site = Site::with_limits(limits);
    for number in 0..30 {
        site.append("", event(number)).ok();
    }
    let before = site.accesses().len();
    let mut answer = site.get("/v1/ledgers/main/search?q=kind:event&limit=7").ok();
    let mut hits = answer.value("hits").as_array().unwrap().len();
    while answer.has("cursor") {
        answer = site.get(&format!("/v1/ledgers/main/search?cursor={}", answer.text("cursor"))).ok();
        hits += answer.value("hits").as_array().unwrap().len();
    }
    assert_eq!(hits, 30);
    assert_eq!(site.accesses().len(), before + 1);
    for _ in 0..25 {
        assert_eq!(site.status("GET", "/v1/ledgers", Some("lst_wrong"), ""), 401);
    }
    wait_until("all strangers are counted", || {
        let of_strangers = |access: &&Value<'static>| {
            access.path(&["api", "operation"]).and_then(Value::str) == Some("sign-in")
        };
        let all = site.accesses();
        let counts = all.iter().filter(of_strangers).map(|access| access.path(&["count"]).unwrap().as_u64());
        let counted: u64 = counts.map(Option::unwrap).sum();
        assert!(counted <= 25, "{counted}");
        counted == 25
    });
}

#[test]
fn a_live_tail_shows_what_comes_and_its_ends_are_on_record() {
    let site = Site::start();
    let reader = site.post("/v1/tokens", r#"{"label":"r","roles":["reader"]}"#).ok();
    let (reader, id) = (reader.text("token"), reader.text("id"));
    let mut stream = std::net::TcpStream::connect(&site.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!(
        "GET /v1/ledgers/main/tail?q=kind:event HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {reader}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut seen = String::new();
    let mut until = |what: &str| {
        let mut buffer = [0; 4096];
        while !seen.contains(what) {
            let count = stream.read(&mut buffer).unwrap();
            assert!(count > 0, "the stream ended: {seen}");
            seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    };
    until(": following");
    site.append("", event(1)).ok();
    site.append("", event(2)).ok();
    until("user2");
    assert!(seen.contains("text/event-stream") && seen.contains("user1") && seen.contains("event: event"));
    assert!(!seen.contains("number 2"), "content is withheld from a reader: {seen}");
    site.expect_access(&[("operation", "tail.open")]);
    // A stream ends with the token that opened it, whether or not there is anything to show.
    assert_eq!(site.status("DELETE", &format!("/v1/tokens/{id}"), Some(&site.admin), ""), 200);
    let mut rest = Vec::new();
    if let Err(error) = stream.read_to_end(&mut rest) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "the stream went on: {error}");
    }
    site.expect_access(&[("operation", "tail.close")]);
}

/// The newest checkpoint of the ledger of accesses is entered in every other ledger.
#[test]
fn the_ledger_of_accesses_is_tied_to_the_others() {
    let limits = Limits { spread_interval: Duration::from_millis(100), ..Limits::default() };
    let site = Site::with_limits(limits);
    for ledger in ["main", "other"] {
        let path = format!("/v1/ledgers/{ledger}/search?q=kind:heartbeat");
        wait_until("it is tied", || {
            String::from_utf8(site.get(&path).ok().body).unwrap().contains("\"system\":")
        });
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
fn sources_are_listed_with_how_far_they_have_got() {
    let site = Site::start();
    let (number, token) = site.source("source");
    site.post_as("/v1/ledgers/main/events?epoch=1&sequence=1", Some(&token), &[], event(1)).ok();
    let list = site.get("/v1/sources").ok().json();
    let row = |ledger: &str, source: u64| {
        let rows = list.as_array().unwrap().iter();
        let mut rows = rows.filter(|row| {
            row.path(&["ledger"]).unwrap().str() == Some(ledger)
                && row.path(&["source"]).unwrap().as_u64() == Some(source)
        });
        rows.next().unwrap()
    };
    let own = row("main", number);
    assert_eq!(own.path(&["numbering"]).unwrap().str(), Some("source"));
    assert_eq!(own.path(&["last_sequence"]).unwrap().as_u64(), Some(1));
    assert_eq!(own.path(&["labels"]).unwrap().as_array().unwrap()[0].str(), Some("test"));
    assert_eq!(row("other", 1).path(&["last_sequence"]).unwrap().as_u64(), Some(0));
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
    let grant = tokens.authenticate(&token).unwrap();
    assert_eq!((grant.source, &grant.roles), (Some(number as u32), &[Role::Source].into()));
    assert_eq!(grant.ledgers, Some(["main".to_owned()].into()));
    let mode = std::fs::metadata(data.join("tokens")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    site.post("/v1/sources", r#"{"ledger":"none"}"#).problem(404, "no-such-ledger");
    site.post("/v1/sources", "{").problem(400, "body");
    site.post("/v1/sources", format!(r#"{{"ledger":"{}"}}"#, "x".repeat(70_000))).problem(413, "too-large");
    site.post("/v1/sources/99/epochs", r#"{"ledger":"main"}"#).problem(404, "no-such-source");
    site.post("/v1/sources/0/epochs", r#"{"ledger":"main"}"#).problem(403, "forbidden");
    site.post("/v1/sources/x/epochs", r#"{"ledger":"main"}"#).problem(404, "not-found");
}
