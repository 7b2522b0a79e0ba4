//! How cells share a line, counted in columns or in dots. Pure.

use fournil_protocol::document::Align;

/// What a cell asks of the width.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share {
    /// At the least.
    pub needs: usize,
    /// Of what is left; 0 takes no more than it needs.
    pub weight: u32,
    pub is_end: bool,
}

impl Share {
    /// Of a cell as long as `length`: an amount stands whole, a name may wrap into
    /// `wraps_into` or more.
    pub(super) fn of(length: usize, wraps_into: usize, weight: u32, align: Align) -> Self {
        let is_end = align == Align::End;
        let needs = if weight == 0 || is_end { length } else { length.min(wraps_into) };
        Self { needs, weight, is_end }
    }
}

/// The width of each cell: what it needs, and by weight a share of the rest.
pub(super) fn shares(cells: &[Share], width: usize) -> Vec<usize> {
    let mut widths: Vec<usize> = cells.iter().map(|cell| cell.needs).collect();
    let weight = |cell: &Share| usize::try_from(cell.weight.min(1_000)).unwrap_or(1_000);
    let mut open: Vec<bool> = cells.iter().map(|cell| cell.weight > 0).collect();
    loop {
        let fixed: usize =
            widths.iter().zip(&open).filter(|(_, open)| !**open).map(|(w, _)| w).sum();
        let room = width.saturating_sub(fixed);
        let total: usize =
            cells.iter().zip(&open).filter(|(_, o)| **o).map(|(c, _)| weight(c)).sum();
        if total == 0 {
            break;
        }
        // A cell whose share is less than its need leaves the sharing with its need.
        let short = cells
            .iter()
            .zip(&widths)
            .zip(&mut open)
            .find(|((cell, needs), open)| **open && room * weight(cell) / total < **needs);
        if let Some((_, open)) = short {
            *open = false;
            continue;
        }
        for ((cell, share), _) in cells.iter().zip(&mut widths).zip(&open).filter(|(_, o)| **o) {
            *share = room * weight(cell) / total;
        }
        break;
    }
    let left = width.saturating_sub(widths.iter().sum());
    let takes_rest = cells
        .iter()
        .position(|cell| cell.weight > 0 && !cell.is_end)
        .or_else(|| cells.iter().rposition(|cell| cell.is_end));
    if let Some(share) = takes_rest.and_then(|index| widths.get_mut(index)) {
        *share += left;
    }
    widths
}
