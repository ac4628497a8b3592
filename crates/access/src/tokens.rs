//! The tokens of a server, stored only as SHA-256 in the state file [`evidence::layout::TOKENS`].
//!
//! A token is 256 random bits, so that a plain hash of it is as good as a slow one, and a comparison in constant
//! time over hashes tells a guesser nothing.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use env::Env;
use evidence::{hex, layout, statefile};
use record::json::{Object, Value};
use sha2::{Digest, Sha256};
use storage::{Disk, DiskRegister, Held, Register, RegisterError};
use subtle::ConstantTimeEq;

use crate::grant::Grant;
use crate::role::Role;
use crate::secret;

/// Most tokens there may be; each request is compared with all of them.
pub const MAX_TOKENS: usize = 4096;

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
    grant: Arc<Grant>,
}

/// Why a token is good for nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    /// It is none of this server's, or was revoked.
    Unknown,
    /// Its time is over.
    Expired(Arc<Grant>),
}

impl Tokens {
    /// Reads the tokens of the store in `disk`. If there is no file yet, makes the first token, which has every role,
    /// and returns its text, which is nowhere else. The caller holds the store's lock.
    ///
    /// # Errors
    /// See [`TokensError`].
    pub fn open(disk: Arc<dyn Disk>, env: Arc<dyn Env>) -> Result<(Self, Option<String>), TokensError> {
        let register = DiskRegister::new(disk, layout::TOKENS);
        let held = register.load().map_err(TokensError::Storage)?;
        let issued = held.as_ref().map_or(Ok(Vec::new()), |held| parse(held.bytes()))?;
        let first = held.is_none();
        let tokens = Self { register, env, issued: RwLock::new(issued), held: Mutex::new(held) };
        let text = if first { Some(tokens.issue_first()?) } else { None };
        Ok((tokens, text))
    }

    /// Makes a token with every role and no end, for whoever sets up the server.
    ///
    /// # Errors
    /// As [`Tokens::issue`].
    pub fn issue_first(&self) -> Result<String, TokensError> {
        let grant = Grant {
            id: String::new(),
            label: "first administrator".to_owned(),
            roles: Role::ALL.into(),
            ledgers: None,
            actions: None,
            source: None,
            purpose: Some("setting up this server".to_owned()),
            certificate: None,
            created_ms: 0,
            expires_ms: None,
        };
        self.issue(grant).map(|(text, _)| text)
    }

    /// Makes a token with these rights, durable on return, and returns its text, which is nowhere else. Id and time of
    /// issue are filled in.
    ///
    /// # Errors
    /// See [`TokensError`]; after an error of storage the token may be in the file, where it does no harm: nobody
    /// has its text.
    pub fn issue(&self, mut grant: Grant) -> Result<(String, Arc<Grant>), TokensError> {
        let text = secret::text(&env::random(self.env.as_ref()));
        let sha256: [u8; 32] = Sha256::digest(&text).into();
        grant.id = hex::encode(&sha256[..8]);
        grant.created_ms = self.env.now_ms();
        let grant = Arc::new(grant);
        self.change(|issued| {
            if issued.len() >= MAX_TOKENS {
                return Err(TokensError::TooMany);
            }
            issued.push(Issued { sha256, grant: grant.clone() });
            Ok(())
        })?;
        Ok((text, grant))
    }

    /// Makes the token of this id good for nothing, at once and for good; returns what it allowed.
    ///
    /// # Errors
    /// See [`TokensError`]; the last token that may manage tokens is not revoked.
    pub fn revoke(&self, id: &str) -> Result<Arc<Grant>, TokensError> {
        let now = self.env.now_ms();
        self.change(|issued| {
            let at = issued.iter().position(|token| token.grant.id == id).ok_or(TokensError::NoSuch)?;
            let gone = issued.remove(at).grant;
            let admin = |token: &Issued| token.grant.roles.contains(&Role::Admin) && !token.is_over(now);
            match issued.iter().any(admin) {
                true => Ok(gone),
                false => Err(TokensError::LastAdmin),
            }
        })
    }

