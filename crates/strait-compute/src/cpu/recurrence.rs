//! Recurrent layers. Rows do not depend on each other, so that each worker takes a block of them through all steps by itself.

use std::ops::Range;

use super::kernel::*;
use super::math::{tanh, two_logistics};
use super::matmul::{Tail, own_product};
use super::sequence::{Below, Sequence, Trace};
use super::strips::{FromBelow, Gates, Strip};
use crate::Cell;

/// What a layer starts from; see [`Start`](crate::Start).
#[derive(Clone, Copy)]
pub(super) enum Start<'a> {
    Nothing,
    States(&'a Panels),
    Memory,
}

/// See [`Op::Recurrence`](crate::Op::Recurrence).
pub(super) struct Recurrence<'a> {
    pub(super) sequence: Sequence<'a>,
    pub(super) start: Start<'a>,
    pub(super) below: Below<'a>,
    pub(super) bias: &'a Panels,
    pub(super) trace: Option<Trace<'a>>,
    pub(super) out: Option<&'a Panels>,
}

compile_for_each_isa!(run = kernel(job: &Recurrence<'_>, weight: &Panels, share: Taking<'_>));

#[inline(always)]
fn kernel<T: Target>(job: &Recurrence<'_>, weight: &Panels, share: Taking<'_>) {
    let sequence = &job.sequence;
    let (units, states) = (sequence.units, sequence.cell.states());
    let (size, blocks) = sequence.blocks::<T>(share.worker.count());
    for block in share.of(blocks) {
        let rows = block * size..((block + 1) * size).min(sequence.memory.rows);
        match job.start {
            Start::Memory => {}
            Start::Nothing => sequence.clear(rows.clone(), 0..states * units),
            Start::States(given) => {
                sequence.clear(rows.clone(), units..states * units);
                for panel in 0..units.div_ceil(WIDTH) {
                    let from = Strip::<false>::of(given, units, 0, panel);
                    let to = Strip::<false>::of(sequence.memory, units, 0, panel);
                    for row in rows.clone() {
                        let mut room = Lanes::ZERO;
                        let values = Lanes(*from.get(row, &mut room));
                        to.put(row, &values);
                    }
                }
            }
        }
        let tail = &Totals { memory: sequence.memory, bias: job.bias, first: states * units };
        for number in 0..sequence.steps {
            // SAFETY: these rows of the working memory are this worker's, and the weight is only read.
            unsafe { own_product::<T>(sequence.memory, weight, rows.clone(), tail) };
            for panel in 0..units.div_ceil(WIDTH) {
                match (sequence.cell, units.is_multiple_of(WIDTH)) {
                    (Cell::Lstm, true) => lstm::<T, true>(job, rows.clone(), number, panel),
                    (Cell::Lstm, false) => lstm::<T, false>(job, rows.clone(), number, panel),
                    (Cell::Gru, true) => gru::<T, true>(job, rows.clone(), number, panel),
                    (Cell::Gru, false) => gru::<T, false>(job, rows.clone(), number, panel),
                }
            }
        }
    }
}

/// What the state adds to the gates' total inputs, with its bias, goes behind the states.
struct Totals<'a> {
    memory: &'a Panels,
    bias: &'a Panels,
    first: usize,
}

impl Tail for Totals<'_> {
    #[inline(always)]
    fn apply<T: Target>(&self, tile: &mut [Lanes], panel: usize, row: usize) {
        let width = self.bias.width(panel);
        let col = self.first + panel * WIDTH;
        // SAFETY: the bias is only read.
        let bias = unsafe { self.bias.panel(panel, 0..1)[0] };
        for lanes in &mut *tile {
            row_by_row();
            for c in 0..WIDTH {
                lanes.0[c] += bias.0[c];
            }
        }
        if col.is_multiple_of(WIDTH) && width == WIDTH {
            // SAFETY: these rows are this worker's.
            let out = unsafe { self.memory.panel_mut(col / WIDTH, row..row + tile.len()) };
            out.copy_from_slice(tile);
        } else {
            let strip = Strip::<false>::at(self.memory, col, width);
            for (r, lanes) in tile.iter().enumerate() {
                strip.put(row + r, lanes);
            }
        }
    }
}

/// What a layer leaves of some units.
struct Left<'a, const ALIGNED: bool> {
    gates: Option<Gates<'a, ALIGNED>>,
    cells: Option<Strip<'a, ALIGNED>>,
    previous: Option<Strip<'a, ALIGNED>>,
    out: Option<Strip<'a, ALIGNED>>,
}

impl<'a, const ALIGNED: bool> Left<'a, ALIGNED> {
    #[inline(always)]
    fn of(job: &Recurrence<'a>, panel: usize) -> Self {
        let units = job.sequence.units;
        let mut left = Self { gates: None, cells: None, previous: None, out: None };
        if let Some(trace) = job.trace {
            left.gates = Some(Gates::of(&job.sequence, trace.gates, 0, panel));
            left.cells = Some(Strip::of(trace.cells, units, 0, panel));
            left.previous = Some(Strip::of(trace.previous, units, 0, panel));
        }
        if let Some(out) = job.out {
            left.out = Some(Strip::of(out, units, 0, panel));
        }
        left
    }

    #[inline(always)]
    fn ahead<T: Target>(&self, below: &FromBelow<'_, ALIGNED>, next: usize) {
        if let Some(inputs) = &below.inputs {
            inputs.ahead::<T>(next);
        } else if let Some(gates) = &self.gates {
            gates.ahead::<T>(next);
        }
        for strip in [&self.cells, &self.previous, &self.out].into_iter().flatten() {
            strip.ahead::<T>(next);
        }
    }

