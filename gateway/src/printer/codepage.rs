//! The printers' character tables: which byte a character has on which page, and
//! what to print instead where a page lacks it.
//!
//! One page is chosen for a whole paragraph: switching pages per character breaks on
//! printers that list pages they do not have. A character is never dropped: it is
//! encoded, or folded to letters that say the same, or printed as `?` and counted.

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// A character table, by its usual name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum CodePage {
    #[serde(rename = "437")]
    Cp437,
    #[serde(rename = "850")]
    Cp850,
    #[serde(rename = "858")]
    Cp858,
    #[serde(rename = "1252")]
    Cp1252,
    #[serde(rename = "8859-15")]
    Latin9,
}

/// The order in which pages are tried: the one that holds all of French first.
pub const PREFERENCE: [CodePage; 5] =
    [CodePage::Cp1252, CodePage::Cp858, CodePage::Latin9, CodePage::Cp850, CodePage::Cp437];

/// A paragraph ready for one page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fitted {
    pub page: CodePage,
    /// Only characters of `page`, ASCII, and U+00A0 where a line must not break.
    pub text: String,
    /// Characters printed as `?`.
    pub lost: usize,
    /// Letters and signs for which others stand (`A` for `À`); quotes, dashes and dots that
    /// only look plainer are not counted.
    pub replaced: usize,
}

impl CodePage {
    /// The byte of a printable character, or `None` when the page lacks it.
    #[must_use]
    pub fn byte(self, character: char) -> Option<u8> {
        match character {
            ' '..='~' => u8::try_from(u32::from(character)).ok(),
            '\u{a0}' => Some(b' '),
            '\u{fffd}' => None,
            '€' if self == Self::Cp858 => Some(0xd5),
            // 858 has the euro where 850 has the dotless i.
            'ı' if self == Self::Cp858 => None,
            _ => self
                .upper_half()
                .chars()
                .position(|known| known == character)
                .and_then(|place| u8::try_from(place + 0x80).ok()),
        }
    }

    fn upper_half(self) -> &'static str {
        match self {
            Self::Cp437 => CP437,
            Self::Cp850 | Self::Cp858 => CP850,
            Self::Cp1252 => CP1252,
            Self::Latin9 => LATIN9,
        }
    }
}

/// Normalises a text and folds it onto the page, among those the printer has, that
/// changes it least. `pages` in order of preference; empty means ASCII alone.
#[must_use]
pub fn fit(text: &str, pages: &[CodePage]) -> Fitted {
    let clean: Vec<char> = text.nfc().filter_map(visible).collect();
    let missing = |page: CodePage| clean.iter().filter(|c| page.byte(**c).is_none()).count();
    // `min_by_key` keeps the first of equals, so the preference decides ties.
    let page = pages.iter().copied().min_by_key(|page| missing(*page)).unwrap_or(CodePage::Cp437);
    let byte =
        |character: char| if pages.is_empty() { ascii(character) } else { page.byte(character) };
    let mut fitted = Fitted { page, text: String::new(), lost: 0, replaced: 0 };
    for character in clean {
        if byte(character).is_some() {
            fitted.text.push(character);
        } else if let Some(folded) =
            fold(character).filter(|f| f.chars().all(|c| byte(c).is_some()))
        {
            fitted.text.push_str(&folded);
            fitted.replaced += usize::from(!is_typography(character));
        } else {
            fitted.text.push('?');
            fitted.lost += 1;
        }
    }
    fitted
}

fn ascii(character: char) -> Option<u8> {
    CodePage::Cp437.byte(character).filter(u8::is_ascii)
}

/// Leaves out what draws nothing, turns every kind of fixed space into U+00A0.
pub(super) fn visible(character: char) -> Option<char> {
    match character {
        '\t' | '\n' | '\u{2000}'..='\u{2006}' | '\u{2008}'..='\u{200a}' | '\u{3000}' => Some(' '),
        '\u{a0}' | '\u{2007}' | '\u{202f}' => Some('\u{a0}'),
        // Soft hyphen, joiners, direction marks and isolates, variation selectors, BOM.
        '\u{ad}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' => None,
        control if control.is_control() => None,
        other => Some(other),
    }
}

/// Signs that have a plainer form which says exactly the same.
fn is_typography(character: char) -> bool {
    matches!(
        character,
        '\u{2010}'
            ..='\u{2026}' | '«' | '»' | 'ʼ' | '´' | '′' | '″' | '·' | '×' | '−' | '─' | '═'
    )
}

