use super::*;
#[test]
fn smoke() {
    let v = parse(br#"{"a":[1,2,{"b":"c\u00e9\ud83d\ude00"}],"d":null}"#).unwrap();
    assert_eq!(v.path(&["a"]).unwrap().as_array().unwrap().len(), 3);
}
