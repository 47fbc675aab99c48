//! Finds out three things about a WebSocket's bytes as they arrive: text that is not UTF-8, messages that take too many bytes, and
//! heads of frames that nobody may send.
//!
//! tungstenite checks a frame once it is whole, so a client could send a megabyte behind a wrong byte before it learned of it;
//! and it counts only the content of a message, which frames of nothing never complete. [`Follower`] sees the same bytes and
//! says only these three things. It stops at the first; what is wrong with a frame's length or content is the codec's to refuse.

/// Follows the frames of one client.
#[derive(Debug)]
pub(super) struct Follower {
    place: Place,
    /// The most that one frame may hold, and that the frames of one message may take.
    frame_bytes_max: usize,
    message_bytes_max: usize,
    /// Bytes since the last whole message, and those of them that belong to the frame under way.
    message_bytes: usize,
    frame_bytes: usize,
    frame: FrameKind,
    /// A message has become whole since this was last asked.
    has_ended: bool,
    /// A message has begun, in however many frames, and it is text.
    has_begun: bool,
    is_text: bool,
    /// The beginning of a character whose rest is yet to come.
    carried: [u8; 3],
    carried_bytes: usize,
    state: State,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Follows,
    /// A frame is too large, which the codec sees too.
    Lost,
    /// A frame's head that nobody may send. The codec would wait for the rest of the frame.
    Wrong,
    /// Text that is not UTF-8.
    Bad,
    /// A message whose frames take more bytes than they may.
    TooLong,
}

/// What a frame means for the message around it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum FrameKind {
    /// A ping, pong or close: no part of a message.
    #[default]
    Control,
    /// There is more of the message.
    Piece,
    /// The last of the message.
    Last,
}

#[derive(Debug)]
enum Place {
    /// In a frame's head, of which so many bytes have come.
    Head {
        seen: [u8; HEAD_BYTES_MAX],
        count: usize,
    },
    Payload {
        left: u64,
        mask: [u8; 4],
        is_text: bool,
    },
}

impl Default for Place {
    fn default() -> Place {
        Place::Head { seen: [0; HEAD_BYTES_MAX], count: 0 }
    }
}

/// Two bytes, eight of a length, four of a mask.
const HEAD_BYTES_MAX: usize = 14;
/// Of a ping, pong or close.
const CONTROL_BYTES_MAX: u64 = 125;
const BLOCK_BYTES: usize = 256;

impl Follower {
    pub(super) fn new(frame_bytes_max: usize, message_bytes_max: usize) -> Follower {
        Follower {
            place: Place::default(),
            frame_bytes_max,
            message_bytes_max,
            message_bytes: 0,
            frame_bytes: 0,
            frame: FrameKind::default(),
            has_ended: false,
            has_begun: false,
            is_text: false,
            carried: [0; 3],
            carried_bytes: 0,
            state: State::default(),
        }
    }

    /// Whether bad text has come. What stands before it is still worth reading.
    pub(super) fn has_seen_bad_text(&self) -> bool {
        self.state == State::Bad
    }

    /// Whether a message takes too many bytes. Those before it are still worth reading.
    pub(super) fn has_seen_too_much(&self) -> bool {
        self.state == State::TooLong
    }

    /// Whether a frame has begun that nobody may send. What stands before it is still worth reading.
    pub(super) fn has_seen_a_wrong_frame(&self) -> bool {
        self.state == State::Wrong
    }

    /// Bytes of a message that has come in part, with the heads of its frames.
    pub(super) fn message_bytes(&self) -> usize {
        self.message_bytes
    }

    /// Whether a message has become whole since this was last asked.
    pub(super) fn has_ended(&mut self) -> bool {
        std::mem::take(&mut self.has_ended)
    }

