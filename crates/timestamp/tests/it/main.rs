//! Tokens made by `openssl ts`, a time-stamp authority that nobody here wrote, good and bad.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod authority;
mod bad_tokens;
mod flips;
mod good_tokens;
mod ots;
mod responses;
mod vectors;
