//! Alarms about writes by others, brought back from the ledger of accesses.

use std::sync::Arc;

use api::{Limits, TlsChange};
use env::SystemEnv;
use watch::{Foreign, Kind, Watch};

use crate::site::Site;

fn write(path: &str) -> Foreign {
    let (path, command) = (path.to_owned(), Some(path.to_owned()));
    Foreign { path, kind: Kind::Modify, pid: None, uid: None, exe: None, command, at_ms: 1 }
}

/// What comes back at a start, and before which index nobody has looked.
fn restored(site: &Site) -> (Vec<String>, Option<u64>) {
    let watch = Watch::start(&[], Arc::new(SystemEnv::new()), drop).unwrap();
    let handle = watch.handle();
    let until = site.server.restore_alarms(&handle, site.server.accesses_until_now()).unwrap();
    let paths = handle.state().alarms.into_iter().map(|alarm| alarm.first.path).collect();
    watch.stop();
    (paths, until)
}

#[test]
fn a_start_looks_back_as_far_as_it_may_and_says_where_it_stopped() {
    // Read at once are 4096 records, so that this limit is met after the first of them.
    let site = Site::with_limits(Limits { alarm_records: 1000, ..Limits::default() });
    site.server.foreign_write(&write("old"));
    site.expect_access(&[("command", "old")]);
    assert_eq!(restored(&site), (vec!["old".to_owned()], None));

    for _ in 0..4200 {
        site.server.tls_changed(&TlsChange { certificate: None, refused: None });
    }
    site.server.foreign_write(&write("new"));
    site.expect_access(&[("command", "new")]);
    let (paths, until) = restored(&site);
    assert_eq!(paths, ["new"]);
    assert!(until.is_some_and(|index| index > 1), "{until:?}");
}