    /// Returns how many of the bytes the codec is to read: all, unless a message takes too many.
    pub(super) fn follow(&mut self, bytes: &[u8]) -> usize {
        let mut rest = bytes;
        while self.state == State::Follows && !rest.is_empty() {
            let room = self.message_bytes_max - self.message_bytes;
            if room == 0 {
                self.state = State::TooLong;
                break;
            }
            match &mut self.place {
                Place::Head { seen, count } => {
                    seen[*count] = rest[0];
                    *count += 1;
                    rest = &rest[1..];
                    let head = (*seen, *count);
                    self.count(1);
                    self.head(&head.0[..head.1]);
                }
                Place::Payload { left, mask, is_text } => {
                    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len()).min(room);
                    let (part, behind) = rest.split_at(taken);
                    let (part_mask, is_checked) = (*mask, *is_text);
                    *left -= taken as u64;
                    mask.rotate_left(taken % 4);
                    let is_whole = *left == 0;
                    self.count(taken);
                    if is_checked {
                        self.check(part, part_mask);
                    }
                    if is_whole {
                        self.end_frame();
                    }
                    rest = behind;
                }
            }
        }
        if self.state == State::TooLong { bytes.len() - rest.len() } else { bytes.len() }
    }

    fn count(&mut self, bytes: usize) {
        self.message_bytes += bytes;
        self.frame_bytes += bytes;
    }

    fn end_frame(&mut self) {
        self.place = Place::default();
        match self.frame {
            FrameKind::Control => self.message_bytes -= self.frame_bytes,
            FrameKind::Piece => {}
            FrameKind::Last => (self.message_bytes, self.has_ended) = (0, true),
        }
        self.frame_bytes = 0;
    }

    /// Goes on to the payload once a head is whole.
    fn head(&mut self, head: &[u8]) {
        let [first, second, rest @ ..] = head else { return };
        let length_bytes = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let Some((length, mask)) = rest.split_at_checked(length_bytes) else { return };
        let left = match length_bytes {
            0 => u64::from(second & 0x7f),
            _ => length.iter().fold(0, |length, byte| length << 8 | u64::from(*byte)),
        };
        let (kind, is_final, is_masked) = (first & 0x0f, first & 0x80 != 0, second & 0x80 != 0);
        let mask: [u8; 4] = match mask.try_into() {
            Ok(mask) => mask,
            Err(_) if is_masked => return,
            Err(_) => [0; 4],
        };
        self.frame = match (kind < 8, is_final) {
            (false, _) => FrameKind::Control,
            (true, false) => FrameKind::Piece,
            (true, true) => FrameKind::Last,
        };
        let is_known = matches!(kind, 0..=2 | 8..=10);
        if is_known && left > self.frame_bytes_max as u64 {
            self.state = State::Lost;
            return;
        }
        let is_in_place = match kind {
            0 => self.has_begun,
            1 | 2 => !self.has_begun,
            _ => is_final && left <= CONTROL_BYTES_MAX,
        };
        // Extensions are never agreed on, and a client's frames have a mask.
        if !is_known || !is_in_place || !is_masked || first & 0x70 != 0 {
            self.state = State::Wrong;
            return;
        }
        if kind == 1 || kind == 2 {
            (self.is_text, self.carried_bytes) = (kind == 1, 0);
        }
        if self.frame != FrameKind::Control {
            self.has_begun = !is_final;
        }
        if left == 0 {
            return self.end_frame();
        }
        let is_text = self.is_text && self.frame != FrameKind::Control;
        self.place = Place::Payload { left, mask, is_text };
    }

    fn check(&mut self, masked: &[u8], mask: [u8; 4]) {
        for part in masked.chunks(BLOCK_BYTES) {
            let mut block = [0; 3 + BLOCK_BYTES];
            let end = self.carried_bytes + part.len();
            block[..self.carried_bytes].copy_from_slice(&self.carried[..self.carried_bytes]);
            // A block is a multiple of the mask.
            let plain = part.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
            block[self.carried_bytes..end].iter_mut().zip(plain).for_each(|(to, byte)| *to = byte);
            let left = match std::str::from_utf8(&block[..end]) {
                Ok(_) => &[],
                Err(error) if error.error_len().is_none() => &block[error.valid_up_to()..end],
                Err(_) => {
                    self.state = State::Bad;
                    return;
                }
            };
            self.carried[..left.len()].copy_from_slice(left);
            self.carried_bytes = left.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::websocket::client_frame as frame;

    /// How many bytes come before bad text is noticed; none if it never is.
    fn noticed(bytes: &[u8], piece: usize) -> Option<usize> {
        let mut follower = Follower::new(usize::MAX, usize::MAX);
        for (number, piece) in bytes.chunks(piece).enumerate() {
            follower.follow(piece);
            if follower.has_seen_bad_text() {
                return Some(number);
            }
        }
        None
    }

    #[test]
    fn a_head_that_nobody_may_send_is_noticed_before_the_rest_of_its_frame() {
        let is_wrong = |bytes: &[u8]| {
            let mut follower = Follower::new(1_000, 3_000);
            for byte in bytes {
                follower.follow(&[*byte]);
            }
            follower.has_seen_a_wrong_frame()
        };
        let head = |first: u8, length: usize| frame(first, &vec![b'x'; length])[..if length < 126 { 6 } else { 8 }].to_vec();
        for (bytes, expected) in [
            (head(0x81, 900), false),
            (head(0x81, 1_001), false),
            (head(0x80, 900), true),
            ([frame(0x01, b"a"), head(0x80, 900)].concat(), false),
            ([frame(0x01, b"a"), head(0x81, 900)].concat(), true),
            ([frame(0x81, b"a"), head(0x00, 900)].concat(), true),
            ([frame(0x01, b"a"), frame(0x89, b"p"), frame(0x80, b"b"), head(0x82, 900)].concat(), false),
            (head(0x89, 125), false),
            (head(0x89, 126), true),
            (head(0x09, 10), true),
            (head(0x83, 10), true),
            (head(0x8b, 10), true),
            (head(0xc1, 10), true),
            (vec![0x81, 10], true),
            (vec![0x81, 126, 3], false),
            (vec![0x81, 126, 3, 0x84], true),
        ] {
            assert_eq!(is_wrong(&bytes), expected, "{bytes:?}");
        }
    }

    /// Where a message of frames that may take 20 bytes is found to take more, and what of a message is left in part.
    fn counted(bytes: &[u8], piece: usize) -> (Option<usize>, usize) {
        let (mut follower, mut read) = (Follower::new(1_000, 20), 0);
        for piece in bytes.chunks(piece) {
            read += follower.follow(piece);
            if follower.has_seen_too_much() {
                return (Some(read), follower.message_bytes());
            }
        }
        (None, follower.message_bytes())
    }

    #[test]
    fn a_message_takes_what_its_frames_take_and_no_more_than_it_may() {
        let nothing = |count| frame(0x00, b"").repeat(count);
        for (bytes, expected) in [
            (frame(0x81, b"hello"), (None, 0)),
            (frame(0x81, b"12345678901234"), (None, 0)),
            (frame(0x81, b"123456789012345"), (Some(20), 20)),
            (frame(0x81, b"12345678901234").repeat(9), (None, 0)),
            (frame(0x01, b"12"), (None, 8)),
            ([frame(0x01, b"12"), frame(0x89, b"a ping of any length")].concat(), (Some(20), 20)),
            ([frame(0x01, b"12"), frame(0x89, b"short").repeat(9)].concat(), (None, 8)),
            ([frame(0x01, b""), nothing(1)].concat(), (None, 12)),
            ([frame(0x01, b""), nothing(100)].concat(), (Some(20), 20)),
            ([frame(0x01, b""), nothing(1), frame(0x80, b"")].concat(), (None, 0)),
            ([frame(0x01, b""), frame(0x80, b"ab"), frame(0x02, b"a")].concat(), (None, 7)),
            (frame(0x8a, b"pong").repeat(50), (None, 0)),
        ] {
            for piece in [1, 3, 7, 1000] {
                assert_eq!(counted(&bytes, piece), expected, "in pieces of {piece}: {bytes:?}");
            }
        }
    }

    #[test]
    fn bad_text_is_noticed_at_its_first_wrong_byte() {
        let long = "é漢🙂x".repeat(20_000);
        for (bytes, expected) in [
            (frame(0x81, long.as_bytes()), None),
            (frame(0x81, b"ab\xf4\x90cdefg"), Some(9)),
            (frame(0x81, b"\xff and more"), Some(6)),
            (frame(0x82, b"\xff\xff"), None),
            (frame(0x89, b"\xff\xff"), None),
            (frame(0x88, b"\x03\xe8\xff"), None),
            ([frame(0x01, b"a\xc3"), frame(0x89, b"\xff"), frame(0x80, b"\xa9b")].concat(), None),
            ([frame(0x01, b"a\xc3"), frame(0x00, b""), frame(0x80, b"b")].concat(), Some(20)),
            ([frame(0x02, b"\xff"), frame(0x80, b"\xff")].concat(), None),
            ([frame(0x81, b"ok"), frame(0x81, b"\xc0")].concat(), Some(14)),
            // The codec refuses these as such.
            ([frame(0xc1, b"\xff"), frame(0x81, b"\xff")].concat(), None),
            (vec![0x81, 1, 0xff], None),
        ] {
            assert_eq!(noticed(&bytes, 1), expected, "{:?}", &bytes[..bytes.len().min(30)]);
            for piece in [3, 7, 250, 4096] {
                assert_eq!(noticed(&bytes, piece), expected.map(|at| at / piece), "pieces of {piece}: {:?}", &bytes[..bytes.len().min(30)]);
            }
        }
    }
}
