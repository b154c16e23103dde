//! Ways back through recurrent layers.

use std::ops::Range;

use super::kernel::*;
use super::math::tanh;
use super::matmul::{Tail, own_product};
use super::sequence::{Below, Sequence, Trace};
use super::strips::{FromBelow, Gates, NOTHING, Strip};
use crate::Cell;

/// See [`Op::RecurrenceBackward`](crate::Op::RecurrenceBackward).
pub(super) struct Backward<'a> {
    pub(super) sequence: Sequence<'a>,
    pub(super) delta: &'a Panels,
    pub(super) trace: Trace<'a>,
    pub(super) below: Below<'a>,
}

compile_for_each_isa!(run = kernel(job: &Backward<'_>, turned: &Panels, share: Taking<'_>));

#[inline(always)]
fn kernel<T: Target>(job: &Backward<'_>, turned: &Panels, share: Taking<'_>) {
    let sequence = &job.sequence;
    let (units, gates) = (sequence.units, sequence.cell.gates());
    let (size, blocks) = sequence.blocks::<T>(share.worker.count());
    let carried = gates * units;
    for block in share.of(blocks) {
        let rows = block * size..((block + 1) * size).min(sequence.memory.rows);
        sequence.clear(rows.clone(), carried..sequence.memory.cols);
        for number in (0..sequence.steps).rev() {
            for panel in 0..units.div_ceil(WIDTH) {
                match (sequence.cell, units.is_multiple_of(WIDTH)) {
                    (Cell::Lstm, true) => lstm_back::<T, true>(job, rows.clone(), number, panel),
                    (Cell::Lstm, false) => lstm_back::<T, false>(job, rows.clone(), number, panel),
                    (Cell::Gru, true) => gru_back::<T, true>(job, rows.clone(), number, panel),
                    (Cell::Gru, false) => gru_back::<T, false>(job, rows.clone(), number, panel),
                }
            }
            let tail = &Carry { memory: sequence.memory, first: carried, units };
            // SAFETY: these rows of the working memory are this worker's, and the weight is only read.
            unsafe { own_product::<T>(sequence.memory, turned, rows.clone(), tail) };
        }
    }
}

/// What the gates pass on to the state before is added to what it has.
struct Carry<'a> {
    memory: &'a Panels,
    first: usize,
    units: usize,
}

impl Tail for Carry<'_> {
    #[inline(always)]
    fn apply<T: Target>(&self, tile: &mut [Lanes], panel: usize, row: usize) {
        let (col, width) = (self.first + panel * WIDTH, WIDTH.min(self.units - panel * WIDTH));
        if col.is_multiple_of(WIDTH) && width == WIDTH {
            // SAFETY: these rows are this worker's.
            let carried = unsafe { self.memory.panel_mut(col / WIDTH, row..row + tile.len()) };
            for (carried, lanes) in carried.iter_mut().zip(tile) {
                row_by_row();
                for c in 0..WIDTH {
                    carried.0[c] += lanes.0[c];
                }
            }
            return;
        }
        let strip = Strip::<false>::at(self.memory, col, width);
        for (r, lanes) in tile.iter_mut().enumerate() {
            row_by_row();
            let mut room = Lanes::ZERO;
            let known = strip.get(row + r, &mut room);
            for c in 0..WIDTH {
                lanes.0[c] += known[c];
            }
            strip.put(row + r, lanes);
        }
    }
}

/// What the ways back of both cells have of some units.
struct Passing<'a, const ALIGNED: bool> {
    /// δ, if there is one of this step, and whether it is that of the end.
    delta: Option<Strip<'a, ALIGNED>>,
    of_end: bool,
    /// The derivatives with respect to the gates, in the working memory.
    own: Gates<'a, ALIGNED>,
    /// That with respect to the state.
    carried: Strip<'a, ALIGNED>,
    gates: Gates<'a, ALIGNED>,
    cells: Strip<'a, ALIGNED>,
    below: FromBelow<'a, ALIGNED>,
}

impl<'a, const ALIGNED: bool> Passing<'a, ALIGNED> {
    #[inline(always)]
    fn of(job: &Backward<'a>, number: usize, panel: usize) -> Self {
        let sequence = &job.sequence;
        let units = sequence.units;
        let of_end = job.delta.rows == sequence.memory.rows;
        let mut delta = None;
        if !of_end || number + 1 == sequence.steps {
            delta = Some(Strip::of(job.delta, units, 0, panel));
        }
        Self {
            delta,
            of_end,
            own: Gates::of(sequence, sequence.memory, 0, panel),
            carried: Strip::of(sequence.memory, units, sequence.cell.gates(), panel),
            gates: Gates::of(sequence, job.trace.gates, 0, panel),
            cells: Strip::of(job.trace.cells, units, 0, panel),
            below: FromBelow::of(sequence, job.below, panel),
        }
    }

    /// The derivative with respect to the state behind a step: what came from the steps behind it, and δ.
    #[inline(always)]
    fn delta(&self, row: usize, at: usize, room: &mut Lanes) -> Lanes {
        let mut sum = Lanes(*self.carried.get(row, room));
        if let Some(delta) = &self.delta {
            let delta = delta.get(if self.of_end { row } else { at }, room);
            for c in 0..WIDTH {
                sum.0[c] += delta[c];
            }
        }
        sum
    }

