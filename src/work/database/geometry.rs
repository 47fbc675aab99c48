//! Geometry as MySQL and MariaDB keep it, in words: `POINT(13.4 52.5)`.
//!
//! Four bytes of SRID, then well-known binary, as a server sends a geometry column. The words are those that `ST_GeomFromText`
//! takes everywhere, with the SRID before them where there is one (`SRID=4326;…`). Coordinates are in the order in which they
//! are kept: x, then y.

/// Collections within collections.
const DEPTH_MAX: u32 = 16;

/// The words; nothing for bytes that are no geometry.
pub fn words(bytes: &[u8]) -> Option<String> {
    let (srid, rest) = bytes.split_first_chunk::<4>()?;
    let mut reading = Reading { rest, is_little: true, words: String::new() };
    match u32::from_le_bytes(*srid) {
        0 => {}
        srid => reading.words = format!("SRID={srid};"),
    }
    reading.geometry(None, 0)?;
    reading.rest.is_empty().then_some(reading.words)
}

struct Reading<'a> {
    rest: &'a [u8],
    is_little: bool,
    words: String,
}

impl Reading<'_> {
    fn bytes<const COUNT: usize>(&mut self) -> Option<[u8; COUNT]> {
        let (bytes, rest) = self.rest.split_first_chunk::<COUNT>()?;
        self.rest = rest;
        Some(*bytes)
    }

    fn count(&mut self) -> Option<u32> {
        let bytes = self.bytes()?;
        Some(if self.is_little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }

    fn number(&mut self) -> Option<f64> {
        let bytes = self.bytes()?;
        Some(if self.is_little { f64::from_le_bytes(bytes) } else { f64::from_be_bytes(bytes) })
    }

    /// One geometry; a part of a whole of one kind is that kind, and its name is left out.
    fn geometry(&mut self, within: Option<u32>, depth: u32) -> Option<()> {
        self.is_little = self.bytes::<1>()? == [1];
        let kind = self.count()?;
        let name = match kind {
            1 => "POINT",
            2 => "LINESTRING",
            3 => "POLYGON",
            4 => "MULTIPOINT",
            5 => "MULTILINESTRING",
            6 => "MULTIPOLYGON",
            7 => "GEOMETRYCOLLECTION",
            _ => return None,
        };
        match within {
            Some(part) if part != kind => return None,
            Some(_) => {}
            None => self.words.push_str(name),
        }
        match kind {
            // MariaDB reads `MULTIPOINT(1 2,3 4)` alone.
            1 if within.is_some() => self.point(),
            1 => {
                self.words.push('(');
                self.point()?;
                self.words.push(')');
                Some(())
            }
            2 => self.list(Self::point),
            3 => self.list(|ring| ring.list(Self::point)),
            4..=6 => self.list(|part| part.geometry(Some(kind - 3), depth)),
            _ if depth < DEPTH_MAX => self.list(|part| part.geometry(None, depth + 1)),
            _ => None,
        }
    }

    fn point(&mut self) -> Option<()> {
        let (x, y) = (self.number()?, self.number()?);
        self.words.push_str(&format!("{x} {y}"));
        Some(())
    }

    /// Each item takes bytes, so that a count that lies ends with them.
    fn list(&mut self, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        let count = self.count()?;
        if count == 0 {
            self.words.push_str(" EMPTY");
            return Some(());
        }
        self.words.push('(');
        for place in 0..count {
            if place > 0 {
                self.words.push(',');
            }
            item(self)?;
        }
        self.words.push(')');
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        data_encoding::HEXUPPER.decode(hex.replace(' ', "").as_bytes()).unwrap()
    }

    #[test]
    fn reads_points_with_their_reference_system_in_either_byte_order() {
        for (hex, read) in [
            ("00000000 01 01000000 000000000000F03F 0000000000000040", Some("POINT(1 2)")),
            ("E6100000 01 01000000 CDCCCCCCCCCC2A40 0000000000404A40", Some("SRID=4326;POINT(13.4 52.5)")),
            ("00000000 00 00000001 3FF0000000000000 4000000000000000", Some("POINT(1 2)")),
            ("00000000 01 07000000 00000000", Some("GEOMETRYCOLLECTION EMPTY")),
            ("00000000 01 04000000 01000000 01 01000000 000000000000F03F 0000000000000040", Some("MULTIPOINT(1 2)")),
            // Cut off, of no kind, with more behind it, with a count that lies.
            ("00000000 01 01000000 000000000000F03F", None),
            ("00000000 01 09000000", None),
            ("00000000 01 01000000 000000000000F03F 0000000000000040 00", None),
            ("00000000 01 02000000 FFFFFFFF 000000000000F03F 0000000000000040", None),
            ("", None),
        ] {
            assert_eq!(words(&bytes(hex)).as_deref(), read, "{hex}");
        }
    }
}
