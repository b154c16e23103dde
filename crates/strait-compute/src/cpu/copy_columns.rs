//! Some columns of a minibatch into another.

use super::kernel::*;

/// out\[:, to + c] = input\[:, first + c]
pub(super) fn run((input, first): (&Panels, usize), (out, to): (&Panels, usize), columns: usize, share: Taking<'_>) {
    for r in share.of(out.rows) {
        for c in 0..columns {
            // SAFETY: the input is only read, and this row of the result is this worker's.
            unsafe { *out.at_mut(r, to + c) = input.at(r, first + c) };
        }
    }
}