    #[inline(always)]
    fn ahead<T: Target>(&self, next: usize) {
        self.gates.ahead::<T>(next);
        self.cells.ahead::<T>(next);
        if let (Some(delta), false) = (&self.delta, self.of_end) {
            delta.ahead::<T>(next);
        }
    }

    /// Writes the derivatives of a step with respect to what the state adds to the gates, and to what comes from below. `last`: the step is
    /// the first one of the way back.
    #[inline(always)]
    fn put(&self, (row, at): (usize, usize), last: bool, own: &[Lanes; 4], below: &[Lanes; 4]) {
        self.own.put(row, own);
        self.gates.put(at, own);
        if let Some(inputs) = &self.below.inputs {
            inputs.put(at, below);
        }
        let Some(constant) = &self.below.constant else {
            return;
        };
        let mut sums = *below;
        if !last {
            for (gate, sum) in sums.iter_mut().enumerate() {
                row_by_row();
                let mut room = Lanes::ZERO;
                let known = constant.get(gate, row, &mut room);
                for c in 0..WIDTH {
                    sum.0[c] += known[c];
                }
            }
        }
        constant.put(row, &sums);
    }
}

#[inline(always)]
fn lstm_back<T: Target, const ALIGNED: bool>(job: &Backward<'_>, rows: Range<usize>, number: usize, panel: usize) {
    let sequence = &job.sequence;
    let (units, t, last) = (sequence.units, sequence.step(number), number + 1 == sequence.steps);
    let passing = Passing::<ALIGNED>::of(job, number, panel);
    let of_cell = Strip::<ALIGNED>::of(sequence.memory, units, 5, panel);
    let mut rooms = [Lanes::ZERO; 7];
    // What is computed of a row, each in its place.
    let (mut slopes, mut carried) = ([Lanes::ZERO; 4], Lanes::ZERO);
    for row in rows {
        row_by_row();
        let start = row * sequence.steps;
        let at = start + t;
        let [a, b, c, d, e, h, k] = &mut rooms;
        let mut before = &NOTHING;
        if number > 0 {
            let earlier = start + sequence.step(number - 1);
            passing.ahead::<T>(earlier);
            before = passing.cells.get(earlier, a);
        }
        let mut delta = passing.delta(row, at, b);
        if sequence.lasts(row, t) {
            let gates = &passing.gates;
            let (i, f, o) = (gates.get(0, at, b), gates.get(1, at, c), gates.get(3, at, d));
            let (g, cell, through) = (gates.get(2, at, e), passing.cells.get(at, h), of_cell.get(row, k));
            let [di, df, dg, d_o] = &mut slopes;
            for c in 0..WIDTH {
                let y = tanh::<T>(cell[c]);
                let slope = multiply_add::<T>(delta.0[c] * o[c], 1.0 - y * y, through[c]);
                di.0[c] = slope * g[c] * (i[c] * (1.0 - i[c]));
                df.0[c] = slope * before[c] * (f[c] * (1.0 - f[c]));
                dg.0[c] = slope * i[c] * (1.0 - g[c] * g[c]);
                d_o.0[c] = delta.0[c] * y * (o[c] * (1.0 - o[c]));
                carried.0[c] = slope * f[c];
            }
            of_cell.put(row, &carried);
            delta = Lanes::ZERO;
        } else {
            slopes = [Lanes::ZERO; 4];
        }
        passing.carried.put(row, &delta);
        passing.put((row, at), last, &slopes, &slopes);
    }
}

#[inline(always)]
fn gru_back<T: Target, const ALIGNED: bool>(job: &Backward<'_>, rows: Range<usize>, number: usize, panel: usize) {
    let sequence = &job.sequence;
    let (t, last) = (sequence.step(number), number + 1 == sequence.steps);
    let passing = Passing::<ALIGNED>::of(job, number, panel);
    let previous = Strip::<ALIGNED>::of(job.trace.previous, sequence.units, 0, panel);
    let mut rooms = [Lanes::ZERO; 5];
    // What is computed of a row, each in its place.
    let (mut own, mut below) = ([Lanes::ZERO; 4], [Lanes::ZERO; 4]);
    for row in rows {
        row_by_row();
        let start = row * sequence.steps;
        let at = start + t;
        if number > 0 {
            let earlier = start + sequence.step(number - 1);
            passing.ahead::<T>(earlier);
            previous.ahead::<T>(earlier);
        }
        let mut delta = passing.delta(row, at, &mut rooms[0]);
        if sequence.lasts(row, t) {
            let [a, b, c, d, e] = &mut rooms;
            let gates = &passing.gates;
            let (r, z, n) = (gates.get(0, at, a), gates.get(1, at, b), gates.get(2, at, c));
            let (added, before) = (passing.cells.get(at, d), previous.get(at, e));
            let [dr, dz, dn, _] = &mut below;
            let own_n = &mut own[2];
            for c in 0..WIDTH {
                let slope = delta.0[c] * (1.0 - z[c]) * (1.0 - n[c] * n[c]);
                dr.0[c] = slope * added[c] * (r[c] * (1.0 - r[c]));
                dz.0[c] = delta.0[c] * (before[c] - n[c]) * (z[c] * (1.0 - z[c]));
                dn.0[c] = slope;
                own_n.0[c] = slope * r[c];
                delta.0[c] *= z[c];
            }
            (own[0], own[1]) = (below[0], below[1]);
        } else {
            (own, below) = ([Lanes::ZERO; 4], [Lanes::ZERO; 4]);
        }
        passing.carried.put(row, &delta);
        passing.put((row, at), last, &own, &below);
    }
}
