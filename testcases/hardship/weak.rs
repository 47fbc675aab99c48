//! A weak line: it carries so many bytes towards the client, and then it breaks. And the dice that say how many.

use super::support::PATIENCE;
use socket2::SockRef;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// Numbers that look random and are the same for the same seed.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below the bound.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}

pub(crate) struct Weak {
    stream: TcpStream,
    left: usize,
    end: usize,
}

impl Weak {
    /// Carries fewer than `most` bytes, and then ends in one of the ways that connections end in.
    pub(crate) fn open(address: SocketAddr, dice: &mut Dice, most: usize) -> Weak {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Weak { stream, left: dice.below(most), end: dice.below(ENDS) }
    }
}

impl Read for Weak {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        let room = into.len().min(self.left);
        let count = self.stream.read(&mut into[..room])?;
        self.left -= count;
        Ok(count)
    }
}

impl Write for Weak {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl Drop for Weak {
    fn drop(&mut self) {
        break_off(&self.stream, self.end);
    }
}

pub(crate) const ENDS: usize = 3;

/// The last thing that is done to a connection before it is dropped: nothing, a reset, or an end in both directions.
pub(crate) fn break_off(stream: &TcpStream, end: usize) {
    // What the other side has ended already ends all the same.
    let _ = match end {
        0 => Ok(()),
        1 => SockRef::from(stream).set_linger(Some(Duration::ZERO)),
        _ => stream.shutdown(Shutdown::Both),
    };
}
