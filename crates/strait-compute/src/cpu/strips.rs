//! Sixteen columns of matrices at a time, whether they are a panel or lie across two.

use std::cell::UnsafeCell;

use super::kernel::*;
use super::sequence::{Below, Sequence};

/// Sixteen columns of a matrix from `col` on, of which `width` are meant. ALIGNED: they are a panel.
#[derive(Clone, Copy)]
pub(super) struct Strip<'a, const ALIGNED: bool> {
    panels: &'a Panels,
    lines: &'a [UnsafeCell<Lanes>],
    col: usize,
    width: usize,
}

impl<'a, const ALIGNED: bool> Strip<'a, ALIGNED> {
    /// Panel `panel` of the units in block `number` of columns, of which there is one for each unit.
    #[inline(always)]
    pub(super) fn of(panels: &'a Panels, units: usize, number: usize, panel: usize) -> Self {
        Self::at(panels, number * units + panel * WIDTH, WIDTH.min(units - panel * WIDTH))
    }

    #[inline(always)]
    pub(super) fn at(panels: &'a Panels, col: usize, width: usize) -> Self {
        Self { panels, lines: panels.lines(col / WIDTH, 0..panels.rows), col, width }
    }

    /// The columns of a row: where they are, or in `room`, with zeros behind the last one.
    #[inline(always)]
    pub(super) fn get<'r>(&self, row: usize, room: &'r mut Lanes) -> &'r [f32; WIDTH]
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
    pub(super) fn put(&self, row: usize, values: &Lanes) {
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
    pub(super) fn ahead<T: Target>(&self, row: usize) {
        T::prefetch(self.lines[row].get());
    }
}

/// The strips of the gates of some units.
#[derive(Clone, Copy)]
pub(super) struct Gates<'a, const ALIGNED: bool> {
    strips: [Option<Strip<'a, ALIGNED>>; 4],
}

impl<'a, const ALIGNED: bool> Gates<'a, ALIGNED> {
    /// Those of a matrix whose columns from block `first` on are the gates'.
    #[inline(always)]
    pub(super) fn of(sequence: &Sequence<'_>, panels: &'a Panels, first: usize, panel: usize) -> Self {
        let mut strips = [None; 4];
        for (gate, strip) in strips.iter_mut().enumerate().take(sequence.cell.gates()) {
            *strip = Some(Strip::of(panels, sequence.units, first + gate, panel));
        }
        Self { strips }
    }

    #[inline(always)]
    pub(super) fn get<'r>(&self, gate: usize, row: usize, room: &'r mut Lanes) -> &'r [f32; WIDTH]
    where
        'a: 'r,
    {
        match &self.strips[gate] {
            Some(strip) => strip.get(row, room),
            None => &NOTHING,
        }
    }

    #[inline(always)]
    pub(super) fn put(&self, row: usize, values: &[Lanes; 4]) {
        for (strip, values) in self.strips.iter().zip(values) {
            if let Some(strip) = strip {
                strip.put(row, values);
            }
        }
    }

    #[inline(always)]
    pub(super) fn ahead<T: Target>(&self, row: usize) {
        for strip in self.strips.iter().flatten() {
            strip.ahead::<T>(row);
        }
    }
}

/// Zeros, where there is nothing to be read.
pub(super) static NOTHING: [f32; WIDTH] = [0.0; WIDTH];

/// What comes from below some units.
pub(super) struct FromBelow<'a, const ALIGNED: bool> {
    pub(super) inputs: Option<Gates<'a, ALIGNED>>,
    pub(super) constant: Option<Gates<'a, ALIGNED>>,
}

impl<'a, const ALIGNED: bool> FromBelow<'a, ALIGNED> {
    #[inline(always)]
    pub(super) fn of(sequence: &Sequence<'_>, below: Below<'a>, panel: usize) -> Self {
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
    pub(super) fn get<'r>(&self, gate: usize, at: usize, row: usize, room: &'r mut Lanes) -> &'r [f32; WIDTH]
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
