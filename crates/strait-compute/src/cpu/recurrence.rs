//! Recurrent layers. Rows do not depend on each other, so that each worker takes a block of them through all steps by itself.

use std::cell::UnsafeCell;
use std::ops::Range;

use super::kernel::*;
use super::math::{tanh, two_logistics};
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

    /// The step behind step number `number`.
    #[inline(always)]
    fn next(&self, number: usize) -> Option<usize> {
        if number + 1 < self.steps { Some(self.step(number + 1)) } else { None }
    }

    /// Whether step t is one of a row's own.
    #[inline(always)]
    fn lasts(&self, row: usize, t: usize) -> bool {
        match self.lengths {
            None => true,
            // SAFETY: lengths are only read.
            Some(lengths) => (t as f32) < unsafe { lengths.at(row, 0) },
        }
    }

    /// The blocks of rows that workers take, about as many as there are workers, of whole tiles.
    pub(super) fn blocks<T: Target>(&self, workers: usize) -> (usize, usize) {
        let rows = self.memory.rows.div_ceil(workers).min(BLOCK / T::ROWS * T::ROWS);
        (rows, self.memory.rows.div_ceil(rows))
    }

    /// Sets columns of the working memory to 0.
    #[inline(always)]
    fn clear(&self, rows: Range<usize>, columns: Range<usize>) {
        for row in rows {
            for col in columns.clone().step_by(WIDTH) {
                Strip::<false>::at(self.memory, col, WIDTH.min(columns.end - col)).put(row, &Lanes::ZERO);
            }
        }
    }
}

/// Sixteen columns of a matrix from `col` on, of which `width` are meant. ALIGNED: they are a panel.
#[derive(Clone, Copy)]
struct Strip<'a, const ALIGNED: bool> {
    panels: &'a Panels,
    lines: &'a [UnsafeCell<Lanes>],
    col: usize,
    width: usize,
}

impl<'a, const ALIGNED: bool> Strip<'a, ALIGNED> {
    /// Panel `panel` of the units in block `number` of columns, of which there is one for each unit.
    #[inline(always)]
    fn of(panels: &'a Panels, units: usize, number: usize, panel: usize) -> Self {
        Self::at(panels, number * units + panel * WIDTH, WIDTH.min(units - panel * WIDTH))
    }

    #[inline(always)]
    fn at(panels: &'a Panels, col: usize, width: usize) -> Self {
        Self { panels, lines: panels.lines(col / WIDTH, 0..panels.rows), col, width }
    }

    /// The columns of a row: where they are, or in `room`, with zeros behind the last one.
    #[inline(always)]
    fn get<'r>(&self, row: usize, room: &'r mut Lanes) -> &'r [f32; WIDTH]
    where
        'a: 'r,
    {
        // SAFETY: the rows of an operation's results are this worker's, and its operands are only read. What is written after it was read is
        // read no more.
        let lanes = unsafe { &*self.lines[row].get() };
        if ALIGNED {
            return &lanes.0;
        }
        let first = self.col % WIDTH;
        let mut both = [0.0; 2 * WIDTH];
        both[..WIDTH].copy_from_slice(&lanes.0);
        if first + self.width > WIDTH {
            // SAFETY: as above.
            both[WIDTH..].copy_from_slice(unsafe { &self.panels.panel(self.col / WIDTH + 1, row..row + 1)[0].0 });
        }
        room.0 = [0.0; WIDTH];
        room.0[..self.width].copy_from_slice(&both[first..first + self.width]);
        &room.0
    }

    /// Writes the columns of a row.
    #[inline(always)]
    fn put(&self, row: usize, values: &Lanes) {
        // SAFETY: the rows of an operation's results are this worker's.
        let lanes = unsafe { &mut *self.lines[row].get() };
        if ALIGNED {
            *lanes = *values;
            return;
        }
        let first = self.col % WIDTH;
        let here = self.width.min(WIDTH - first);
        lanes.0[first..first + here].copy_from_slice(&values.0[..here]);
        if here < self.width {
            // SAFETY: as above.
            let lanes = unsafe { &mut self.panels.panel_mut(self.col / WIDTH + 1, row..row + 1)[0] };
            lanes.0[..self.width - here].copy_from_slice(&values.0[here..self.width]);
        }
    }

    /// Asks for a row that will be wanted soon: those of a step lie so far apart that processors do not foresee them.
    #[inline(always)]
    fn ahead<T: Target>(&self, row: usize) {
        T::prefetch(self.lines[row].get());
    }
}

/// The strips of the gates of some units.
#[derive(Clone, Copy)]
struct Gates<'a, const ALIGNED: bool> {
    strips: [Option<Strip<'a, ALIGNED>>; 4],
}

impl<'a, const ALIGNED: bool> Gates<'a, ALIGNED> {
    /// Those of a matrix whose columns from block `first` on are the gates'.
    #[inline(always)]
    fn of(sequence: &Sequence<'_>, panels: &'a Panels, first: usize, panel: usize) -> Self {
        let mut strips = [None; 4];
        for (gate, strip) in strips.iter_mut().enumerate().take(sequence.cell.gates()) {
            *strip = Some(Strip::of(panels, sequence.units, first + gate, panel));
        }
        Self { strips }
    }

    #[inline(always)]
    fn get<'r>(&self, gate: usize, row: usize, room: &'r mut Lanes) -> &'r [f32; WIDTH]
    where
        'a: 'r,
    {
        match &self.strips[gate] {
            Some(strip) => strip.get(row, room),
            None => &NOTHING,
        }
    }

    #[inline(always)]
    fn put(&self, row: usize, values: &[Lanes; 4]) {
        for (strip, values) in self.strips.iter().zip(values) {
            if let Some(strip) = strip {
                strip.put(row, values);
            }
        }
    }

    #[inline(always)]
    fn ahead<T: Target>(&self, row: usize) {
        for strip in self.strips.iter().flatten() {
            strip.ahead::<T>(row);
        }
    }
}

static NOTHING: [f32; WIDTH] = [0.0; WIDTH];

/// What comes from below some units.
struct FromBelow<'a, const ALIGNED: bool> {
    inputs: Option<Gates<'a, ALIGNED>>,
    constant: Option<Gates<'a, ALIGNED>>,
}

impl<'a, const ALIGNED: bool> FromBelow<'a, ALIGNED> {
    #[inline(always)]
    fn of(sequence: &Sequence<'_>, below: Below<'a>, panel: usize) -> Self {
        let [mut inputs, mut constant] = [None; 2];
        if let Some(panels) = below.inputs {
            inputs = Some(Gates::of(sequence, panels, 0, panel));
        }
        if let Some(panels) = below.constant {
            constant = Some(Gates::of(sequence, panels, 0, panel));
        }
        Self { inputs, constant }
    }

    /// For a gate, at the row of the step and at that of the sequence.
    #[inline(always)]
    fn get<'r>(&self, gate: usize, at: usize, row: usize, room: &'r mut Lanes) -> &'r [f32; WIDTH]
    where
        'a: 'r,
    {
        match (&self.inputs, &self.constant) {
            (None, None) => &NOTHING,
            (Some(inputs), None) => inputs.get(gate, at, room),
            (None, Some(constant)) => constant.get(gate, row, room),
            (Some(inputs), Some(constant)) => {
                let (mut one, mut two) = (Lanes::ZERO, Lanes::ZERO);
                let (x, y) = (inputs.get(gate, at, &mut one), constant.get(gate, row, &mut two));
                for c in 0..WIDTH {
                    room.0[c] = x[c] + y[c];
                }
                &room.0
            }
        }
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