    #[inline(always)]
    fn put(&self, at: usize, before: &Lanes, state: &Lanes, gates: &[Lanes; 4], cell: &Lanes) {
        if let Some(strips) = &self.gates {
            strips.put(at, gates);
        }
        if let Some(cells) = &self.cells {
            cells.put(at, cell);
        }
        if let Some(previous) = &self.previous {
            previous.put(at, before);
        }
        if let Some(out) = &self.out {
            out.put(at, state);
        }
    }
}

#[inline(always)]
fn lstm<T: Target, const ALIGNED: bool>(job: &Recurrence<'_>, rows: Range<usize>, number: usize, panel: usize) {
    let sequence = &job.sequence;
    let (units, memory, t) = (sequence.units, sequence.memory, sequence.step(number));
    let next = sequence.next(number);
    let below = FromBelow::<ALIGNED>::of(sequence, job.below, panel);
    let own = Gates::<ALIGNED>::of(sequence, memory, 2, panel);
    let (states, cells) =
        (Strip::<ALIGNED>::of(memory, units, 0, panel), Strip::<ALIGNED>::of(memory, units, 1, panel));
    let left = Left::<ALIGNED>::of(job, panel);
    let mut rooms = [Lanes::ZERO; 10];
    // What is computed of a row, each in its place.
    let (mut gates, mut new_cell, mut state, mut was) = ([Lanes::ZERO; 4], Lanes::ZERO, Lanes::ZERO, Lanes::ZERO);
    for row in rows {
        row_by_row();
        let at = row * sequence.steps + t;
        if let Some(next) = next {
            left.ahead::<T>(&below, row * sequence.steps + next);
        }
        let [a, b, c, d, e, f, g, h, i, j] = &mut rooms;
        let of_below =
            (below.get(0, at, row, a), below.get(1, at, row, b), below.get(2, at, row, c), below.get(3, at, row, d));
        let of_state = (own.get(0, row, e), own.get(1, row, f), own.get(2, row, g), own.get(3, row, h));
        let (cell, before) = (cells.get(row, i), states.get(row, j));
        was.0 = *before;
        if sequence.lasts(row, t) {
            let [i, f, g, o] = &mut gates;
            for c in 0..WIDTH {
                (i.0[c], f.0[c]) = two_logistics::<T>(of_below.0[c] + of_state.0[c], of_below.1[c] + of_state.1[c]);
                let total = 2.0 * (of_below.2[c] + of_state.2[c]);
                let (half, open) = two_logistics::<T>(total, of_below.3[c] + of_state.3[c]);
                // tanh x = 2 / (1 + e⁻²ˣ) − 1
                (g.0[c], o.0[c]) = (2.0 * half - 1.0, open);
                new_cell.0[c] = multiply_add::<T>(f.0[c], cell[c], i.0[c] * g.0[c]);
                state.0[c] = o.0[c] * tanh::<T>(new_cell.0[c]);
            }
            states.put(row, &state);
            cells.put(row, &new_cell);
        } else {
            (gates, new_cell.0, state) = ([Lanes::ZERO; 4], *cell, was);
        }
        left.put(at, &was, &state, &gates, &new_cell);
    }
}

#[inline(always)]
fn gru<T: Target, const ALIGNED: bool>(job: &Recurrence<'_>, rows: Range<usize>, number: usize, panel: usize) {
    let sequence = &job.sequence;
    let (units, memory, t) = (sequence.units, sequence.memory, sequence.step(number));
    let next = sequence.next(number);
    let below = FromBelow::<ALIGNED>::of(sequence, job.below, panel);
    let own = Gates::<ALIGNED>::of(sequence, memory, 1, panel);
    let states = Strip::<ALIGNED>::of(memory, units, 0, panel);
    let left = Left::<ALIGNED>::of(job, panel);
    let mut rooms = [Lanes::ZERO; 7];
    // What is computed of a row, each in its place.
    let (mut gates, mut added, mut state, mut was) = ([Lanes::ZERO; 4], Lanes::ZERO, Lanes::ZERO, Lanes::ZERO);
    for row in rows {
        row_by_row();
        let at = row * sequence.steps + t;
        if let Some(next) = next {
            left.ahead::<T>(&below, row * sequence.steps + next);
        }
        let [a, b, c, d, e, f, g] = &mut rooms;
        let of_below = (below.get(0, at, row, a), below.get(1, at, row, b), below.get(2, at, row, c));
        let of_state = (own.get(0, row, d), own.get(1, row, e), own.get(2, row, f));
        let before = states.get(row, g);
        (was.0, added.0) = (*before, *of_state.2);
        if sequence.lasts(row, t) {
            let [r, z, n, _] = &mut gates;
            for c in 0..WIDTH {
                (r.0[c], z.0[c]) = two_logistics::<T>(of_below.0[c] + of_state.0[c], of_below.1[c] + of_state.1[c]);
                n.0[c] = tanh::<T>(multiply_add::<T>(r.0[c], of_state.2[c], of_below.2[c]));
                state.0[c] = multiply_add::<T>(z.0[c], before[c] - n.0[c], n.0[c]);
            }
            states.put(row, &state);
        } else {
            (gates, state) = ([Lanes::ZERO; 4], was);
        }
        left.put(at, &was, &state, &gates, &added);
    }
}
