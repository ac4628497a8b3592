//! The real program, run as a person would, and asked over HTTP.

mod http;
mod server;

pub use http::{Response, request};
pub use server::Server;
