//! A body's bytes to lines: unpacked where it is packed, within bounds.

use std::io::Read as _;

use flate2::read::MultiGzDecoder;

use super::{LINES_MAX, PLAIN_BYTES_MAX};

const GZIP: [u8; 2] = [0x1f, 0x8b];
/// A tar archive is made of blocks of so many bytes.
const BLOCK: usize = 512;

/// Why a body cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    #[error("the body is packed and cannot be unpacked")]
    Packed,
    #[error("the body is too large when it is unpacked, or has too many lines")]
    TooLarge,
}

/// The body as it was before it was packed: plain, gzip, tar, or tar in gzip, whatever its
/// headers say of it, for they often say nothing.
pub fn plain(body: &[u8]) -> Result<Vec<u8>, BodyError> {
    let unpacked = if body.starts_with(&GZIP) { unzipped(body)? } else { body.to_vec() };
    let plain = untarred(&unpacked)?.unwrap_or(unpacked);
    if lines(&plain).nth(LINES_MAX).is_some() { Err(BodyError::TooLarge) } else { Ok(plain) }
}

fn unzipped(body: &[u8]) -> Result<Vec<u8>, BodyError> {
    let mut plain = Vec::new();
    let most = u64::try_from(PLAIN_BYTES_MAX).unwrap_or(u64::MAX) + 1;
    let read = MultiGzDecoder::new(body).take(most).read_to_end(&mut plain);
    read.map_err(|_| BodyError::Packed)?;
    if plain.len() > PLAIN_BYTES_MAX { Err(BodyError::TooLarge) } else { Ok(plain) }
}

/// The files of an archive one after the other; `None` when it is none.
fn untarred(bytes: &[u8]) -> Result<Option<Vec<u8>>, BodyError> {
    if !bytes.get(..BLOCK).is_some_and(is_tar_header) {
        return Ok(None);
    }
    let mut files: Vec<u8> = Vec::new();
    let mut rest = bytes;
    while let Some((header, after)) = rest.split_at_checked(BLOCK) {
        if header.iter().all(|byte| *byte == 0) {
            break;
        }
        if !is_tar_header(header) {
            return Err(BodyError::Packed);
        }
        let size = octal(header.get(124..136)).ok_or(BodyError::Packed)?;
        let content = after.get(..size).ok_or(BodyError::Packed)?;
        let is_file = matches!(header.get(156), Some(b'0' | 0));
        if is_file {
            if !files.is_empty() && !files.ends_with(b"\n") {
                files.push(b'\n');
            }
            files.extend_from_slice(content);
        }
        rest = after.get(size.div_ceil(BLOCK) * BLOCK..).unwrap_or_default();
    }
    Ok(Some(files))
}

/// Whether a block's checksum says that it is a header: the sum of its bytes with the
/// checksum's own eight taken as spaces.
fn is_tar_header(block: &[u8]) -> bool {
    let Some(stated) = octal(block.get(148..156)) else { return false };
    let sum: usize = block
        .iter()
        .enumerate()
        .map(|(at, byte)| if (148..156).contains(&at) { usize::from(b' ') } else { (*byte).into() })
        .sum();
    stated == sum && block.first().is_some_and(|byte| *byte != 0)
}

fn octal(field: Option<&[u8]>) -> Option<usize> {
    let text = std::str::from_utf8(field?).ok()?;
    let digits = text.trim_matches(|c| c == ' ' || c == '\0');
    usize::from_str_radix(digits, 8).ok()
}

/// The lines that hold something, without their ends: LF, CRLF or CR, and NUL.
pub fn lines(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    body.split(|byte| matches!(byte, b'\n' | b'\r' | 0))
        .map(<[u8]>::trim_ascii_end)
        .filter(|line| !line.trim_ascii().is_empty())
}
