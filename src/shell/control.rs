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
use std::time::{Duration, Instant};

const WORD_BYTES_MAX: usize = 64;
const ANSWER_BYTES_MAX: u64 = 1 << 20;
/// How long a client may take to send its word, and as long to take the answer; and how long it waits for that.
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
                Ok(stream) => drop(uid(&stream).and_then(|uid| answer(&stream, uid, WORD_TIME, |by| reloading.reload(by)))),
                Err(_) => thread::sleep(REST),
            }
        }
    };
    thread::Builder::new().name("control".to_owned()).spawn(serve)?;
    Ok(())
}

fn uid(stream: &UnixStream) -> io::Result<u32> {
    Ok(getsockopt(stream.as_raw_fd(), PeerCredentials)?.uid())
}

/// There is one request at a time, so nothing of a user who may not ask is waited for.
fn answer(stream: &UnixStream, uid: u32, time: Duration, reload: impl FnOnce(By) -> Result<Reloaded, String>) -> io::Result<()> {
    let answer = match may_ask(uid) {
        false => Answer::Refused("only the server's own user and root may reload it: run this as one of them".to_owned()),
        true if word(stream, time)? == RELOAD => reload(By::Command { uid }).map_or_else(Answer::Refused, Answer::Reloaded),
        true => Answer::Refused("this server does not know that request: use the same version of the program".to_owned()),
    };
    let mut line = serde_json::to_vec(&answer)?;
    line.push(b'\n');
    write(stream, &line, time)
}

/// The line that a client sends, all of it within this time.
fn word(mut stream: &UnixStream, time: Duration) -> io::Result<String> {
    let (until, mut word) = (Instant::now() + time, Vec::new());
    while !word.contains(&b'\n') && word.len() < WORD_BYTES_MAX {
        stream.set_read_timeout(Some(left(until)?))?;
        let mut piece = [0; WORD_BYTES_MAX];
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => word.extend_from_slice(&piece[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(String::from_utf8_lossy(&word).trim().to_owned())
}

/// Writes all of it within this time.
fn write(mut stream: &UnixStream, mut bytes: &[u8], time: Duration) -> io::Result<()> {
    let until = Instant::now() + time;
    while !bytes.is_empty() {
        stream.set_write_timeout(Some(left(until)?))?;
        match stream.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn left(until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
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
        // A server that refuses this user has answered before, and reads nothing.
        let sent = stream.write_all(format!("{RELOAD}\n").as_bytes());
        let mut line = String::new();
        BufReader::new(stream.take(ANSWER_BYTES_MAX)).read_line(&mut line)?;
        if line.is_empty() {
            sent?;
        }
        Ok(serde_json::from_str(&line)?)
    };
    match ask().map_err(silent)? {
        Answer::Reloaded(reloaded) => Ok(reloaded),
        Answer::Refused(why) => Err(ControlError::Refused(why)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OTHER: u32 = 4_294_967_000;

    fn own() -> u32 {
        rustix::process::geteuid().as_raw()
    }

    #[test]
    fn a_user_who_may_not_ask_is_refused_before_they_send_anything() {
        let (server, client) = UnixStream::pair().unwrap();
        answer(&server, OTHER, Duration::from_secs(60), |_| panic!("it must not reload")).unwrap();
        drop(server);
        let mut line = String::new();
        BufReader::new(client).read_line(&mut line).unwrap();
        assert!(line.contains("only the server's own user"), "{line}");
    }

    #[test]
    fn a_client_that_trickles_has_as_long_as_any_other() {
        let (server, mut client) = UnixStream::pair().unwrap();
        let trickle = thread::spawn(move || {
            while client.write_all(b"r").is_ok() {
                thread::sleep(Duration::from_millis(10));
            }
        });
        let (begun, time) = (Instant::now(), Duration::from_millis(100));
        answer(&server, own(), time, |_| panic!("it must not reload")).unwrap_err();
        assert!(begun.elapsed() >= time);
        drop(server);
        trickle.join().unwrap();
    }

    #[test]
    fn a_word_counts_whole() {
        for (sent, is_reload) in [("reload\n", true), ("reload", true), ("reloads\n", false), ("\n", false)] {
            let (server, mut client) = UnixStream::pair().unwrap();
            client.write_all(sent.as_bytes()).unwrap();
            client.shutdown(std::net::Shutdown::Write).unwrap();
            let mut has_reloaded = false;
            let reload = |_| {
                has_reloaded = true;
                Ok(Reloaded::default())
            };
            answer(&server, own(), Duration::from_secs(60), reload).unwrap();
            assert_eq!(has_reloaded, is_reload, "{sent:?}");
        }
    }
}
