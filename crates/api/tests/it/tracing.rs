//! Each request has a name, in its answer, its problem and the log.

use std::sync::{Arc, Mutex};

use crate::site::{Site, lines};

#[test]
fn answers_and_problems_tell_the_request() {
    let site = Site::start();
    let seen: Arc<Mutex<Vec<api::Answered>>> = Arc::default();
    let keep = seen.clone();
    site.server.supervise(api::Supervision {
        answered: Some(Box::new(move |answered| keep.lock().unwrap().push(answered.clone()))),
        ..api::Supervision::default()
    });
    let random = site.get_as("/healthz", None).ok().header("x-request-id").to_owned();
    assert!(random.len() == 32 && random.bytes().all(|byte| byte.is_ascii_hexdigit()), "{random}");
    assert_ne!(site.get_as("/healthz", None).ok().header("x-request-id"), random);

    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    let headers = [("traceparent", parent.as_str())];
    let path = "/v1/ledgers/main/events?secret=1";
    let refused = site.post_as(path, Some(&site.admin), &headers, lines(0..1)).problem(400, "query");
    assert_eq!((refused.header("x-request-id"), refused.text("request").as_str()), (trace, trace));
    let nobody = site.get("/nothing/secret/here");
    assert_eq!(nobody.header("x-request-id"), nobody.text("request"));

    let seen = seen.lock().unwrap();
    let one = seen.iter().find(|answered| answered.request == trace).unwrap();
    assert_eq!(
        (one.method.as_str(), one.route.as_str(), one.status),
        ("POST", "/v1/ledgers/{name}/events", 400)
    );
    assert!(one.peer.is_some_and(|peer| peer.ip().is_loopback()));
    assert!(seen.len() >= 4 && !format!("{seen:?}").contains("secret"), "{seen:?}");
}
