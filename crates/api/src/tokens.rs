//! Who may call: tokens, stored only as SHA-256 in the state file [`evidence::layout::TOKENS`].
//!
//! A token is 256 random bits, so that a plain hash of it is as good as a slow one, and a comparison in constant
//! time over hashes tells a guesser nothing.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use env::Env;
use evidence::{hex, layout, statefile};
use record::json::{Object, Value};
use sha2::{Digest, Sha256};
use storage::{Disk, DiskRegister, Held, Register, RegisterError};
use subtle::ConstantTimeEq;

/// First line of the state file.
pub const TOKENS_NAME: &str = "ledgerstone/tokens/v1";

/// Most tokens there may be; each request is compared with all of them.
pub const MAX_TOKENS: usize = 4096;

/// What a token allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// Everything.
    Admin,
    /// Appending to one ledger as one source, and opening epochs of that source.
    Source {
        /// Name of the ledger.
        ledger: String,
        /// Number of the source.
        source: u32,
    },
}

/// The tokens of a server.
pub struct Tokens {
    register: DiskRegister,
    env: Arc<dyn Env>,
    issued: RwLock<Vec<Issued>>,
    /// The file as last written; `None` after a failure, when it must be read again. Held while writing.
    held: Mutex<Option<Held>>,
}

/// A token that was given out.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Issued {
    sha256: [u8; 32],
    role: Role,
    label: String,
    created_ms: u64,
}

impl Tokens {
    /// Reads the tokens of the store in `disk`. If there is no file yet, makes the first admin token and returns its
    /// text, which is nowhere else. The caller holds the store's lock.
    ///
    /// # Errors
    /// See [`TokensError`].
    pub fn open(disk: Arc<dyn Disk>, env: Arc<dyn Env>) -> Result<(Self, Option<String>), TokensError> {
        let register = DiskRegister::new(disk, layout::TOKENS);
        let held = register.load().map_err(TokensError::Storage)?;
        let issued = held.as_ref().map_or(Ok(Vec::new()), |held| parse(held.bytes()))?;
        let first = held.is_none();
        let tokens = Self { register, env, issued: RwLock::new(issued), held: Mutex::new(held) };
        let text = if first { Some(tokens.issue(Role::Admin, "first admin")?) } else { None };
        Ok((tokens, text))
    }

    /// Makes a token, durable on return, and returns its text, which is nowhere else.
    ///
    /// # Errors
    /// See [`TokensError`]; after an error of storage the token may be in the file, where it does no harm: nobody
    /// has its text.
    pub fn issue(&self, role: Role, label: &str) -> Result<String, TokensError> {
        let text = token_text(&env::random(self.env.as_ref()));
        let sha256 = Sha256::digest(&text).into();
        let created_ms = self.env.now_ms();
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.is_none() {
            *held = self.register.load().map_err(TokensError::Storage)?;
        }
        let mut issued = held.as_ref().map_or(Ok(Vec::new()), |held| parse(held.bytes()))?;
        if issued.len() >= MAX_TOKENS {
            return Err(TokensError::TooMany);
        }
        issued.push(Issued { sha256, role, label: label.to_owned(), created_ms });
        let bytes = format(&issued);
        let swapped = match held.take() {
            Some(old) => self.register.swap(old, bytes),
            None => self.register.create(bytes),
        };
        *held = Some(swapped?);
        *self.issued.write().unwrap_or_else(PoisonError::into_inner) = issued;
        Ok(text)
    }

    /// What this token allows; `None` if it is not one of ours. Looks at every token, whichever fits.
    pub fn role(&self, text: &str) -> Option<Role> {
        let digest: [u8; 32] = Sha256::digest(text).into();
        let issued = self.issued.read().unwrap_or_else(PoisonError::into_inner);
        let mut found = None;
        for (at, token) in issued.iter().enumerate() {
            if bool::from(token.sha256.ct_eq(&digest)) {
                found = Some(at);
            }
        }
        found.and_then(|at| issued.get(at)).map(|token| token.role.clone())
    }
}

/// `lst_`, 64 hexadecimal digits, `_` and 8 more that check them, so that a token is known for one wherever it turns
/// up, and a mistyped one for mistyped.
fn token_text(secret: &[u8; 32]) -> String {
    let body = format!("lst_{}", hex::encode(secret));
    let check = hex::encode(&Sha256::digest(&body)[..4]);
    format!("{body}_{check}")
}

/// Whether `text` is a token as written by [`token_text`], given out by anyone.
pub(crate) fn is_well_formed(text: &str) -> bool {
    text.strip_prefix("lst_")
        .and_then(|rest| rest.split_once('_'))
        .and_then(|(secret, _)| hex::decode::<32>(secret))
        .is_some_and(|secret| token_text(&secret) == text)
}

fn format(issued: &[Issued]) -> Vec<u8> {
    let row = |token: &Issued| {
        let mut row = Object::new();
        row.insert("created_ms", token.created_ms);
        row.insert("label", token.label.clone());
        row.insert("sha256", hex::encode(&token.sha256));
        match &token.role {
            Role::Admin => {
                row.insert("kind", "admin");
            }
            Role::Source { ledger, source } => {
                row.insert("kind", "source");
                row.insert("ledger", ledger.clone());
                row.insert("source", *source);
            }
        }
        Value::Object(row)
    };
    let rows = issued.iter().map(row).collect::<Vec<_>>();
    statefile::format(TOKENS_NAME, &Value::Object(Object::from_iter([("tokens", rows)])))
}