    /// What this token allows now. Looks at every token, whichever fits.
    ///
    /// # Errors
    /// Why it is good for nothing.
    pub fn authenticate(&self, text: &str) -> Result<Arc<Grant>, Denied> {
        let digest: [u8; 32] = Sha256::digest(text).into();
        self.find(|token| bool::from(token.sha256.ct_eq(&digest)))
    }

    /// What the holder of this client certificate may do now, by its SHA-256.
    ///
    /// # Errors
    /// Why nothing.
    pub fn authenticate_certificate(&self, sha256: &[u8; 32]) -> Result<Arc<Grant>, Denied> {
        self.find(|token| token.grant.certificate.as_ref() == Some(sha256))
    }

    /// Whether the token of this id is still good.
    pub fn is_current(&self, id: &str) -> bool {
        self.find(|token| token.grant.id == id).is_ok()
    }

    /// All tokens there are, expired ones included.
    pub fn list(&self) -> Vec<Arc<Grant>> {
        let issued = self.issued.read().unwrap_or_else(PoisonError::into_inner);
        issued.iter().map(|token| token.grant.clone()).collect()
    }

    fn find(&self, fits: impl Fn(&Issued) -> bool) -> Result<Arc<Grant>, Denied> {
        let issued = self.issued.read().unwrap_or_else(PoisonError::into_inner);
        let mut found = None;
        for token in issued.iter() {
            if fits(token) {
                found = Some(token);
            }
        }
        match found {
            None => Err(Denied::Unknown),
            Some(token) if token.is_over(self.env.now_ms()) => Err(Denied::Expired(token.grant.clone())),
            Some(token) => Ok(token.grant.clone()),
        }
    }

    /// Changes the tokens, in the file first.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut Vec<Issued>) -> Result<T, TokensError>,
    ) -> Result<T, TokensError> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.is_none() {
            *held = self.register.load().map_err(TokensError::Storage)?;
        }
        let mut issued = held.as_ref().map_or(Ok(Vec::new()), |held| parse(held.bytes()))?;
        let changed = change(&mut issued)?;
        let bytes = format(&issued);
        let swapped = match held.take() {
            Some(old) => self.register.swap(old, bytes),
            None => self.register.create(bytes),
        };
        *held = Some(swapped?);
        *self.issued.write().unwrap_or_else(PoisonError::into_inner) = issued;
        Ok(changed)
    }
}

impl Issued {
    fn is_over(&self, now_ms: u64) -> bool {
        self.grant.expires_ms.is_some_and(|end| end <= now_ms)
    }
}

fn format(issued: &[Issued]) -> Vec<u8> {
    let row = |token: &Issued| {
        let mut row = token.grant.to_row();
        row.insert("sha256", hex::encode(&token.sha256));
        Value::Object(row)
    };
    let rows = issued.iter().map(row).collect::<Vec<_>>();
    statefile::format(layout::TOKENS_NAME, &Value::Object(Object::from_iter([("tokens", rows)])))
}

fn parse(bytes: &[u8]) -> Result<Vec<Issued>, TokensError> {
    let value = statefile::parse(layout::TOKENS_NAME, bytes)
        .map_err(|error| TokensError::Damaged(error.to_string()))?;
    let damaged = |what: &str| TokensError::Damaged(what.to_owned());
    let rows = value.path(&["tokens"]).and_then(Value::as_array);
    let rows = rows.ok_or_else(|| damaged("no list of tokens"))?;
    let issued = rows.iter().map(|row| read_row(row).ok_or_else(|| damaged("a token is not one")));
    let issued = issued.collect::<Result<Vec<_>, _>>()?;
    let ids: BTreeSet<&str> = issued.iter().map(|token| token.grant.id.as_str()).collect();
    if ids.len() != issued.len() {
        return Err(damaged("two tokens have the same id"));
    }
    // Nothing may be in the file that this version does not understand.
    if format(&issued) != bytes {
        return Err(damaged("a member is unknown or spelt in another way"));
    }
    Ok(issued)
}

