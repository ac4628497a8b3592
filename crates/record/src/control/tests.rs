use super::*;
#[test]
fn smoke() {
    let h = Heartbeat { size: u64::MAX };
    assert_eq!(Heartbeat::parse(&h.to_draft().what), Ok(h));
}
