//! A key's fingerprint as four words a person can compare over the telephone.
//!
//! Each word carries 16 bits as consonant-vowel-consonant-vowel-consonant, the
//! scheme known as proquint (D. Wilkerson, "A Proposal for Proquints", 2009).

const CONSONANTS: &[u8; 16] = b"bdfghjklmnprstvz";
const VOWELS: &[u8; 4] = b"aiou";

/// Four words for the first eight bytes of a digest (SHA-256 of the public key).
#[must_use]
pub fn words(digest: &[u8; 32]) -> String {
    let (pairs, _) = digest.as_chunks::<2>();
    let words: Vec<String> =
        pairs.iter().take(4).map(|pair| word(u16::from_be_bytes(*pair))).collect();
    words.join("-")
}

#[expect(clippy::indexing_slicing, reason = "four and two bits index tables of 16 and 4")]
fn word(bits: u16) -> String {
    let consonant = |shift: u32| char::from(CONSONANTS[usize::from(bits >> shift & 0xf)]);
    let vowel = |shift: u32| char::from(VOWELS[usize::from(bits >> shift & 0x3)]);
    [consonant(12), vowel(10), consonant(6), vowel(4), consonant(0)].iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_proquints_come_out() {
        // 127.0.0.1 is the published example: lusab-babad.
        assert_eq!(word(0x7f00), "lusab");
        assert_eq!(word(0x0001), "babad");
    }

    #[test]
    fn a_digest_makes_four_words() {
        let words = words(&[0u8; 32]);
        assert_eq!(words, "babab-babab-babab-babab");
    }
}
