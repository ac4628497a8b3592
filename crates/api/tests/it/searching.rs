//! Search answers page by page, up and down, and steps over damage.

use record::json::Value;

use crate::site::{Setup, Site, lines, options, wait_until};

fn search(site: &Site, query: &str) -> crate::site::Answer {
    site.get(&format!("/v1/ledgers/main/search?{query}")).ok()
}

fn users(answer: &crate::site::Answer) -> Vec<String> {
    let name =
        |hit: &Value<'_>| hit.path(&["event", "actor", "user", "name"]).unwrap().str().unwrap().to_owned();
    answer.value("hits").as_array().unwrap().iter().map(name).collect()
}

#[test]
fn finds_what_was_recorded_as_soon_as_it_is_durable() {
    let site = Site::start();
    site.append("", lines(0..20)).ok();
    let answer = search(&site, "q=actor.user.name:user7");
    assert_eq!(users(&answer), ["user7"]);
    assert_eq!(answer.number("size"), site.durable());
    assert_eq!((answer.number("scanned.from"), answer.number("scanned.to")), (0, answer.number("size")));
    assert!(answer.value("next").is_null() && !answer.has("damaged"));
    let hits = answer.value("hits");
    let hit = hits.as_array().unwrap()[0].as_object().unwrap().clone();
    let mut names: Vec<_> = hit.iter().map(|(name, _)| name.to_owned()).collect();
    names.sort();
    assert_eq!(names, ["event", "index", "kind", "received", "source"]);
    assert_eq!(users(&search(&site, "q=%22NUMBER%2012%22")), ["user12"]);
    assert_eq!(users(&search(&site, "q=user1%20-user11%20-getuser&limit=3")), ["user1", "user10", "user12"]);
    assert!(users(&search(&site, "q=nobody")).is_empty());
}

#[test]
fn pages_follow_one_another_up_and_down() {
    let site = Site::start();
    site.append("", lines(0..2500)).ok();
    let all: Vec<String> = (0..2500).map(|number| format!("user{number}")).collect();
    for (order, bound) in [("asc", "from"), ("desc", "to")] {
        let mut found = Vec::new();
        let mut on = String::new();
        loop {
            let answer = search(&site, &format!("q=kind:event&limit=321&order={order}{on}"));
            let page = users(&answer);
            assert!(page.len() <= 321);
            found.extend(page);
            match answer.value("next").as_u64() {
                Some(next) => on = format!("&{bound}={next}"),
                None => break,
            }
        }
        if order == "desc" {
            found.reverse();
        }
        assert_eq!(found, all, "{order}");
    }
}

#[test]
fn one_answer_looks_at_so_many_records_and_says_where_to_go_on() {
    let limits = api::Limits { search_records: 1500, search_hits: 50, ..api::Limits::default() };
    let site = Site::with_limits(limits);
    site.append("", lines(0..4000)).ok();
    let (mut looks, mut found, mut from) = (0, Vec::new(), 0);
    loop {
        let answer = search(&site, &format!("q=%22number%203999%22&from={from}"));
        found.extend(users(&answer));
        looks += 1;
        assert!(answer.number("scanned.to") - answer.number("scanned.from") <= 1500);
        match answer.value("next").as_u64() {
            Some(next) => from = next,
            None => break,
        }
    }
    assert_eq!((looks, found), (3, vec!["user3999".to_owned()]));
    for bad in ["limit=51", "limit=0", "order=up", "q=kind:none", "q=%22open", "query=x", "from=x"] {
        site.get(&format!("/v1/ledgers/main/search?{bad}")).problem(400, "query");
    }
    assert!(users(&search(&site, "from=999999&to=5")).is_empty());
}

#[test]
fn damage_is_named_and_the_rest_is_found() {
    let mut options = options();
    (options.seal_entries, options.wal_file_bytes) = (512, 64 << 10);
    let site = Site::with(Setup { options, ..Setup::default() });
    for round in 0..4 {
        site.append("?wait=committed", lines(round * 500..round * 500 + 500)).ok();
    }
    wait_until("two segments are sealed", || site.engine.reads().progress(0).sealed >= 1024);
    let whole = users(&search(&site, "q=kind:event&limit=1000&to=900"));
    let dir = site.data().join("data/ledgers/main/segment/events");
    let mut files: Vec<_> = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut bytes = std::fs::read(&files[0]).unwrap();
    let middle = bytes.len() / 3;
    bytes[middle] ^= 1;
    std::fs::write(&files[0], &bytes).unwrap();
    for order in ["asc", "desc"] {
        let answer = search(&site, &format!("q=kind:event&limit=1000&to=900&order={order}"));
        let damaged = answer.value("damaged");
        let damaged = damaged.as_array().unwrap();
        assert!(!damaged.is_empty(), "{answer}");
        let lost: u64 = damaged
            .iter()
            .map(|part| {
                assert!(part.path(&["reason"]).unwrap().str().is_some());
                part.path(&["to"]).unwrap().as_u64().unwrap()
                    - part.path(&["from"]).unwrap().as_u64().unwrap()
            })
            .sum();
        let found = users(&answer);
        assert!(found.len() < whole.len() && (whole.len() - found.len()) as u64 <= lost, "{damaged:?}");
        assert!(found.iter().all(|user| whole.contains(user)));
        assert!(lost < 1024, "{damaged:?}");
    }
    let first_bad = search(&site, "q=kind:event&to=900").value("damaged");
    let index = first_bad.as_array().unwrap()[0].path(&["from"]).unwrap().as_u64().unwrap();
    let shown = site.get(&format!("/v1/ledgers/main/events/{index}"));
    assert!(shown.status == 200 || shown.status == 500, "{shown}");
}
