//! Every setting there is: its name, what it may hold, what it means. The reader, the commented file that the
//! first start writes, and the reference in docs/cli.md are all made from this table.

/// One setting.
pub(crate) struct Key {
    /// Its name, with its section in front: `commit.heartbeat_s`.
    pub path: &'static str,
    /// What it may hold.
    pub kind: Kind,
    /// Its default as it is written in TOML; empty if there is none to write.
    pub default: &'static str,
    /// What it means, one sentence or two.
    pub meaning: &'static str,
}

/// What a setting may hold.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// Addresses that begin with http:// or https://, at least one.
    Urls,
    /// An address and a port.
    Address,
    /// A path.
    Path,
    /// First part of an origin.
    Origin,
    /// Names of ledgers, at least one.
    Ledgers,
    /// Any names, at least one.
    Names,
    /// True or false.
    Switch,
    /// One of these words.
    Words(&'static [&'static str]),
    /// A whole number within bounds, and a divisor of it.
    Number { min: u64, max: u64, multiple_of: u64 },
}

const fn number(min: u64, max: u64) -> Kind {
    Kind::Number { min, max, multiple_of: 1 }
}

/// All settings, in the order in which an operator needs them; those of a section stand together.
pub(crate) const KEYS: &[Key] = &[
    Key {
        path: "listen",
        kind: Kind::Address,
        default: "\"127.0.0.1:4780\"",
        meaning: "Where the server listens. Only loopback addresses are accepted until a certificate is named under [tls].",
    },
    Key {
        path: "danger_listen_without_tls",
        kind: Kind::Switch,
        default: "false",
        meaning: "Accepts other addresses all the same: tokens and events then cross the network in the clear.",
    },
    Key {
        path: "keys",
        kind: Kind::Path,
        default: "",
        meaning: "Where the keys lie, relative to the data directory and never inside it. By default a sibling \
                  of the data directory with `-keys` behind its name.",
    },
    Key {
        path: "ledgers",
        kind: Kind::Ledgers,
        default: "[\"main\"]",
        meaning: "Ledgers that must exist; missing ones are created, none is ever removed.",
    },
    Key {
        path: "origin_host",
        kind: Kind::Origin,
        default: "\"ledgerstone.local\"",
        meaning: "First part of the origin of new ledgers, a host name without `https://`. Origins are public \
                  and can't be changed later.",
    },
    Key {
        path: "tls.certificate",
        kind: Kind::Path,
        default: "",
        meaning: "The server's certificate and those that lead to its authority, as PEM. With it the server speaks \
                  TLS 1.3 and nothing else. The three paths are relative to the data directory and never inside \
                  it; files that change are taken up without a restart. See docs/tls.md.",
    },
    Key {
        path: "tls.key",
        kind: Kind::Path,
        default: "",
        meaning: "Its private key, as PEM, not encrypted, and readable by its owner alone.",
    },
    Key {
        path: "tls.client_ca",
        kind: Kind::Path,
        default: "",
        meaning: "Authorities that issue certificates to clients, as PEM. With it clients may present one; none \
                  has to.",
    },
    Key {
        path: "open.tiles",
        kind: Kind::Switch,
        default: "true",
        meaning: "Serves checkpoints and hash tiles without a token. They show no content and no times.",
    },
    Key {
        path: "open.bundles",
        kind: Kind::Switch,
        default: "false",
        meaning: "Serves entry bundles without a token. They show no content, but times and source numbers.",
    },
    Key {
        path: "commit.checkpoint_interval_ms",
        kind: number(10, 1000),
        default: "400",
        meaning: "Shortest time between two checkpoints of one ledger.",
    },
    Key {
        path: "commit.heartbeat_s",
        kind: number(1, 3600),
        default: "60",
        meaning: "A ledger without new entries enters a heartbeat after this long.",
    },
    Key {
        path: "seal.entries",
        kind: Kind::Number { min: 256, max: 1 << 22, multiple_of: 256 },
        default: "131072",
        meaning: "A segment is sealed at this many entries.",
    },
    Key {
        path: "seal.age_s",
        kind: number(1, 86_400),
        default: "600",
        meaning: "Entries are sealed at this age at the latest, in whole bundles of 256.",
    },
    Key {
        path: "limits.queue_mib",
        kind: number(1, 65_536),
        default: "64",
        meaning: "Most events waiting to be written, in MiB; beyond it appends are told to come back later.",
    },
    Key {
        path: "limits.reserve_mib",
        kind: number(1, 1024),
        default: "4",
        meaning: "Disk space held back, in MiB, so that a full disk can still be recorded.",
    },
    Key {
        path: "limits.connections_per_address",
        kind: number(1, 1024),
        default: "256",
        meaning: "Most of the 1024 connections that one client may have open, which is an address of IPv4 or a network \
                  of 64 bits of IPv6; one more is closed at once and counted. Raise it for the address of a proxy.",
    },
    Key {
        path: "limits.connections_from_loopback",
        kind: number(1, 1024),
        default: "1024",
        meaning: "The same for this machine's own addresses: a proxy here brings everybody's connections from there.",
    },
    Key {
        path: "scrub.mib_per_s",
        kind: number(0, 65_536),
        default: "8",
        meaning: "How fast the running server verifies its own store, in MiB read per second; 0 switches it off.",
    },
    Key {
        path: "scrub.pause_s",
        kind: number(1, 2_592_000),
        default: "600",
        meaning: "Pause between the end of one full verification and the next.",
    },
    Key {
        path: "witness.policy",
        kind: Kind::Path,
        default: "",
        meaning: "A C2SP tlog-policy: which witnesses cosign checkpoints, where they are and how many are enough. With it \
                  nothing is signed after a start until a quorum has confirmed that this store is the newest. Relative \
                  to the data directory and never inside it. See docs/trust.md.",
    },
    Key {
        path: "witness.ledgers",
        kind: Kind::Ledgers,
        default: "",
        meaning: "Ledgers that have witnesses; all of them unless it is set.",
    },
    Key {
        path: "witness.own",
        kind: Kind::Names,
        default: "",
        meaning: "Names of those witnesses of the policy that you run yourself. They prove nothing against you, and \
                  are shown as such.",
    },
    Key {
        path: "witness.timeout_s",
        kind: number(1, 60),
        default: "10",
        meaning: "How long the answer of a witness is waited for.",
    },
    Key {
        path: "log.format",
        kind: Kind::Words(&["text", "json"]),
        default: "\"text\"",
        meaning: "How the running server logs on standard error: sentences, or one JSON object a line.",
    },
    Key {
        path: "log.requests",
        kind: Kind::Switch,
        default: "false",
        meaning: "Logs a line for each request: method, route, status, time taken, address and request id.",
    },
    Key {
        path: "timestamp.authorities",
        kind: Kind::Urls,
        default: "",
        meaning: "Addresses of time-stamp authorities (RFC 3161) that are asked about the newest checkpoint of each \
                  ledger, at the start, at every interval and at the stop. They see its digest only. See docs/time.md.",
    },
    Key {
        path: "timestamp.calendars",
        kind: Kind::Urls,
        default: "",
        meaning: "Addresses of calendars (OpenTimestamps) that bring the digest of the newest checkpoint of each ledger \
                  into a Bitcoin block, asked as often. They see a hash of it only. See docs/time.md.",
    },
    Key {
        path: "timestamp.ca",
        kind: Kind::Path,
        default: "",
        meaning: "The authorities' root certificates, as PEM, and any that lead there and are not in their tokens. \
                  Relative to the data directory and never inside it.",
    },
    Key {
        path: "timestamp.interval_s",
        kind: number(10, 604_800),
        default: "3600",
        meaning: "Time from one timestamp of a ledger to the next.",
    },
];

/// The commented settings file that the first start writes: every setting at its default.
pub(crate) fn default_file() -> String {
    let mut text = String::from(
        "# Settings of this Ledgerstone server, read at its start. Each is shown with its default: remove the `# `\n\
         # in front of a line to change it. Unknown keys are refused.\n\
         #\n\
         # The ledger keeps a hash of this file: restart the server after a change, so that `ledgerstone verify`\n\
         # knows the file as the one in use.\n",
    );
    let mut section = "";
    for key in KEYS {
        let (of, name) = key.path.split_once('.').unwrap_or(("", key.path));
        if of != section {
            section = of;
            text.push_str(&format!("\n[{of}]\n"));
        } else {
            text.push('\n');
        }
        for line in fold(key.meaning, 108) {
            text.push_str(&format!("# {line}\n"));
        }
        text.push_str(&match key.default {
            "" => format!("# {name} = ...\n"),
            default => format!("# {name} = {default}\n"),
        });
    }
    text
}

/// Breaks a text into lines of at most `width` characters.
pub(crate) fn fold(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
