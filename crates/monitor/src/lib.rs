//! Following a C2SP tiled log from outside, as whoever must not believe its operator does.
//!
//! [`Watch::round`] fetches the newest checkpoint, checks its signature, and accepts it only if it is shown that its
//! tree begins with the one accepted before. What it says about it is [`Finding`]s, each with the notes and hashes
//! that show it to others. [`walk`] goes through everything a checkpoint commits to, and [`Mirror`] keeps it.
//!
//! Nothing that a log serves is used unchecked: [`Tree`] takes a tile only if it leads to the signed root, from the
//! right edge downwards, and a bundle only if each entry hashes to what its tile says. So what is wrong is found where
//! it is, and an intact rest stays usable.

mod discover;
mod finding;
mod mirror;
mod promise;
mod source;
mod state;
mod tree;
mod walk;
mod watch;

pub use discover::{Found, discover};
pub use finding::{Finding, Kind};
pub use mirror::{Mirror, WITNESSED};
pub use promise::{Kept, Promise, contradiction, finding_of};
pub use source::{DiskSource, FetchError, HttpSource, Source};
pub use state::{Progress, State};
pub use tree::{Bad, Tree, TreeError};
pub use walk::{Keep, Walked, walk};
pub use watch::{Asked, LookError, Round, Step, Watch};
