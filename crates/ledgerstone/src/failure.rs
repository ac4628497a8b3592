//! Why a verb ended without doing what it was asked.

use std::fmt;
use std::io;
use std::process::ExitCode;

/// A failure, split by the exit code that a script sees.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The question was answered, with no: exit code 1.
    No(Told),
    /// There is no answer: exit code 2.
    Trouble(Told),
    /// All is as it should be but late: exit code 3.
    Late(Told),
}

/// What a person reads.
#[derive(Debug)]
pub(crate) struct Told {
    message: String,
    hint: Option<String>,
}

impl Failure {
    /// The answer is no.
    pub(crate) fn no(message: impl fmt::Display) -> Failure {
        Failure::No(Told { message: message.to_string(), hint: None })
    }

    /// There is no answer.
    pub(crate) fn trouble(message: impl fmt::Display) -> Failure {
        Failure::Trouble(Told { message: message.to_string(), hint: None })
    }

    /// Nothing is wrong but time.
    pub(crate) fn late(message: impl fmt::Display) -> Failure {
        Failure::Late(Told { message: message.to_string(), hint: None })
    }

    /// Says what to do next, on a line of its own behind those that were said before.
    pub(crate) fn hint(mut self, hint: impl fmt::Display) -> Failure {
        let (Failure::No(told) | Failure::Trouble(told) | Failure::Late(told)) = &mut self;
        told.hint = Some(match told.hint.take() {
            Some(before) => format!("{before}\n{hint}"),
            None => hint.to_string(),
        });
        self
    }

    /// Puts a line in front of what happened.
    pub(crate) fn preceded_by(mut self, line: &str) -> Failure {
        let (Failure::No(told) | Failure::Trouble(told) | Failure::Late(told)) = &mut self;
        told.message = format!("{line}\n{}", told.message);
        self
    }

    /// What happened, without the hint.
    pub(crate) fn message(&self) -> &str {
        let (Failure::No(told) | Failure::Trouble(told) | Failure::Late(told)) = self;
        &told.message
    }

    /// Tells it on standard error and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        let (code, told) = match self {
            Failure::No(told) => (1, told),
            Failure::Trouble(told) => (2, told),
            Failure::Late(told) => (3, told),
        };
        // Escaped line by line: the message may quote a server or a file.
        for line in told.message.lines() {
            crate::terminal::tell(&format!("ledgerstone: {}", crate::terminal::escape(line)));
        }
        if let Some(hint) = &told.hint {
            for line in hint.lines() {
                crate::terminal::tell(&format!("  hint: {}", crate::terminal::escape(line)));
            }
        }
        ExitCode::from(code)
    }
}

/// Names what was being done to a file when the system refused.
pub(crate) trait About<T> {
    fn about(self, doing: &str, path: &std::path::Path) -> Result<T, Failure>;
}

impl<T> About<T> for io::Result<T> {
    fn about(self, doing: &str, path: &std::path::Path) -> Result<T, Failure> {
        self.map_err(|error| Failure::trouble(format!("can't {doing} {}: {error}", path.display())))
    }
}

impl From<io::Error> for Failure {
    /// Only of writing to standard output; everything else names its file.
    fn from(error: io::Error) -> Failure {
        Failure::trouble(format!("can't write to standard output: {error}"))
    }
}
