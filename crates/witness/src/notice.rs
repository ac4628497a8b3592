/// Who must act on a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Somebody must act.
    Error,
    /// Something is not as it should be, and went on.
    Warning,
    /// Something was done.
    Info,
}

impl Level {
    /// Returns its name in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

/// What a witness tells whoever runs it. Texts may hold what a log wrote: escape them for a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// How much it matters.
    pub level: Level,
    /// What happened, in a stable word: `cosigned`, `fork`, `inconsistent`, `storage`, `recovered`, `clock`.
    pub what: &'static str,
    /// Origin of the log it is about.
    pub origin: String,
    /// The tree size it is about, where there is one.
    pub size: Option<u64>,
    /// A sentence.
    pub message: String,
}

/// Is told each notice, on the thread that has it.
pub type Teller = Box<dyn Fn(&Notice) + Send + Sync>;
