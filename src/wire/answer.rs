//! HTTP answers, written whole into a buffer of bytes.

use crate::contract::{ClientId, Code, Refusal};

/// What the client waits for before it sends a body.
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
pub const JSON: &str = "application/json";

/// How an answer is sent, whatever it says.
#[derive(Clone, Copy, Debug)]
pub struct Manner<'a> {
    /// As `Date` shows it.
    pub date: &'a str,
    /// To a HEAD request: all but the body.
    pub head_only: bool,
    pub keep_alive: bool,
}

/// Writes one whole answer.
pub fn write_answer(out: &mut Vec<u8>, manner: Manner<'_>, status: u16, headers: &[(&str, &str)], body: &[u8]) {
    out.reserve(160 + body.len());
    out.extend_from_slice(status_line(status).as_bytes());
    for (name, value) in headers {
        for part in [name, ": ", value, "\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
    }
    out.extend_from_slice(b"content-length: ");
    write_number(out, body.len());
    out.extend_from_slice(b"\r\ndate: ");
    out.extend_from_slice(manner.date.as_bytes());
    out.extend_from_slice(if manner.keep_alive { b"\r\n\r\n" } else { b"\r\nconnection: close\r\n\r\n" });
    if !manner.head_only {
        out.extend_from_slice(body);
    }
}

/// The body of every refusal, with the client's id of the message that it refuses.
pub fn refusal(refusal: &Refusal, client_id: Option<&ClientId>) -> Vec<u8> {
    #[derive(serde::Serialize)]
    struct Body<'a> {
        detail: &'a str,
        code: Code,
        #[serde(skip_serializing_if = "Option::is_none")]
        client_id: Option<&'a ClientId>,
    }
    serde_json::to_vec(&Body { detail: &refusal.detail, code: refusal.code, client_id }).expect("two strings are JSON")
}

fn write_number(out: &mut Vec<u8>, number: usize) {
    let (mut digits, mut at, mut left) = ([0; 20], 20, number);
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(left % 10).expect("a digit");
        left /= 10;
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

fn status_line(status: u16) -> &'static str {
    match status {
        200 => "HTTP/1.1 200 OK\r\n",
        304 => "HTTP/1.1 304 Not Modified\r\n",
        400 => "HTTP/1.1 400 Bad Request\r\n",
        401 => "HTTP/1.1 401 Unauthorized\r\n",
        403 => "HTTP/1.1 403 Forbidden\r\n",
        404 => "HTTP/1.1 404 Not Found\r\n",
        405 => "HTTP/1.1 405 Method Not Allowed\r\n",
        408 => "HTTP/1.1 408 Request Timeout\r\n",
        409 => "HTTP/1.1 409 Conflict\r\n",
        412 => "HTTP/1.1 412 Precondition Failed\r\n",
        413 => "HTTP/1.1 413 Content Too Large\r\n",
        414 => "HTTP/1.1 414 URI Too Long\r\n",
        415 => "HTTP/1.1 415 Unsupported Media Type\r\n",
        417 => "HTTP/1.1 417 Expectation Failed\r\n",
        421 => "HTTP/1.1 421 Misdirected Request\r\n",
        426 => "HTTP/1.1 426 Upgrade Required\r\n",
        429 => "HTTP/1.1 429 Too Many Requests\r\n",
        431 => "HTTP/1.1 431 Request Header Fields Too Large\r\n",
        501 => "HTTP/1.1 501 Not Implemented\r\n",
        503 => "HTTP/1.1 503 Service Unavailable\r\n",
        505 => "HTTP/1.1 505 HTTP Version Not Supported\r\n",
        _ => "HTTP/1.1 500 Internal Server Error\r\n",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_states_its_length_and_a_head_has_no_body() {
        let mut out = Vec::new();
        write_answer(&mut out, Manner { date: "D", head_only: false, keep_alive: true }, 200, &[("content-type", JSON)], b"{}");
        write_answer(&mut out, Manner { date: "D", head_only: true, keep_alive: false }, 404, &[], &[b'x'; 120]);
        let expected = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\ndate: D\r\n\r\n{}\
                        HTTP/1.1 404 Not Found\r\ncontent-length: 120\r\ndate: D\r\nconnection: close\r\n\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
