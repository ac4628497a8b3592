use super::*;
#[test]
fn smoke() {
    let v = crate::json::parse(br#"{"b":[1,2.0,{"b":"c\u00e9\ud83d\ude00"}],"a":null}"#).unwrap();
    let mut out = vec![];
    write(&v, &mut out);
    assert_eq!(std::str::from_utf8(&out).unwrap(), r#"{"a":null,"b":[1,2,{"b":"cé😀"}]}"#);
    check(&out).unwrap();
}
