//! The real program, run as a person would, and asked over HTTP.

mod connection;
mod http;
mod server;

pub use connection::{Connection, Told};
pub use http::{Response, request};
pub use server::Server;
