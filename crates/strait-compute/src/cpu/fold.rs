//! Windows into maps. Each unit of work is a row of the minibatch.

use super::kernel::*;
use super::math::{activate, times_derivative};
use super::windows::{Place, lines, pairs};
use crate::{Activation, Window};

/// See [`FoldTail`](crate::FoldTail).
#[derive(Clone, Copy)]
pub(super) enum Tail<'a> {
    Sum,
    Layer(&'a Panels, Activation),
    Backprop(&'a Panels, Activation),
}

compile_for_each_isa!(
    run = kernel(input: &Panels, window: &Window, tail: Tail<'_>, out: &Panels, share: Taking<'_>)
);

#[inline(always)]
fn kernel<T: Target>(input: &Panels, window: &Window, tail: Tail<'_>, out: &Panels, share: Taking<'_>) {
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
                Tail::Sum => {}
                Tail::Layer(bias, activation) => {
                    let bias = repeated(bias, channels, panel);
                    for c in 0..WIDTH {
                        lanes.0[c] += bias.0[c];
                    }
                    activate::<T, WIDTH>(activation, &mut lanes.0);
                    lanes.0[out.width(panel)..].fill(0.0);
                }
                Tail::Backprop(output, activation) => {
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
