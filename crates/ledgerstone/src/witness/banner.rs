//! What the start tells, on standard output: where, the key, which logs, and what to paste elsewhere.

use std::net::SocketAddr;
use std::path::Path;

use witness::Witness;

use crate::terminal::escape;
use crate::time::rfc3339;

pub(super) fn banner(witness: &Witness, listen: SocketAddr, dir: &Path) -> String {
    let vkey = witness.vkey();
    let mut out = format!(
        "Ledgerstone witness {} is running; stop it with Ctrl-C.\n\n\
         \x20 listening on      http://{listen}\n\
         \x20 directory         {} (its key and all it has cosigned: never run a copy of it)\n\
         \x20 verification key  {vkey}\n",
        env!("CARGO_PKG_VERSION"),
        dir.display(),
    );
    for (origin, configured, last) in witness.logs() {
        let origin = escape(origin);
        let state = match last.flatten() {
            Some(last) => {
                format!("{} entries, cosigned {}", last.size, rfc3339(last.time.saturating_mul(1000)))
            }
            None => "nothing cosigned yet".to_owned(),
        };
        let still = if configured { "" } else { "; not witnessed any more" };
        out.push_str(&format!("\nlog {origin}\n  {state}{still}\n"));
    }
    out.push_str(&format!(
        "\nLines for the policy of whoever trusts this witness, with the address they reach it at:\n\n  \
         witness {0} {vkey} http://{listen}\n  quorum {0}\n",
        vkey.name()
    ));
    out
}
