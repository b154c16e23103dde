//! Some rows of a minibatch into another.

use super::kernel::*;

/// out\[to + i every, :] = input\[first + i every, :], each with its own distance
pub(super) fn run(input: (&Panels, usize, usize), out: (&Panels, usize, usize), count: usize, share: Taking<'_>) {
    for i in share.of(count) {
        let (from, to) = (input.1 + i * input.2, out.1 + i * out.2);
        for c in 0..out.0.cols {
            // SAFETY: the input is only read, and this row of the result is this worker's.
            unsafe { *out.0.at_mut(to, c) = input.0.at(from, c) };
        }
    }
}
