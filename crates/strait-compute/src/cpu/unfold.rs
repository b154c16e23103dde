//! Maps into windows. Each unit of work is a row of the minibatch.

use super::kernel::*;
use super::windows::{Place, clear, lines, pairs};
use crate::Window;

compile_for_each_isa!(run = kernel(input: &Panels, window: &Window, out: &Panels, share: Taking<'_>));

#[inline(always)]
fn kernel<T: Target>(input: &Panels, window: &Window, out: &Panels, share: Taking<'_>) {
    let (channels, wide) = (window.channels, window.edges()[1]);
    for row in share.of(out.rows / window.positions()) {
        lines(window, row, |line| {
            let [first, end] = line.seen;
            let Place { row: at, col } = line.taps;
            // SAFETY: the map is only read, and these windows are this worker's.
            unsafe {
                clear(out, line.taps, first * channels);
                clear(out, Place { row: at, col: col + end * channels }, (wide - end) * channels);
            }
            let map = Place { row, col: line.pixel * channels };
            let taps = Place { row: at, col: col + first * channels };
            // SAFETY: as above.
            unsafe { pairs(input, map, out, taps, (end - first) * channels, |x, out| out.copy_from_slice(x)) };
        });
    }
}
