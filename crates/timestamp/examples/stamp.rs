//! The crate on the command line, for `scripts/interop/timestamps.py`: every argument is a file unless it says NUMBER.
//!
//! ```text
//! stamp request DATA NONCE-NUMBER OUT          what to send to a time-stamp authority
//! stamp verify DATA RESPONSE CERTIFICATES      exit 0 and one line, or exit 1 and why
//! stamp ots DATA OUT [ANSWER]...               prints the request that comes next; OUT is written once it can be
//! stamp ots-verify DATA OTS HEIGHT-NUMBER HEADER
//! ```

#![expect(clippy::print_stdout, reason = "an example talks")]

use std::error::Error;
use std::fs;

use timestamp::ots::{BlockHeader, DetachedFile, calendar};
use timestamp::{Authorities, Expected};

/// Where the calendar of the script says it is.
const CALENDAR: &str = "https://calendar.example";

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["request", data, nonce, out] => {
            let digest = timestamp::digest(&fs::read(data)?);
            Ok(fs::write(out, timestamp::request(&digest, nonce.parse()?))?)
        }
        ["verify", data, response, certificates] => {
            let digest = timestamp::digest(&fs::read(data)?);
            let authorities = Authorities::parse(&fs::read(certificates)?)?;
            let token = timestamp::response(&fs::read(response)?)?;
            let verified = token.verify(&Expected { digest: &digest, nonce: None }, &authorities)?;
            println!("{} {}", verified.info.gen_time_ms, verified.info.serial);
            Ok(())
        }
        ["ots", data, out, answers @ ..] => ots(data, out, answers),
        ["ots-verify", data, file, height, header] => {
            let digest = timestamp::digest(&fs::read(data)?);
            let header = <[u8; 80]>::try_from(fs::read(header)?).map_err(|_| "a header has 80 bytes")?;
            let file = DetachedFile::parse(&fs::read(file)?)?;
            let time = file.verify(&digest, height.parse()?, &BlockHeader::new(header))?;
            println!("{} {}", time.time, time.block);
            Ok(())
        }
        _ => Err("see the head of this file".into()),
    }
}

/// Answers come in order: to the first request, then to each promise that was made.
fn ots(data: &str, out: &str, answers: &[&str]) -> Result<(), Box<dyn Error>> {
    let mut file = DetachedFile::start(timestamp::digest(&fs::read(data)?), [0x5a; 16]);
    for answer in answers {
        let asked = match file.commitment() {
            Some(commitment) => commitment,
            None => file.promises().first().ok_or("nothing is promised any more")?.0.to_vec(),
        };
        file.add(&asked, &calendar::answer(&asked, &fs::read(answer)?)?)?;
    }
    if let Ok(bytes) = file.to_bytes() {
        fs::write(out, bytes)?;
    }
    let next = match (file.commitment(), file.promises().first()) {
        (Some(commitment), _) => calendar::submit(CALENDAR, &commitment)?,
        (None, Some((message, _))) => calendar::upgrade(message),
        (None, None) => return Ok(()),
    };
    let body: String = next.body.iter().map(|byte| format!("{byte:02x}")).collect();
    println!("{} {} {body}", next.method, next.path);
    Ok(())
}