/// Letters that say the same; `é` becomes `e` only where no page of the printer has it.
fn fold(character: char) -> Option<String> {
    let known = match character {
        '’' | '‘' | '‚' | 'ʼ' | '′' | '´' => "'",
        '“' | '”' | '„' | '«' | '»' | '″' => "\"",
        '–' | '—' | '‐' | '‑' | '‒' | '−' | '─' => "-",
        '═' => "=",
        '…' => "...",
        '•' | '·' => "*",
        '×' => "x",
        '÷' => "/",
        'œ' => "oe",
        'Œ' => "OE",
        'æ' => "ae",
        'Æ' => "AE",
        'ß' => "ss",
        'ø' | '°' => "o",
        'Ø' => "O",
        '€' => "EUR",
        '£' => "GBP",
        '™' => "(TM)",
        '©' => "(c)",
        '®' => "(R)",
        '½' => "1/2",
        '¼' => "1/4",
        '¾' => "3/4",
        _ => "",
    };
    if !known.is_empty() {
        return Some(known.to_owned());
    }
    let base: String = character.nfkd().filter(|c| !is_combining_mark(*c)).collect();
    (!base.is_empty() && base.chars().ne([character])).then_some(base)
}

const CP437: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒ\
     áíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐\
     └┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀\
     αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{fffd}";
const CP850: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒ\
     áíóúñÑªº¿®¬½¼¡«»░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐\
     └┴┬├─┼ãÃ╚╔╩╦╠═╬¤ðÐÊËÈıÍÎÏ┘┌█▄¦Ì▀\
     ÓßÔÒõÕµþÞÚÛÙýÝ¯´\u{fffd}±‗¾¶§÷¸°¨·¹³²■\u{fffd}";
const CP1252: &str = "€\u{fffd}‚ƒ„…†‡ˆ‰Š‹Œ\u{fffd}Ž\u{fffd}\u{fffd}‘’“”•–—˜™š›œ\u{fffd}žŸ\
     \u{fffd}¡¢£¤¥¦§¨©ª«¬\u{fffd}®¯°±²³´µ¶·¸¹º»¼½¾¿\
     ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖ×ØÙÚÛÜÝÞß\
     àáâãäåæçèéêëìíîïðñòóôõö÷øùúûüýþÿ";
const LATIN9: &str = "\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\
     \u{fffd}¡¢£€¥Š§š©ª«¬\u{fffd}®¯°±²³Žµ¶·ž¹º»ŒœŸ¿\
     ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖ×ØÙÚÛÜÝÞß\
     àáâãäåæçèéêëìíîïðñòóôõö÷øùúûüýþÿ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_has_128_places() {
        for page in PREFERENCE {
            assert_eq!(page.upper_half().chars().count(), 128, "{page:?}");
        }
    }

    #[test]
    fn french_is_whole_on_1252() {
        let text = "àâäçéèêëîïôöùûüÿœŒæÆ€«»’“”–—…°²³ÀÂÉÈÊËÎÏÔÙÛŸÇ";
        let fitted = fit(text, &PREFERENCE);
        assert_eq!((fitted.page, fitted.text.as_str(), fitted.lost), (CodePage::Cp1252, text, 0));
        assert_eq!(CodePage::Cp1252.byte('é'), Some(0xe9));
        assert_eq!(CodePage::Cp1252.byte('€'), Some(0x80));
    }

    #[test]
    fn the_euro_stands_where_each_page_has_it() {
        assert_eq!(CodePage::Cp858.byte('€'), Some(0xd5));
        assert_eq!(CodePage::Latin9.byte('€'), Some(0xa4));
        assert_eq!(CodePage::Cp850.byte('€'), None);
        assert_eq!(CodePage::Cp850.byte('é'), Some(0x82));
    }

    #[test]
    fn a_decomposed_accent_is_composed_first() {
        assert_eq!(fit("e\u{301}te\u{301}", &[CodePage::Cp858]).text, "été");
    }

    #[test]
    fn what_a_page_lacks_is_folded_and_only_then_lost() {
        let fitted = fit("L’œuf… 3€ Œ À خبز", &[CodePage::Cp850]);
        assert_eq!(fitted.text, "L'oeuf... 3EUR OE À ???");
        assert_eq!((fitted.lost, fitted.replaced), (3, 3));
        assert_eq!(fit("À é", &[CodePage::Cp437]).text, "A é");
        assert_eq!(fit("é", &[]).text, "e");
    }

    #[test]
    fn spaces_that_must_not_break_stay_fixed() {
        assert_eq!(fit("1\u{202f}234,50\u{a0}DA", &PREFERENCE).text, "1\u{a0}234,50\u{a0}DA");
    }
}
