//! Recurrent layers. Rows do not depend on each other, so that each worker takes a block of them through all steps by itself.

use std::ops::Range;

use super::kernel::*;
use super::math::{logistic, tanh};
use super::matmul::{BLOCK, Tail, own_product};
use crate::Cell;

/// What a layer leaves behind for its way back; see [`Trace`](crate::Trace).
#[derive(Clone, Copy)]
pub(super) struct Trace<'a> {
    pub(super) gates: &'a Panels,
    pub(super) cells: &'a Panels,
    pub(super) previous: &'a Panels,
}

/// What there and back have in common.
#[derive(Clone, Copy)]
pub(super) struct Sequence<'a> {
    pub(super) cell: Cell,
    pub(super) steps: usize,
    pub(super) reversed: bool,
    pub(super) lengths: Option<&'a Panels>,
    pub(super) memory: &'a Panels,
    /// H
    pub(super) units: usize,
}

/// What comes from below in each step, and what in all of them; or the derivatives with respect to these.
#[derive(Clone, Copy)]
pub(super) struct Below<'a> {
    pub(super) inputs: Option<&'a Panels>,
    pub(super) constant: Option<&'a Panels>,
}

impl Below<'_> {
    /// What comes from below for a gate.
    #[inline(always)]
    fn take(&self, place: &Place, gate: usize) -> Lanes {
        let Some(inputs) = self.inputs else {
            return self.constant.map_or(Lanes::ZERO, |constant| place.take(constant, MEMORY, gate));
        };
        let mut below = place.take(inputs, STEP, gate);
        if let Some(constant) = self.constant {
            let constant = place.take(constant, MEMORY, gate);
            for c in 0..WIDTH {
                below.0[c] += constant.0[c];
            }
        }
        below
    }
}

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

impl Sequence<'_> {
    /// Step number `number` of the way there.
    #[inline(always)]
    fn step(&self, number: usize) -> usize {
        if self.reversed { self.steps - 1 - number } else { number }
    }

    /// Whether step t is one of a row's own.
    #[inline(always)]
    fn lasts(&self, row: usize, t: usize) -> bool {
        // SAFETY: lengths are only read.
        self.lengths.is_none_or(|lengths| (t as f32) < unsafe { lengths.at(row, 0) })
    }

    /// The blocks of rows that workers take, about as many as there are workers, of whole tiles.
    pub(super) fn blocks<T: Target>(&self, workers: usize) -> (usize, usize) {
        let rows = self.memory.rows.div_ceil(workers).next_multiple_of(T::ROWS).min(BLOCK / T::ROWS * T::ROWS);
        (rows, self.memory.rows.div_ceil(rows))
    }

    /// Sets columns of the working memory to 0.
    #[inline(always)]
    fn clear(&self, rows: Range<usize>, columns: Range<usize>) {
        for row in rows {
            for col in columns.clone().step_by(WIDTH) {
                put(self.memory, row, col, WIDTH.min(columns.end - col), &Lanes::ZERO);
            }
        }
    }
}

/// Sixteen columns from `col` on, of which `width` exist and the others are 0.
#[inline(always)]
fn take(panels: &Panels, row: usize, col: usize, width: usize) -> Lanes {
    let (panel, first) = (col / WIDTH, col % WIDTH);
    // SAFETY: rows are this worker's, or only read.
    let lanes = |panel: usize| unsafe { panels.panel(panel, row..row + 1)[0] };
    if first == 0 && width == WIDTH {
        return lanes(panel);
    }
    let mut both = [0.0; 2 * WIDTH];
    both[..WIDTH].copy_from_slice(&lanes(panel).0);
    if first + width > WIDTH {
        both[WIDTH..].copy_from_slice(&lanes(panel + 1).0);
    }
    let mut taken = Lanes::ZERO;
    taken.0[..width].copy_from_slice(&both[first..first + width]);
    taken
}

/// Writes the first `width` lanes to the columns from `col` on.
#[inline(always)]
fn put(panels: &Panels, row: usize, col: usize, width: usize, values: &Lanes) {
    let (panel, first) = (col / WIDTH, col % WIDTH);
    // SAFETY: this row is this worker's.
    let lanes = |panel: usize| unsafe { &mut panels.panel_mut(panel, row..row + 1)[0] };
    if first == 0 && width == WIDTH {
        *lanes(panel) = *values;
        return;
    }
    let here = width.min(WIDTH - first);
    lanes(panel).0[first..first + here].copy_from_slice(&values.0[..here]);
    if here < width {
        lanes(panel + 1).0[..width - here].copy_from_slice(&values.0[here..width]);
    }
}

