//! Which coding of a body a client takes: `Accept-Encoding`, read.

/// Whether a client would rather have a body as gzip than as it is.
///
/// What weighs more is preferred; what has the weight 0 is not taken. Who names neither takes both, and gets the shorter.
pub fn prefers_gzip(accepted: &str) -> bool {
    let (mut gzip, mut plain, mut others) = (None, None, None);
    for coding in accepted.split(',') {
        let mut parts = coding.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let weight = weight(parts);
        match name.as_str() {
            "gzip" | "x-gzip" => gzip = gzip.max(Some(weight)),
            "identity" => plain = Some(weight),
            "*" => others = Some(weight),
            _ => {}
        }
    }
    // What is said of all others goes for `identity` only where it forbids it, and that leaves gzip all the same.
    let gzip = gzip.or(others).unwrap_or(0);
    gzip > 0 && plain.is_none_or(|plain| gzip >= plain)
}

/// A weight in thousandths. What can't be read as one weighs nothing.
fn weight<'a>(mut parameters: impl Iterator<Item = &'a str>) -> u32 {
    let stated = parameters.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    let Some(stated) = stated else { return 1000 };
    match stated.parse::<f32>() {
        Ok(weight) if (0.0..=1.0).contains(&weight) => (weight * 1000.0).round() as u32,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_preferred_where_it_is_taken_and_not_outweighed() {
        for (accepted, expected) in [
            ("", false),
            ("gzip", true),
            ("GZIP, deflate, br, zstd", true),
            ("x-gzip", true),
            ("deflate, br", false),
            ("identity", false),
            ("*", true),
            ("*;q=0", false),
            ("*;q=0, gzip", true),
            ("gzip;q=0", false),
            ("gzip;q=0, *", false),
            ("gzip ; q=0.000", false),
            ("gzip;q=0.001", true),
            ("gzip;Q=1", true),
            ("gzip;q=0.5, identity;q=0.9", false),
            ("identity;q=0.5, gzip;q=0.5", true),
            ("identity;q=0, gzip;q=0.2", true),
            ("gzip;q=much", false),
            ("gzip;q=7", false),
            ("gzip;level=9", true),
            (",,;q=1,gzip", true),
        ] {
            assert_eq!(prefers_gzip(accepted), expected, "{accepted:?}");
        }
    }
}
