//! What repeats itself, such as prompts, is kept compressed: snapshots and the details of turns.

use super::{Kind, StoreError};

/// What the first byte says of the rest. Nothing at all is kept as nothing.
const PLAIN: u8 = 0;
const LZ4: u8 = 1;
/// What unpacks to more is damaged.
const BYTES_MAX: usize = 1 << 30;

pub(super) fn pack(bytes: &[u8]) -> Vec<u8> {
    if bytes.is_empty() {
        return Vec::new();
    }
    let mut packed = vec![0; 5 + lz4_flex::block::get_maximum_output_size(bytes.len())];
    let length = u32::try_from(bytes.len()).ok().filter(|length| *length as usize <= BYTES_MAX);
    let compressed = length.and_then(|length| {
        packed[0] = LZ4;
        packed[1..5].copy_from_slice(&length.to_le_bytes());
        lz4_flex::block::compress_into(bytes, &mut packed[5..]).ok()
    });
    match compressed {
        Some(size) if size + 5 <= bytes.len() => packed.truncate(size + 5),
        Some(_) | None => {
            packed.clear();
            packed.push(PLAIN);
            packed.extend_from_slice(bytes);
        }
    }
    packed
}

/// # Errors
/// [`Kind::Corrupt`] if [`pack`] hasn't made these bytes.
pub(super) fn unpack(mut packed: Vec<u8>) -> Result<Vec<u8>, StoreError> {
    let damaged = || StoreError::new(Kind::Corrupt, "the journal is damaged: a snapshot or a turn can't be unpacked; restore a backup");
    match packed.first() {
        None => Ok(packed),
        Some(&PLAIN) => {
            packed.remove(0);
            Ok(packed)
        }
        Some(&LZ4) => {
            let (length, compressed) = packed[1..].split_first_chunk::<4>().ok_or_else(damaged)?;
            let length = u32::from_le_bytes(*length) as usize;
            if length > BYTES_MAX {
                return Err(damaged());
            }
            let bytes = lz4_flex::block::decompress(compressed, length).map_err(|_| damaged())?;
            if bytes.len() == length { Ok(bytes) } else { Err(damaged()) }
        }
        Some(_) => Err(damaged()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_packed_comes_back_and_what_repeats_itself_is_small() {
        let text = "the same prompt, again and again; ".repeat(1000);
        let noise: Vec<u8> = (0..1000u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        for bytes in [&[][..], b"x", b"\x00", b"\x01\x02", text.as_bytes(), &noise] {
            let packed = pack(bytes);
            assert!(packed.len() <= bytes.len() + 1, "{}", packed.len());
            assert_eq!(unpack(packed).unwrap(), bytes);
        }
        assert!(pack(text.as_bytes()).len() < text.len() / 50);
    }

    #[test]
    fn what_is_damaged_is_told() {
        let packed = pack("so it goes; ".repeat(50).as_bytes());
        let cut = packed[..packed.len() - 3].to_vec();
        let longer = [&packed[..1], &700u32.to_le_bytes(), &packed[5..]].concat();
        let huge = [&packed[..1], &u32::MAX.to_le_bytes(), &packed[5..]].concat();
        for bytes in [cut, longer, huge, vec![LZ4], vec![LZ4, 1, 0], b"{}".to_vec()] {
            assert_eq!(unpack(bytes.clone()).map_err(|error| error.kind), Err(Kind::Corrupt), "{bytes:?}");
        }
    }
}
