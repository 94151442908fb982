//! Where packed weights lie.
//!
//! Weights are packed in *panels* of [`LANES`] outputs. A panel holds, for each step along the window,
//! the weights of its outputs side by side, so that a vector register takes them as they lie. Outputs
//! beyond the last one are zeros. The panels of a *group* lie side by side too: step by step, and in
//! each step panel by panel. A group is what a kernel takes at once, so that it reads one stream.

use super::Level;

/// Outputs in a panel: a register of AVX-512, two of AVX2, four of NEON.
pub(crate) const LANES: usize = 16;
/// Bytes of a panel in one step, whatever its numbers are.
pub(crate) const PANEL_BYTES: usize = 64;
/// Bytes along a window that one step of a product of integers takes: four bytes or two words.
pub(crate) const STEP_BYTES: usize = 4;

/// Panels that lie side by side for products of this many rows, a power of two: for a single one as many as
/// can be in flight at once, for more those of a tile.
pub(crate) fn group(level: Level, rows: usize) -> usize {
    match level {
        _ if rows == 1 => 8,
        Level::Avx512(_) => 2,
        _ => 1,
    }
}

/// The panels of a layer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Panels {
    pub(crate) outputs: usize,
    /// Panels of a group, a power of two.
    pub(crate) group: usize,
    /// Steps along a window.
    pub(crate) steps: usize,
}

impl Panels {
    #[inline(always)]
    pub(crate) fn count(self) -> usize {
        self.outputs.div_ceil(LANES)
    }

    /// Outputs, with those that fill the last panel.
    #[inline(always)]
    pub(crate) fn lanes(self) -> usize {
        self.count() * LANES
    }

    #[inline(always)]
    pub(crate) fn bytes(self) -> usize {
        self.count() * self.steps * PANEL_BYTES
    }

    /// The first byte of a panel, and how far apart two of its steps are.
    #[inline(always)]
    pub(crate) fn place(self, panel: usize) -> (usize, usize) {
        let first = panel & !(self.group - 1);
        let stride = self.group.min(self.count() - first) * PANEL_BYTES;
        (first * self.steps * PANEL_BYTES + (panel - first) * PANEL_BYTES, stride)
    }

    /// Panels of a group from `panel` on.
    #[inline(always)]
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn beside(self, panel: usize) -> usize {
        (self.count() - panel).min(self.group - (panel & (self.group - 1)))
    }
}
