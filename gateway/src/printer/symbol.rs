//! QR codes and CODE128 as patterns of modules: how wide a symbol is, so that the
//! layout knows whether it fits, and what it looks like, for the preview.

use qrcode::{Color, EcLevel, QrCode};

/// White modules a reader needs around a QR code.
pub const QR_QUIET_MODULES: u32 = 4;
/// Bars of a barcode, in dots.
pub const BARCODE_HEIGHT_DOTS: u8 = 72;
/// Width of the narrowest bar.
pub const BARCODE_MODULE_DOTS: u8 = 2;
const QR_MODULE_DOTS_MAX: u32 = 6;
/// Below this a telephone cannot read what a worn print head draws.
const QR_MODULE_DOTS_MIN: u32 = 3;
/// More than a receipt ever needs, and what small printers still store.
const QR_BYTES_MAX: usize = 700;
/// Modules of start, check and stop signs beside the data. The quiet zones lie in the
/// margins that no printer prints on.
const CODE128_FRAME_MODULES: usize = 11 + 11 + 13;

/// A square of dark (`true`) and light modules, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Modules {
    pub side: usize,
    pub dark: Vec<bool>,
}

/// The QR code of a text at error level M, or `None` when it is too long.
#[must_use]
pub fn qr(data: &[u8]) -> Option<Modules> {
    let code = QrCode::with_error_correction_level(data, EcLevel::M).ok()?;
    let side = code.width();
    Some(Modules { side, dark: code.to_colors().iter().map(|c| *c == Color::Dark).collect() })
}

/// How many dots a module may have so that the code fits the paper; `None` when
/// the code would be empty, too dense or too wide to be read.
#[must_use]
pub fn qr_module_dots(data: &str, width_dots: u32) -> Option<u8> {
    if data.is_empty() || data.len() > QR_BYTES_MAX {
        return None;
    }
    let side = u32::try_from(qr(data.as_bytes())?.side).ok()?;
    let dots = (width_dots / (side + 2 * QR_QUIET_MODULES)).min(QR_MODULE_DOTS_MAX);
    (dots >= QR_MODULE_DOTS_MIN).then(|| u8::try_from(dots).unwrap_or(u8::MAX))
}

/// Whether a text can be a CODE128 symbol on this paper.
#[must_use]
pub fn code128_fits(data: &str, width_dots: u32) -> bool {
    let printable = !data.is_empty() && data.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    let signs = if digits_in_pairs(data) { data.len() / 2 } else { data.len() };
    let modules = signs * 11 + CODE128_FRAME_MODULES;
    printable && modules * usize::from(BARCODE_MODULE_DOTS) <= width_dots as usize
}

/// Whether code set C, two digits a sign, is to carry the text. Not where its signs, which
/// travel as bytes, would form a command that printers act on at once (10 04, 10 05, 10 14
/// in hex, that is the pairs 16 04, 16 05 and 16 20): set B carries those.
#[must_use]
pub fn digits_in_pairs(data: &str) -> bool {
    let is_even = data.len() >= 4 && data.len().is_multiple_of(2);
    let (pairs, _) = data.as_bytes().as_chunks::<2>();
    let forms_command = pairs
        .windows(2)
        .any(|two| matches!(two, [[b'1', b'6'], [b'0', b'4' | b'5'] | [b'2', b'0']]));
    is_even && data.bytes().all(|b| b.is_ascii_digit()) && !forms_command
}

/// The sign values of a text, start sign first: set C for pairs of digits, else B.
#[must_use]
pub fn code128_values(data: &str) -> Vec<u8> {
    if digits_in_pairs(data) {
        let (pairs, _) = data.as_bytes().as_chunks::<2>();
        let values = pairs.iter().map(|[tens, ones]| (tens - b'0') * 10 + (ones - b'0'));
        return std::iter::once(105).chain(values).collect();
    }
    let values = data.bytes().map(|byte| byte.saturating_sub(b' ').min(94));
    std::iter::once(104).chain(values).collect()
}

/// The bars of a CODE128 symbol from its sign values (start sign first, without
/// check sign and stop), module by module.
#[must_use]
pub fn code128_bars(values: &[u8]) -> Vec<bool> {
    let weighted = values.iter().enumerate().map(|(place, v)| place.max(1) * usize::from(*v));
    let check = weighted.sum::<usize>() % 103;
    let mut bars = Vec::new();
    for value in values.iter().map(|v| usize::from(*v)).chain([check, 106]) {
        let widths = CODE128_WIDTHS.get(value).copied().unwrap_or_default();
        for (place, width) in widths.bytes().enumerate() {
            bars.extend(std::iter::repeat_n(place % 2 == 0, usize::from(width - b'0')));
        }
    }
    bars
}

/// Widths of bar, space, bar, ... of each sign (ISO/IEC 15417); 103 to 105 start, 106 stops.
#[rustfmt::skip]
const CODE128_WIDTHS: [&str; 107] = [
    "212222", "222122", "222221", "121223", "121322", "131222", "122213", "122312", "132212",
    "221213", "221312", "231212", "112232", "122132", "122231", "113222", "123122", "123221",
    "223211", "221132", "221231", "213212", "223112", "312131", "311222", "321122", "321221",
    "312212", "322112", "322211", "212123", "212321", "232121", "111323", "131123", "131321",
    "112313", "132113", "132311", "211313", "231113", "231311", "112133", "112331", "132131",
    "113123", "113321", "133121", "313121", "211331", "231131", "213113", "213311", "213131",
    "311123", "311321", "331121", "312113", "312311", "332111", "314111", "221411", "431111",
    "111224", "111422", "121124", "121421", "141122", "141221", "112214", "112412", "122114",
    "122411", "142112", "142211", "241211", "221114", "413111", "241112", "134111", "111242",
    "121142", "121241", "114212", "124112", "124211", "411212", "421112", "421211", "212141",
    "214121", "412121", "111143", "111341", "131141", "114113", "114311", "411113", "411311",
    "113141", "114131", "311141", "411131", "211412", "211214", "211232", "2331112",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_are_eleven_modules_and_the_stop_thirteen() {
        for (value, widths) in CODE128_WIDTHS.iter().enumerate() {
            let modules: u8 = widths.bytes().map(|width| width - b'0').sum();
            assert_eq!(modules, if value == 106 { 13 } else { 11 }, "sign {value}");
        }
    }

    #[test]
    fn the_check_sign_is_the_weighted_sum() {
        // PJJ123C in set A is the textbook example: check sign 54. Here in set B,
        // start 104 instead of 103, the sum is one more: 55.
        let values = code128_values("PJJ123C");
        let bars = code128_bars(&values);
        let check: Vec<bool> = bars[bars.len() - 24..bars.len() - 13].to_vec();
        let expected = code128_bars_of(55);
        assert_eq!(check, expected);
    }

    fn code128_bars_of(value: usize) -> Vec<bool> {
        let widths = CODE128_WIDTHS[value].bytes().enumerate();
        widths.flat_map(|(i, w)| std::iter::repeat_n(i % 2 == 0, usize::from(w - b'0'))).collect()
    }

    #[test]
    fn a_code_that_could_not_be_read_is_refused() {
        assert_eq!(qr_module_dots("https://fournil.example/t/1", 384), Some(6));
        assert_eq!(qr_module_dots("", 384), None);
        assert_eq!(qr_module_dots(&"x".repeat(701), 576), None);
        assert!(code128_fits("T-2026-000123", 384));
        assert!(!code128_fits("T-2026-000123-0001", 384));
        assert!(!code128_fits("é", 384));
    }
}