fn parse(bytes: &[u8]) -> Result<Vec<Issued>, TokensError> {
    let value =
        statefile::parse(TOKENS_NAME, bytes).map_err(|error| TokensError::Damaged(error.to_string()))?;
    let damaged = |what: &str| TokensError::Damaged(what.to_owned());
    let rows = value.path(&["tokens"]).and_then(Value::as_array);
    let rows = rows.ok_or_else(|| damaged("no list of tokens"))?;
    let issued = rows.iter().map(|row| read_row(row).ok_or_else(|| damaged("a token is not one")));
    let issued = issued.collect::<Result<Vec<_>, _>>()?;
    // Nothing may be in the file that this version does not understand.
    if format(&issued) != bytes {
        return Err(damaged("a member is unknown or spelt in another way"));
    }
    Ok(issued)
}

fn read_row(row: &Value<'_>) -> Option<Issued> {
    let row = row.as_object()?;
    let text = |name: &str| row.get(name).and_then(Value::str);
    let role = match text("kind")? {
        "admin" => Role::Admin,
        "source" => {
            let source = row.get("source").and_then(Value::as_u64)?;
            Role::Source { ledger: text("ledger")?.to_owned(), source: u32::try_from(source).ok()? }
        }
        _ => return None,
    };
    Some(Issued {
        sha256: hex::decode(text("sha256")?)?,
        role,
        label: text("label")?.to_owned(),
        created_ms: row.get("created_ms").and_then(Value::as_u64)?,
    })
}

/// Why tokens could not be read or made.
#[derive(Debug)]
pub enum TokensError {
    /// Storage failed: try again.
    Storage(io::Error),
    /// The file is not what was written: restore it, or remove it and all tokens with it.
    Damaged(String),
    /// Another process has written the file: stop.
    Changed,
    /// There are [`MAX_TOKENS`] already.
    TooMany,
}

impl From<RegisterError> for TokensError {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::Changed => Self::Changed,
            RegisterError::OutcomeUnknown(error) => Self::Storage(error),
        }
    }
}

impl fmt::Display for TokensError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Storage(error) => write!(f, "tokens cannot be read or written: {error}"),
            Self::Damaged(what) => write!(f, "damaged: {}: {what}", layout::TOKENS),
            Self::Changed => write!(f, "another process has written the tokens"),
            Self::TooMany => write!(f, "there are as many tokens as there may be: {MAX_TOKENS}"),
        }
    }
}

impl std::error::Error for TokensError {}

#[cfg(test)]
mod tests {
    use super::*;
    use env::SystemEnv;
    use storage::LocalDisk;

    fn open(dir: &std::path::Path) -> Result<(Tokens, Option<String>), TokensError> {
        Tokens::open(Arc::new(LocalDisk::open(dir).unwrap()), Arc::new(SystemEnv::new()))
    }

    #[test]
    fn the_first_start_makes_an_admin_and_later_ones_know_everybody() {
        let dir = tempfile::tempdir().unwrap();
        let (tokens, admin) = open(dir.path()).unwrap();
        let admin = admin.unwrap();
        let role = Role::Source { ledger: "main".to_owned(), source: 2 };
        let source = tokens.issue(role.clone(), "payments \u{1F512}").unwrap();
        assert!(is_well_formed(&admin) && is_well_formed(&source) && admin != source);
        let (again, first) = open(dir.path()).unwrap();
        assert_eq!(first, None);
        for tokens in [tokens, again] {
            assert_eq!(tokens.role(&admin), Some(Role::Admin));
            assert_eq!(tokens.role(&source), Some(role.clone()));
            assert_eq!(tokens.role(&admin[..admin.len() - 1]), None);
            assert_eq!(tokens.role(""), None);
        }
        let file = std::fs::read_to_string(dir.path().join(layout::TOKENS)).unwrap();
        assert!(!file.contains(&admin[4..60]) && !file.contains(&source[4..60]));
    }

    #[test]
    fn a_mistyped_token_is_known_for_one() {
        let text = token_text(&[7; 32]);
        assert!(is_well_formed(&text));
        for at in 0..text.len() {
            let mut other = text.clone().into_bytes();
            other[at] = if other[at] == b'1' { b'2' } else { b'1' };
            assert!(!is_well_formed(&String::from_utf8(other).unwrap()), "{at}");
        }
    }

    #[test]
    fn every_changed_byte_of_the_file_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let (tokens, _) = open(dir.path()).unwrap();
        tokens.issue(Role::Source { ledger: "main".to_owned(), source: 2 }, "label").unwrap();
        let path = dir.path().join(layout::TOKENS);
        let good = std::fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            std::fs::write(&path, &bad).unwrap();
            assert!(matches!(open(dir.path()), Err(TokensError::Damaged(_))), "byte {at}");
        }
    }
}