compile_for_each_isa!(run = kernel(job: &Recurrence<'_>, weight: &Panels, workers: usize, share: Taking<'_>));

#[inline(always)]
fn kernel<T: Target>(job: &Recurrence<'_>, weight: &Panels, workers: usize, share: Taking<'_>) {
    let sequence = &job.sequence;
    let (units, states) = (sequence.units, sequence.cell.states());
    let (size, blocks) = sequence.blocks::<T>(workers);
    for block in share.of(blocks) {
        let rows = block * size..((block + 1) * size).min(sequence.memory.rows);
        match job.start {
            Start::Memory => {}
            Start::Nothing => sequence.clear(rows.clone(), 0..states * units),
            Start::States(given) => {
                sequence.clear(rows.clone(), units..states * units);
                for row in rows.clone() {
                    for col in (0..units).step_by(WIDTH) {
                        let width = WIDTH.min(units - col);
                        put(sequence.memory, row, col, width, &take(given, row, col, width));
                    }
                }
            }
        }
        let tail = &Totals { memory: sequence.memory, bias: job.bias, first: states * units };
        for number in 0..sequence.steps {
            // SAFETY: these rows of the working memory are this worker's, and the weight is only read.
            unsafe { own_product::<T>(sequence.memory, weight, rows.clone(), tail) };
            let t = sequence.step(number);
            match sequence.cell {
                Cell::Lstm => rows.clone().for_each(|row| lstm::<T>(job, row, t)),
                Cell::Gru => rows.clone().for_each(|row| gru::<T>(job, row, t)),
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
            tile.iter().enumerate().for_each(|(r, lanes)| put(self.memory, row + r, col, width, lanes));
        }
    }
}

/// The places of sixteen units of a row in a step.
struct Place {
    /// The row of the working memory, and that of the step.
    rows: [usize; 2],
    /// The first unit, and how many there are.
    first: usize,
    width: usize,
    units: usize,
}

impl Place {
    /// All of a row in step t.
    #[inline(always)]
    fn all(sequence: &Sequence<'_>, row: usize, t: usize) -> impl Iterator<Item = Self> {
        let (units, rows) = (sequence.units, [row, row * sequence.steps + t]);
        (0..units).step_by(WIDTH).map(move |first| Self { rows, first, width: WIDTH.min(units - first), units })
    }

    /// The part of a block of columns, one for each unit, that is number `number` of those in a row.
    #[inline(always)]
    fn take(&self, panels: &Panels, row: usize, number: usize) -> Lanes {
        take(panels, self.rows[row], number * self.units + self.first, self.width)
    }

    #[inline(always)]
    fn put(&self, panels: &Panels, row: usize, number: usize, values: &Lanes) {
        put(panels, self.rows[row], number * self.units + self.first, self.width, values);
    }
}

/// The rows of a [`Place`].
const MEMORY: usize = 0;
const STEP: usize = 1;

#[inline(always)]
fn lstm<T: Target>(job: &Recurrence<'_>, row: usize, t: usize) {
    let sequence = &job.sequence;
    let (memory, lasts) = (sequence.memory, sequence.lasts(row, t));
    for place in Place::all(sequence, row, t) {
        row_by_row();
        let before = place.take(memory, MEMORY, 0);
        let mut cell = place.take(memory, MEMORY, 1);
        let mut gates = [Lanes::ZERO; 4];
        for (number, gate) in gates.iter_mut().enumerate() {
            row_by_row();
            let (below, own) = (job.below.take(&place, number), place.take(memory, MEMORY, 2 + number));
            for c in 0..WIDTH {
                let total = below.0[c] + own.0[c];
                gate.0[c] = if number == 2 { tanh::<T>(total) } else { logistic::<T>(total) };
            }
        }
        let [i, f, g, o] = &gates;
        let mut state = before;
        if lasts {
            for c in 0..WIDTH {
                cell.0[c] = multiply_add::<T>(f.0[c], cell.0[c], i.0[c] * g.0[c]);
                state.0[c] = o.0[c] * tanh::<T>(cell.0[c]);
            }
            place.put(memory, MEMORY, 0, &state);
            place.put(memory, MEMORY, 1, &cell);
        } else {
            gates = [Lanes::ZERO; 4];
        }
        keep(job, &place, &before, &state, &gates, &cell);
    }
}

#[inline(always)]
fn gru<T: Target>(job: &Recurrence<'_>, row: usize, t: usize) {
    let sequence = &job.sequence;
    let (memory, lasts) = (sequence.memory, sequence.lasts(row, t));
    for place in Place::all(sequence, row, t) {
        row_by_row();
        let before = place.take(memory, MEMORY, 0);
        let [below_r, below_z, below_n] = [0, 1, 2].map(|number| job.below.take(&place, number));
        let [own_r, own_z, own_n] = [1, 2, 3].map(|number| place.take(memory, MEMORY, number));
        let mut gates = [Lanes::ZERO; 3];
        let mut state = before;
        if lasts {
            let [r, z, n] = &mut gates;
            for c in 0..WIDTH {
                r.0[c] = logistic::<T>(below_r.0[c] + own_r.0[c]);
                z.0[c] = logistic::<T>(below_z.0[c] + own_z.0[c]);
                n.0[c] = tanh::<T>(multiply_add::<T>(r.0[c], own_n.0[c], below_n.0[c]));
                state.0[c] = multiply_add::<T>(z.0[c], before.0[c] - n.0[c], n.0[c]);
            }
            place.put(memory, MEMORY, 0, &state);
        }
        keep(job, &place, &before, &state, &gates, &own_n);
    }
}

/// Writes what is wanted of a step.
#[inline(always)]
fn keep(job: &Recurrence<'_>, place: &Place, before: &Lanes, state: &Lanes, gates: &[Lanes], cell: &Lanes) {
    if let Some(trace) = job.trace {
        gates.iter().enumerate().for_each(|(number, gate)| place.put(trace.gates, STEP, number, gate));
        place.put(trace.cells, STEP, 0, cell);
        place.put(trace.previous, STEP, 0, before);
    }
    if let Some(out) = job.out {
        place.put(out, STEP, 0, state);
    }
}

/// See [`Op::RecurrenceBackward`](crate::Op::RecurrenceBackward).
pub(super) struct Backward<'a> {
    pub(super) sequence: Sequence<'a>,
    pub(super) delta: &'a Panels,
    pub(super) trace: Trace<'a>,
    pub(super) below: Below<'a>,
}

