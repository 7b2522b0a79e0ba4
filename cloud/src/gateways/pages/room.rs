//! Sizes as a person reads them.

use crate::i18n::Texts;

/// Room on a disk, in the unit a person thinks in.
pub(super) fn room(bytes: i64, texts: &Texts) -> String {
    let (mib, tenths) = (bytes / 1_048_576, bytes / 107_374_182);
    if mib < 1_024 {
        return texts.with("gateways-disk-value", &[("mib", mib.to_string())]);
    }
    let parts = [("whole", (tenths / 10).to_string()), ("tenth", (tenths % 10).to_string())];
    texts.with("gateways-disk-gib", &parts)
}
