//! Which way a block runs. Pure.

use fournil_protocol::document::{Block, Direction};

/// Languages written from right to left, by their first subtag.
const RIGHT_TO_LEFT: [&str; 7] = ["ar", "dv", "fa", "he", "ps", "ug", "ur"];

/// A paragraph: as the block says, else by its first letter, else by the language.
pub(super) fn text_direction(block: &Block, language: &str, text: &str) -> bool {
    let first = || text.chars().find(|character| character.is_alphabetic());
    said(block).or_else(|| first().map(is_right_to_left)).unwrap_or_else(|| is_of(language))
}

/// A row of cells: as the block says, else by the language.
pub(super) fn row_direction(block: &Block, language: &str) -> bool {
    said(block).unwrap_or_else(|| is_of(language))
}

fn said(block: &Block) -> Option<bool> {
    match Direction::try_from(block.direction) {
        Ok(Direction::LeftToRight) => Some(false),
        Ok(Direction::RightToLeft) => Some(true),
        Ok(Direction::Auto) | Err(_) => None,
    }
}

fn is_of(language: &str) -> bool {
    let first = language.split(['-', '_']).next().unwrap_or_default();
    RIGHT_TO_LEFT.iter().any(|known| first.eq_ignore_ascii_case(known))
}

/// Whether a letter is of a script that runs from right to left (the blocks of Unicode set
/// aside for them).
pub(super) fn is_right_to_left(character: char) -> bool {
    matches!(
        character,
        '\u{0590}'..='\u{08ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefe}'
            | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_decides_then_the_letters_then_the_language() {
        let auto = Block::default();
        let left = Block { direction: Direction::LeftToRight as i32, ..Block::default() };
        assert!(text_direction(&auto, "fr", "12 خبز"));
        assert!(!text_direction(&auto, "ar-DZ", "Pain خبز"));
        assert!(text_direction(&auto, "ar-DZ", "1 234,50"));
        assert!(!text_direction(&left, "ar", "خبز"));
        assert!(row_direction(&auto, "ar") && !row_direction(&auto, "fr-DZ"));
    }
}
