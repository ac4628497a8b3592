//! The two files of a store that people read and write: settings and the administrator's token.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use access::{Tokens, TokensError};
use env::Env;
use evidence::layout;
use sha2::{Digest, Sha256};
use storage::{Disk, DiskObjects, DiskRegister, Objects, PutError, Register, RegisterError};

use crate::failure::{About, Failure};
use crate::settings::{self, Settings};
use crate::terminal;

/// The settings of a start: what they say, and their text, whose hash the ledger keeps.
pub(crate) struct Chosen {
    pub settings: Settings,
    text: String,
}

impl Chosen {
    /// Reads those of `given`, else those that lie in the store, else takes all defaults.
    ///
    /// # Errors
    /// Every mistake in them, with its line.
    pub(crate) fn read(data: &Path, given: Option<&Path>) -> Result<Chosen, Failure> {
        let own = data.join(layout::SETTINGS);
        let path = given.unwrap_or(&own);
        let text = match given.is_some() || own.exists() {
            true => fs::read_to_string(path).about("read the settings in", path)?,
            false => settings::default_file(),
        };
        let settings = Settings::parse(&text).map_err(|mistakes| {
            let lines: Vec<String> =
                mistakes.iter().map(|mistake| format!("{}: {mistake}", path.display())).collect();
            Failure::trouble(lines.join("\n"))
                .hint("nothing was started; every line above is a mistake to mend")
        })?;
        Ok(Chosen { settings, text })
    }

    /// SHA-256 of the text.
    pub(crate) fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.text.as_bytes()).into()
    }

    /// Makes them the settings file of the store, unless they are already: `verify` holds that file against the
    /// hash.
    pub(crate) fn keep(&self, data: &Path, disk: &Arc<dyn Disk>) -> Result<(), Failure> {
        let own = data.join(layout::SETTINGS);
        let register = DiskRegister::new(disk.clone(), layout::SETTINGS);
        let done = match register.load() {
            Ok(Some(held)) if held.bytes() == self.text.as_bytes() => Ok(()),
            Ok(Some(held)) => {
                terminal::tell(&format!(
                    "note: {} is replaced by the settings that were given",
                    own.display()
                ));
                register.swap(held, self.text.clone().into_bytes()).map(drop)
            }
            Ok(None) => register.create(self.text.clone().into_bytes()).map(drop),
            Err(error) => Err(RegisterError::OutcomeUnknown(error)),
        };
        done.map_err(|error| match error {
            RegisterError::Changed => {
                Failure::trouble(format!("another process has written {}", own.display()))
            }
            RegisterError::OutcomeUnknown(error) => {
                Failure::trouble(format!("can't keep the settings in {}: {error}", own.display()))
            }
        })
    }
}

/// SHA-256 of the program that is running, as far as the system lets it be read.
pub(super) fn program_hash() -> Option<[u8; 32]> {
    let mut hasher = Sha256::new();
    let mut program =
        fs::File::open("/proc/self/exe").or_else(|_| fs::File::open(std::env::current_exe()?)).ok()?;
    std::io::copy(&mut program, &mut HashWriter(&mut hasher)).ok()?;
    Some(hasher.finalize().into())
}

struct HashWriter<'a>(&'a mut Sha256);

impl std::io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Opens the tokens of the store. The first start makes the administrator's token and writes it to its file; true
/// if this was it.
pub(super) fn tokens(
    data: &Path,
    disk: &Arc<dyn Disk>,
    env: Arc<dyn Env>,
) -> Result<(Tokens, bool), Failure> {
    let failed =
        |error: TokensError| Failure::trouble(format!("can't open the tokens of the store: {error}"));
    let (tokens, first) = Tokens::open(disk.clone(), env).map_err(failed)?;
    let path = data.join(layout::ADMIN_TOKEN);
    // A start that was cut off before the store was made may have kept the token to itself: nobody has it.
    let lost = first.is_none() && !path.exists() && !data.join(layout::REGISTER).exists();
    let token = match first {
        Some(token) => Some(token),
        None if lost => Some(tokens.issue_first().map_err(failed)?),
        None => None,
    };
    let Some(token) = token else { return Ok((tokens, false)) };
    let put = DiskObjects::new(disk.clone()).put(layout::ADMIN_TOKEN, format!("{token}\n").as_bytes());
    put.map_err(|error| match error {
        PutError::Conflict => Failure::trouble(format!("another token is in the way: {}", path.display()))
            .hint("the store is new and its administrator's token would go there: move that file away"),
        PutError::OutcomeUnknown(error) => {
            Failure::trouble(format!("can't write the administrator's token to {}: {error}", path.display()))
        }
    })?;
    Ok((tokens, true))
}
