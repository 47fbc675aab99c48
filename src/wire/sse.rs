//! Event streams: the head that opens one, and what follows line by line.

use super::answer::Manner;

/// Opens a stream; it ends with its connection. `allow_origin` is a foreign origin that may read it.
pub fn write_head(out: &mut Vec<u8>, manner: Manner<'_>, allow_origin: Option<&str>) {
    out.extend_from_slice(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n");
    if let Some(origin) = allow_origin {
        out.extend_from_slice(b"vary: origin\r\naccess-control-allow-origin: ");
        out.extend_from_slice(origin.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"x-accel-buffering: no\r\nconnection: close\r\ndate: ");
    out.extend_from_slice(manner.date.as_bytes());
    out.extend_from_slice(b"\r\n\r\n");
}

/// A line that no client shows; keeps what stands between awake.
pub fn write_comment(out: &mut Vec<u8>) {
    out.extend_from_slice(b": awake\n\n");
}

/// One event of JSON, which holds no line end. What has an id can be resumed from.
pub fn write_event(out: &mut Vec<u8>, id: Option<u64>, json: &[u8]) {
    if let Some(id) = id {
        out.extend_from_slice(format!("id: {id}\n").as_bytes());
    }
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(json);
    out.extend_from_slice(b"\n\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_its_id_and_one_line_of_json() {
        let mut out = Vec::new();
        write_comment(&mut out);
        write_event(&mut out, Some(7), b"{}");
        write_event(&mut out, None, b"[]");
        assert_eq!(out, b": awake\n\nid: 7\ndata: {}\n\ndata: []\n\n");
    }
}
