//! Windows over maps, and back: what makes a convolution a product. Each unit of work is a row of the minibatch.

use super::gradient::{Destination, update};
use super::isa::{Target, compile_for_each_isa};
use super::math::{activate, times_derivative};
use super::storage::{Lanes, Panels, WIDTH};
use super::workers::Taking;
use crate::{Activation, Step, Window};

/// See [`FoldTail`](crate::FoldTail).
#[derive(Clone, Copy)]
pub(super) enum Folded<'a> {
    Sum,
    Layer(&'a Panels, Activation),
    Backprop(&'a Panels, Activation),
}

compile_for_each_isa!(unfold = unfold_kernel(input: &Panels, window: &Window, out: &Panels, share: Taking<'_>));
compile_for_each_isa!(
    fold = fold_kernel(input: &Panels, window: &Window, tail: Folded<'_>, out: &Panels, share: Taking<'_>)
);
compile_for_each_isa!(
    shared_bias = shared_bias_kernel(
        delta: &Panels, channels: usize, bias: Destination<'_>, step: &Step, share: Taking<'_>
    )
);

/// A place in a matrix.
#[derive(Clone, Copy)]
struct Place {
    row: usize,
    col: usize,
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
unsafe fn pairs(
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
unsafe fn clear(out: &Panels, to: Place, length: usize) {
    in_parts(to.col, to.col, length, |_, b, part| {
        // SAFETY: the caller's promise.
        unsafe { out.panel_mut(b / WIDTH, to.row..to.row + 1)[0].0[b % WIDTH..][..part].fill(0.0) };
    });
}

/// A line of a window: the taps of one of its rows at one position.
struct Line {
    /// Where its taps start in the row of windows.
    taps: Place,
    /// The first tap and the end of those that see pixels of the map, in pixels; both 0 where none does.
    seen: [usize; 2],
    /// The pixel that the first of them sees.
    pixel: usize,
}

/// The lines of the windows of row `row` of the minibatch.
#[inline(always)]
fn lines(window: &Window, row: usize, mut each: impl FnMut(Line)) {
    let [down, across] = window.steps();
    let Window { height, width, channels, kernel, stride, padding } = *window;
    for position in 0..down * across {
        let (top, left) = (position / across * stride, position % across * stride);
        let seen = [padding.saturating_sub(left), kernel.min(width + padding - left)];
        for line in 0..kernel {
            let y = (top + line).checked_sub(padding).filter(|&y| y < height);
            let taps = Place { row: row * down * across + position, col: line * kernel * channels };
            each(match y {
                Some(y) => Line { taps, seen, pixel: y * width + left + seen[0] - padding },
                None => Line { taps, seen: [0, 0], pixel: 0 },
            });
        }
    }
}

#[inline(always)]
fn unfold_kernel<T: Target>(input: &Panels, window: &Window, out: &Panels, share: Taking<'_>) {
    let Window { channels, kernel, .. } = *window;
    for row in share.of(out.rows / window.positions()) {
        lines(window, row, |line| {
            let [first, end] = line.seen;
            let Place { row: at, col } = line.taps;
            // SAFETY: the map is only read, and these windows are this worker's.
            unsafe {
                clear(out, line.taps, first * channels);
                clear(out, Place { row: at, col: col + end * channels }, (kernel - end) * channels);
            }
            let map = Place { row, col: line.pixel * channels };
            let taps = Place { row: at, col: col + first * channels };
            // SAFETY: as above.
            unsafe { pairs(input, map, out, taps, (end - first) * channels, |x, out| out.copy_from_slice(x)) };
        });
    }
}

#[inline(always)]
fn fold_kernel<T: Target>(input: &Panels, window: &Window, tail: Folded<'_>, out: &Panels, share: Taking<'_>) {
    let channels = window.channels;
    for row in share.of(out.rows) {
        for panel in 0..out.count() {
            // SAFETY: this row's map is this worker's.
            unsafe { out.panel_mut(panel, row..row + 1)[0] = Lanes::ZERO };
        }
        lines(window, row, |line| {
            let [first, end] = line.seen;
            let taps = Place { col: line.taps.col + first * channels, ..line.taps };
            let map = Place { row, col: line.pixel * channels };
            // SAFETY: the windows are only read, and this row's map is this worker's.
            unsafe {
                pairs(input, taps, out, map, (end - first) * channels, |x, out| {
                    out.iter_mut().zip(x).for_each(|(sum, x)| *sum += x);
                });
            }
        });
        for panel in 0..out.count() {
            // SAFETY: this row's map is this worker's.
            let lanes = unsafe { &mut out.panel_mut(panel, row..row + 1)[0] };
            match tail {
                Folded::Sum => {}
                Folded::Layer(bias, activation) => {
                    let bias = repeated(bias, channels, panel);
                    for c in 0..WIDTH {
                        lanes.0[c] += bias.0[c];
                    }
                    activate::<T, WIDTH>(activation, &mut lanes.0);
                    lanes.0[out.width(panel)..].fill(0.0);
                }
                Folded::Backprop(output, activation) => {
                    // SAFETY: the layer's outputs are only read.
                    let y = unsafe { output.panel(panel, row..row + 1)[0] };
                    times_derivative::<T, WIDTH>(activation, &mut lanes.0, &y.0);
                }
            }
        }
    }
}

/// A panel of a bias that is repeated for each pixel.
#[inline(always)]
fn repeated(bias: &Panels, channels: usize, panel: usize) -> Lanes {
    let mut lanes = Lanes::ZERO;
    for (c, lane) in lanes.0.iter_mut().enumerate() {
        let channel = (panel * WIDTH + c) % channels;
        // SAFETY: the bias is only read.
        *lane = unsafe { bias.panel(channel / WIDTH, 0..1)[0].0[channel % WIDTH] };
    }
    lanes
}

/// Each unit of work is a panel of the bias.
#[inline(always)]
fn shared_bias_kernel<T: Target>(
    delta: &Panels,
    channels: usize,
    bias: Destination<'_>,
    step: &Step,
    share: Taking<'_>,
) {
    let used = 0..step.rows as usize;
    for unit in share.of(channels.div_ceil(WIDTH)) {
        let own = unit * WIDTH..((unit + 1) * WIDTH).min(channels);
        let mut mean = Lanes::ZERO;
        for panel in 0..delta.count() {
            let mut sums = Lanes::ZERO;
            // SAFETY: the derivatives are only read.
            for lanes in unsafe { delta.panel(panel, used.clone()) } {
                for c in 0..WIDTH {
                    sums.0[c] += lanes.0[c];
                }
            }
            for (c, sum) in sums.0[..delta.width(panel)].iter().enumerate() {
                let channel = (panel * WIDTH + c) % channels;
                if own.contains(&channel) {
                    mean.0[channel - own.start] += sum;
                }
            }
        }
        mean.0.iter_mut().for_each(|sum| *sum /= step.rows as f32);
        // SAFETY: this panel of the bias is this worker's.
        unsafe { update::<T>(bias, &[mean], unit, 0, step, 0.0) };
    }
}
