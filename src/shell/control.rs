//! How `framewright reload` reaches a server on the same machine: an abstract Unix socket, named after the listen address.
//!
//! It leaves no file behind, needs no key, and exists in the network namespace where the address exists. Only the server's own
//! user and root are heard. A request is a word on a line, the answer a line of JSON.

use super::reload::{By, Reloaded, Reloading};
use crate::contract::Listen;
use data_encoding::HEXLOWER;
use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixListener, UnixStream};
use std::thread;
use std::time::Duration;

const WORD_BYTES_MAX: u64 = 64;
const ANSWER_BYTES_MAX: u64 = 1 << 20;
/// How long a client may take to say its word, and how long it waits for the answer.
const WORD_TIME: Duration = Duration::from_secs(5);
const ANSWER_TIME: Duration = Duration::from_secs(120);
/// Rest after an accept that failed.
const REST: Duration = Duration::from_millis(100);

const RELOAD: &str = "reload";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    Reloaded(Reloaded),
    Refused(String),
}

/// Why a server was not reached, or what it refused.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    #[error(
        "no server listens on {address} on this machine: name its address with --listen, the one that it was started with if it has \
         been changed since"
    )]
    NoServer { address: Listen },
    #[error("the server at {address} does not answer ({error}): see its log")]
    Silent { address: Listen, error: io::Error },
    #[error("{0}")]
    Refused(String),
}

/// As long for a long path as for a short address.
fn name(place: &Listen) -> io::Result<UnixAddress> {
    let hash = HEXLOWER.encode(&Sha256::digest(place.to_string().as_bytes())[..16]);
    UnixAddress::from_abstract_name(format!("framewright/{hash}"))
}

/// Answers requests, one after the other, on a thread of its own.
pub(super) fn listen(place: &Listen, reloading: Reloading) -> io::Result<()> {
    let listener = UnixListener::bind_addr(&name(place)?)?;
    let serve = move || {
        for stream in listener.incoming() {
            match stream {
                // Whoever asked may have left.
                Ok(stream) => drop(answer(&stream, &reloading)),
                Err(_) => thread::sleep(REST),
            }
        }
    };
    thread::Builder::new().name("control".to_owned()).spawn(serve)?;
    Ok(())
}

fn answer(mut stream: &UnixStream, reloading: &Reloading) -> io::Result<()> {
    stream.set_read_timeout(Some(WORD_TIME))?;
    stream.set_write_timeout(Some(WORD_TIME))?;
    let uid = getsockopt(stream.as_raw_fd(), PeerCredentials)?.uid();
    let mut word = String::new();
    BufReader::new(stream.take(WORD_BYTES_MAX)).read_line(&mut word)?;
    let answer = match word.trim() {
        _ if !may_ask(uid) => Answer::Refused("only the server's own user and root may reload it: run this as one of them".to_owned()),
        RELOAD => reloading.reload(By::Command { uid }).map_or_else(Answer::Refused, Answer::Reloaded),
        _ => Answer::Refused("this server does not know that request: use the same version of the program".to_owned()),
    };
    let mut line = serde_json::to_vec(&answer)?;
    line.push(b'\n');
    stream.write_all(&line)
}

fn may_ask(uid: u32) -> bool {
    uid == 0 || uid == rustix::process::geteuid().as_raw()
}

/// Has the server at this address reload, and waits for the outcome.
///
/// # Errors
/// When there is none, or it refuses: then nothing has changed.
pub fn reload(address: &Listen) -> Result<Reloaded, ControlError> {
    let silent = |error| ControlError::Silent { address: address.clone(), error };
    let mut stream = name(address).and_then(|name| UnixStream::connect_addr(&name)).map_err(|error| match error.kind() {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => ControlError::NoServer { address: address.clone() },
        _ => silent(error),
    })?;
    let ask = || -> io::Result<Answer> {
        stream.set_read_timeout(Some(ANSWER_TIME))?;
        stream.write_all(format!("{RELOAD}\n").as_bytes())?;
        let mut line = String::new();
        BufReader::new(stream.take(ANSWER_BYTES_MAX)).read_line(&mut line)?;
        Ok(serde_json::from_str(&line)?)
    };
    match ask().map_err(silent)? {
        Answer::Reloaded(reloaded) => Ok(reloaded),
        Answer::Refused(why) => Err(ControlError::Refused(why)),
    }
}
