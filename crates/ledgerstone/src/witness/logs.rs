//! Which logs are witnessed: keys that were typed, and those of a file.

use std::fs;
use std::path::Path;

use tlog::{Policy, PolicyError, PolicyMistake, VerifierKey};

use crate::cli::WitnessArgs;
use crate::failure::{About, Failure};

/// The keys of all logs, each once.
pub(super) fn read(args: &WitnessArgs) -> Result<Vec<VerifierKey>, Failure> {
    let default = args.dir.join("logs");
    let file = args.logs.clone().or_else(|| default.is_file().then_some(default));
    let mut keys = args.log_keys.clone();
    if let Some(file) = file {
        let bytes = fs::read(&file).about("read", &file)?;
        keys.extend(parse(&bytes, &file)?);
    }
    let mut once: Vec<VerifierKey> = Vec::new();
    for key in keys {
        if key.algorithm() != tlog::Algorithm::Ed25519 {
            return Err(Failure::trouble(format!("this is the key of a cosigner, not of a log: {key}")));
        }
        if !once.contains(&key) {
            once.push(key);
        }
    }
    Ok(once)
}

/// The `log` lines of a policy. What has no other lines need not say `quorum none`.
fn parse(bytes: &[u8], file: &Path) -> Result<Vec<VerifierKey>, Failure> {
    let policy = match Policy::parse_bytes(bytes) {
        Err(PolicyError { what: PolicyMistake::NoQuorum, .. }) => {
            Policy::parse_bytes(&[bytes, b"\nquorum none\n"].concat())
        }
        other => other,
    };
    let policy = policy.map_err(|error| Failure::trouble(format!("{}: {error}", file.display())))?;
    Ok(policy.logs().iter().map(|log| log.key().clone()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_logs_need_not_be_a_whole_policy() {
        let key = |n: u8| tlog::SigningKey::from_seed("example.com/log", [n; 32]).expect("a key");
        let (a, b) = (key(1).verifying_key().clone(), key(2).verifying_key().clone());
        let file = Path::new("logs");
        for end in ["", "\n", "\nquorum none\n"] {
            let text = format!("# two\nlog {a}\nlog {b} https://example.com{end}");
            assert_eq!(parse(text.as_bytes(), file).expect("it is read"), [a.clone(), b.clone()]);
        }
        let refused = parse(format!("log {a}\nlog {a}\n").as_bytes(), file).expect_err("a key twice");
        assert!(refused.message().contains("logs: policy line 2"), "{refused:?}");
    }
}