compile_for_each_isa!(run_back = backward(job: &Backward<'_>, turned: &Panels, workers: usize, share: Taking<'_>));

#[inline(always)]
fn backward<T: Target>(job: &Backward<'_>, turned: &Panels, workers: usize, share: Taking<'_>) {
    let sequence = &job.sequence;
    let (units, gates) = (sequence.units, sequence.cell.gates());
    let (size, blocks) = sequence.blocks::<T>(workers);
    let carried = gates * units;
    for block in share.of(blocks) {
        let rows = block * size..((block + 1) * size).min(sequence.memory.rows);
        sequence.clear(rows.clone(), carried..sequence.memory.cols);
        for number in (0..sequence.steps).rev() {
            for row in rows.clone() {
                match sequence.cell {
                    Cell::Lstm => lstm_back::<T>(job, row, number),
                    Cell::Gru => gru_back::<T>(job, row, number),
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
        for (r, lanes) in tile.iter_mut().enumerate() {
            row_by_row();
            let known = take(self.memory, row + r, col, width);
            for c in 0..WIDTH {
                lanes.0[c] += known.0[c];
            }
            put(self.memory, row + r, col, width, lanes);
        }
    }
}

impl Backward<'_> {
    /// The derivative with respect to the state behind a step: what came from the steps behind it, and δ.
    #[inline(always)]
    fn delta(&self, place: &Place, number: usize) -> Lanes {
        let mut known = place.take(self.sequence.memory, MEMORY, self.sequence.cell.gates());
        let row = match self.delta.rows == self.sequence.memory.rows {
            true if number + 1 < self.sequence.steps => return known,
            true => MEMORY,
            false => STEP,
        };
        let delta = place.take(self.delta, row, 0);
        for c in 0..WIDTH {
            known.0[c] += delta.0[c];
        }
        known
    }

    /// Writes the derivatives of a step with respect to what the state adds to the gates, and to what comes from below.
    #[inline(always)]
    fn put<T: Target>(&self, place: &Place, number: usize, own: &[Lanes], below: &[Lanes]) {
        let sequence = &self.sequence;
        for (gate, slopes) in own.iter().enumerate() {
            place.put(sequence.memory, MEMORY, gate, slopes);
            place.put(self.trace.gates, STEP, gate, slopes);
        }
        if let Some(inputs) = self.below.inputs {
            below.iter().enumerate().for_each(|(gate, slopes)| place.put(inputs, STEP, gate, slopes));
        }
        if let Some(constant) = self.below.constant {
            for (gate, slopes) in below.iter().enumerate() {
                row_by_row();
                let mut sum = *slopes;
                if number + 1 < sequence.steps {
                    let known = place.take(constant, MEMORY, gate);
                    for c in 0..WIDTH {
                        sum.0[c] += known.0[c];
                    }
                }
                place.put(constant, MEMORY, gate, &sum);
            }
        }
    }
}

#[inline(always)]
fn lstm_back<T: Target>(job: &Backward<'_>, row: usize, number: usize) {
    let sequence = &job.sequence;
    let (memory, t) = (sequence.memory, sequence.step(number));
    let lasts = sequence.lasts(row, t);
    for place in Place::all(sequence, row, t) {
        row_by_row();
        let mut delta = job.delta(&place, number);
        let mut slopes = [Lanes::ZERO; 4];
        if lasts {
            let [i, f, g, o] = [0, 1, 2, 3].map(|gate| place.take(job.trace.gates, STEP, gate));
            let cell = place.take(job.trace.cells, STEP, 0);
            let mut before = Lanes::ZERO;
            if number > 0 {
                let at = row * sequence.steps + sequence.step(number - 1);
                before = take(job.trace.cells, at, place.first, place.width);
            }
            let mut carried = place.take(memory, MEMORY, 5);
            let [di, df, dg, d_o] = &mut slopes;
            for c in 0..WIDTH {
                let (i, f, g, o) = (i.0[c], f.0[c], g.0[c], o.0[c]);
                let y = tanh::<T>(cell.0[c]);
                let slope = multiply_add::<T>(delta.0[c] * o, 1.0 - y * y, carried.0[c]);
                di.0[c] = slope * g * (i * (1.0 - i));
                df.0[c] = slope * before.0[c] * (f * (1.0 - f));
                dg.0[c] = slope * i * (1.0 - g * g);
                d_o.0[c] = delta.0[c] * y * (o * (1.0 - o));
                carried.0[c] = slope * f;
            }
            place.put(memory, MEMORY, 5, &carried);
            delta = Lanes::ZERO;
        }
        place.put(memory, MEMORY, 4, &delta);
        job.put::<T>(&place, number, &slopes, &slopes);
    }
}

#[inline(always)]
fn gru_back<T: Target>(job: &Backward<'_>, row: usize, number: usize) {
    let sequence = &job.sequence;
    let (memory, t) = (sequence.memory, sequence.step(number));
    let lasts = sequence.lasts(row, t);
    for place in Place::all(sequence, row, t) {
        row_by_row();
        let mut delta = job.delta(&place, number);
        let (mut own, mut below) = ([Lanes::ZERO; 3], [Lanes::ZERO; 3]);
        if lasts {
            let [r, z, n] = [0, 1, 2].map(|gate| place.take(job.trace.gates, STEP, gate));
            let added = place.take(job.trace.cells, STEP, 0);
            let before = place.take(job.trace.previous, STEP, 0);
            for c in 0..WIDTH {
                let (r, z, n) = (r.0[c], z.0[c], n.0[c]);
                let slope = delta.0[c] * (1.0 - z) * (1.0 - n * n);
                below[0].0[c] = slope * added.0[c] * (r * (1.0 - r));
                below[1].0[c] = delta.0[c] * (before.0[c] - n) * (z * (1.0 - z));
                below[2].0[c] = slope;
                own[2].0[c] = slope * r;
                delta.0[c] *= z;
            }
            (own[0], own[1]) = (below[0], below[1]);
        }
        place.put(memory, MEMORY, 3, &delta);
        job.put::<T>(&place, number, &own, &below);
    }
}
