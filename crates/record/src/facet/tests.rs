use super::*;
#[test]
fn smoke() {
    let v = crate::json::parse(br#"{"time":1,"actor":{"user":{"uid":"x"},"authorizations":[{"decision":"ok","policy":{"data":1}}]},"zzz":1,"ledgerstone":{"a":1},"severity_id":1,"activity_id":1}"#).unwrap();
    let d = split(&v);
    let mut when = vec![];
    let s = Stamp { received_ms: 5, source: 1, epoch: 2, sequence: u64::MAX };
    d.when.write_stamped(&s, &mut when);
    for f in [&when, &d.who, &d.what, &d.content, &d.where_] {
        println!("{}", String::from_utf8_lossy(f));
        crate::canonical::check(f).unwrap();
    }
    assert_eq!(read_stamp(&when), Ok(s));
    println!(
        "{}",
        String::from_utf8_lossy(&crate::canonical::object(
            merge([Some(&when), Some(&d.who), Some(&d.what), Some(&d.content), Some(&d.where_)])
                .unwrap()
                .as_object()
                .unwrap()
        ))
    );
}
