//! Where windows lie on maps, line by line.

use super::kernel::*;
use crate::Window;

/// A place in a matrix.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) row: usize,
    pub(super) col: usize,
}

/// Calls `each` for the parts of a run of `length` elements that lie in one vector of both matrices, with their first
/// column in either and their length.
#[inline(always)]
fn in_parts(from: usize, to: usize, length: usize, mut each: impl FnMut(usize, usize, usize)) {
    let mut done = 0;
    while done < length {
        let (from, to) = (from + done, to + done);
        let part = (length - done).min(WIDTH - from % WIDTH).min(WIDTH - to % WIDTH);
        each(from, to, part);
        done += part;
    }
}

/// Calls `each` with the elements of a run in `source` and in `out`, part by part.
///
/// # Safety
/// Nobody writes the elements of `source`, or uses those of `out`.
#[inline(always)]
pub(super) unsafe fn pairs(
    source: &Panels,
    from: Place,
    out: &Panels,
    to: Place,
    length: usize,
    mut each: impl FnMut(&[f32], &mut [f32]),
) {
    in_parts(from.col, to.col, length, |a, b, part| {
        // SAFETY: the caller's promise.
        let (source, out) = unsafe {
            (
                &source.panel(a / WIDTH, from.row..from.row + 1)[0].0,
                &mut out.panel_mut(b / WIDTH, to.row..to.row + 1)[0].0,
            )
        };
        each(&source[a % WIDTH..][..part], &mut out[b % WIDTH..][..part]);
    });
}

/// # Safety
/// Nobody else uses the elements.
#[inline(always)]
pub(super) unsafe fn clear(out: &Panels, to: Place, length: usize) {
    in_parts(to.col, to.col, length, |_, b, part| {
        // SAFETY: the caller's promise.
        unsafe { out.panel_mut(b / WIDTH, to.row..to.row + 1)[0].0[b % WIDTH..][..part].fill(0.0) };
    });
}

/// A line of a window: the taps of one of its rows at one position.
pub(super) struct Line {
    /// Where its taps start in the row of windows.
    pub(super) taps: Place,
    /// The first tap and the end of those that see pixels of the map, in pixels; both 0 where none does.
    pub(super) seen: [usize; 2],
    /// The pixel that the first of them sees.
    pub(super) pixel: usize,
}

/// The lines of the windows of row `row` of the minibatch.
#[inline(always)]
pub(super) fn lines(window: &Window, row: usize, mut each: impl FnMut(Line)) {
    let [down, across] = window.steps();
    let ([tall, wide], [above, beside]) = (window.edges(), window.borders());
    let Window { height, width, channels, stride, .. } = *window;
    for position in 0..down * across {
        let (top, left) = (position / across * stride, position % across * stride);
        let seen = [beside.saturating_sub(left), wide.min(width + beside - left)];
        for line in 0..tall {
            let y = (top + line).checked_sub(above).filter(|&y| y < height);
            let taps = Place { row: row * down * across + position, col: line * wide * channels };
            each(match y {
                Some(y) => Line { taps, seen, pixel: y * width + left + seen[0] - beside },
                None => Line { taps, seen: [0, 0], pixel: 0 },
            });
        }
    }
}