fn read_row(row: &Value<'_>) -> Option<Issued> {
    let row = row.as_object()?;
    let sha256: [u8; 32] = hex::decode(row.get("sha256").and_then(Value::str)?)?;
    let grant = Grant::read_row(row)?;
    (grant.id == hex::encode(&sha256[..8])).then(|| Issued { sha256, grant: Arc::new(grant) })
}

/// Why tokens could not be read or changed.
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
    /// There is no token of this id.
    NoSuch,
    /// Nobody could manage tokens without it.
    LastAdmin,
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
            Self::NoSuch => write!(f, "there is no token of this id"),
            Self::LastAdmin => write!(f, "it is the last token that may manage tokens: make another first"),
        }
    }
}

impl std::error::Error for TokensError {}

#[cfg(test)]
mod tests {
    use super::*;
    use env::{Clock as _, SystemEnv};
    use storage::LocalDisk;

    fn open(dir: &std::path::Path) -> Result<(Tokens, Option<String>), TokensError> {
        Tokens::open(Arc::new(LocalDisk::open(dir).unwrap()), Arc::new(SystemEnv::new()))
    }

    fn reader() -> Grant {
        Grant {
            id: String::new(),
            label: "payments \u{1F512}".to_owned(),
            roles: [Role::Reader, Role::Auditor].into(),
            ledgers: Some(["main".to_owned()].into()),
            actions: Some([crate::Action::Read].into()),
            source: Some(3),
            purpose: Some("case 7".to_owned()),
            certificate: Some([9; 32]),
            created_ms: 0,
            expires_ms: Some(u64::MAX >> 12),
        }
    }

    #[test]
    fn the_first_start_makes_a_token_and_later_ones_know_everybody() {
        let dir = tempfile::tempdir().unwrap();
        let (tokens, first) = open(dir.path()).unwrap();
        let first = first.unwrap();
        let (text, grant) = tokens.issue(reader()).unwrap();
        assert!(crate::is_well_formed(&first) && crate::is_well_formed(&text) && first != text);
        let (again, none) = open(dir.path()).unwrap();
        assert_eq!(none, None);
        for tokens in [tokens, again] {
            assert_eq!(tokens.authenticate(&first).unwrap().roles, Role::ALL.into());
            assert_eq!(tokens.authenticate(&text), Ok(grant.clone()));
            assert_eq!(tokens.authenticate_certificate(&[9; 32]), Ok(grant.clone()));
            assert_eq!(tokens.authenticate_certificate(&[8; 32]), Err(Denied::Unknown));
            assert_eq!(tokens.authenticate(&first[..first.len() - 1]), Err(Denied::Unknown));
            assert_eq!(tokens.authenticate(""), Err(Denied::Unknown));
        }
        let file = std::fs::read_to_string(dir.path().join(layout::TOKENS)).unwrap();
        assert!(!file.contains(&first[4..60]) && !file.contains(&text[4..60]));
    }

    #[test]
    fn a_token_ends_when_it_expires_or_is_revoked() {
        let dir = tempfile::tempdir().unwrap();
        let (tokens, first) = open(dir.path()).unwrap();
        let now = SystemEnv::new().now_ms();
        let (over, grant) = tokens.issue(Grant { expires_ms: Some(now), ..reader() }).unwrap();
        assert_eq!(tokens.authenticate(&over), Err(Denied::Expired(grant)));
        let (text, grant) = tokens.issue(reader()).unwrap();
        assert_eq!(tokens.revoke(&grant.id).unwrap(), grant);
        assert_eq!(tokens.authenticate(&text), Err(Denied::Unknown));
        assert!(matches!(tokens.revoke(&grant.id), Err(TokensError::NoSuch)));
        let first = tokens.authenticate(&first.unwrap()).unwrap();
        assert!(matches!(tokens.revoke(&first.id), Err(TokensError::LastAdmin)));
        let (again, _) = open(dir.path()).unwrap();
        assert_eq!(again.authenticate(&text), Err(Denied::Unknown));
        assert_eq!(again.list().len(), 2);
    }

    #[test]
    fn every_changed_byte_of_the_file_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let (tokens, _) = open(dir.path()).unwrap();
        tokens.issue(reader()).unwrap();
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
