//! Recurrent layers, step by step.

use super::*;
use crate::{Cell, Start, Trace};

/// The steps of a sequence in their order, each with the row of step t of row b.
fn order(steps: usize, reversed: bool) -> Vec<usize> {
    if reversed { (0..steps).rev().collect() } else { (0..steps).collect() }
}

/// Whether step t of a row is one of its own.
fn lasts(lengths: &Option<Matrix>, row: usize, t: usize) -> bool {
    lengths.as_ref().is_none_or(|lengths| (t as f64) < lengths.at(row, 0))
}

fn logistic(x: f64) -> f64 {
    Activation::Logistic.apply(x)
}

/// A layer's way through sequences.
#[expect(clippy::too_many_arguments, reason = "they are the operands of one operation")]
pub(super) fn run(
    at: &Replay<'_>,
    (cell, steps, reversed): (Cell, usize, bool),
    start: Start,
    (inputs, constant): (Option<Tensor>, Option<Tensor>),
    weight: Tensor,
    bias: Tensor,
    lengths: Option<Tensor>,
    memory: Tensor,
    trace: Option<Trace>,
    out: Option<Tensor>,
) {
    let [x, constant, lengths] = [inputs, constant, lengths].map(|tensor| tensor.map(|tensor| at.get(tensor)));
    let (w, b) = (at.get(weight), at.get(bias));
    let (units, batch, count) = (weight.rows, memory.rows, cell.gates());
    let (states, before) = match start {
        Start::Nothing => (None, None),
        Start::States(states) => (Some(at.get(states)), None),
        Start::Memory => (None, Some(at.get(memory))),
    };
    let [mut gates, mut cells, mut previous, mut outs] =
        [count, 1, 1, 1].map(|each| vec![0.0; batch * steps * each * units]);
    let mut left = vec![0.0; batch * memory.cols];
    for row in 0..batch {
        let state =
            |first: usize| before.as_ref().map_or(vec![0.0; units], |m| m.row(row)[first..first + units].to_vec());
        let mut h = states.as_ref().map_or_else(|| state(0), |states| states.row(row).to_vec());
        let mut c = if cell == Cell::Lstm { state(units) } else { Vec::new() };
        let mut totals = vec![0.0; count * units];
        for t in order(steps, reversed) {
            let place = row * steps + t;
            // What the state adds to each gate, and what comes from below.
            let own: Vec<f64> =
                (0..count * units).map(|g| b.at(0, g) + (0..units).map(|k| h[k] * w.at(k, g)).sum::<f64>()).collect();
            let of =
                |matrix: &Option<Matrix>, row: usize, g: usize| matrix.as_ref().map_or(0.0, |matrix| matrix.at(row, g));
            let below: Vec<f64> = (0..count * units).map(|g| of(&x, place, g) + of(&constant, row, g)).collect();
            previous[place * units..][..units].copy_from_slice(&h);
            totals.clone_from(&own);
            let kept = lasts(&lengths, row, t);
            for j in 0..units {
                let of = |gate: usize| below[gate * units + j] + own[gate * units + j];
                let at_j = |gate: usize| (place * count + gate) * units + j;
                match cell {
                    Cell::Lstm => {
                        let [i, f, g, o] = [logistic(of(0)), logistic(of(1)), of(2).tanh(), logistic(of(3))];
                        if kept {
                            c[j] = f * c[j] + i * g;
                            h[j] = o * c[j].tanh();
                            [i, f, g, o].into_iter().enumerate().for_each(|(gate, y)| gates[at_j(gate)] = y);
                        }
                        cells[place * units + j] = c[j];
                    }
                    Cell::Gru => {
                        let (r, z) = (logistic(of(0)), logistic(of(1)));
                        let n = (below[2 * units + j] + r * own[2 * units + j]).tanh();
                        if kept {
                            h[j] = (1.0 - z) * n + z * h[j];
                            [r, z, n].into_iter().enumerate().for_each(|(gate, y)| gates[at_j(gate)] = y);
                        }
                        cells[place * units + j] = own[2 * units + j];
                    }
                }
            }
            outs[place * units..][..units].copy_from_slice(&h);
        }
        let all = [h, c, totals].concat();
        left[row * memory.cols..][..memory.cols].copy_from_slice(&all);
    }
    at.set(memory, left);
    if let Some(trace) = trace {
        at.set(trace.gates, gates);
        at.set(trace.cells, cells);
        at.set(trace.previous, previous);
    }
    if let Some(out) = out {
        at.set(out, outs);
    }
}

/// Its way back.
#[expect(clippy::too_many_arguments, reason = "they are the operands of one operation")]
pub(super) fn back(
    at: &Replay<'_>,
    (cell, steps, reversed): (Cell, usize, bool),
    delta: Tensor,
    weight: Tensor,
    lengths: Option<Tensor>,
    memory: Tensor,
    trace: Trace,
    (inputs, constant): (Option<Tensor>, Option<Tensor>),
) {
    let (d, w, lengths) = (at.get(delta), at.get(weight), lengths.map(|lengths| at.get(lengths)));
    let (gates, cells, previous) = (at.get(trace.gates), at.get(trace.cells), at.get(trace.previous));
    let (units, batch, count) = (weight.rows, memory.rows, cell.gates());
    let mut own = vec![0.0; batch * steps * count * units];
    let (mut below, mut sums) = (own.clone(), vec![0.0; batch * count * units]);
    let mut left = vec![0.0; batch * memory.cols];
    for row in 0..batch {
        let (mut dh, mut dc) = (vec![0.0; units], vec![0.0; units]);
        let mut of_step = vec![0.0; count * units];
        let backwards: Vec<usize> = order(steps, reversed).into_iter().rev().collect();
        for (number, &t) in backwards.iter().enumerate() {
            let place = row * steps + t;
            if delta.rows != batch {
                (0..units).for_each(|j| dh[j] += d.at(place, j));
            } else if number == 0 {
                (0..units).for_each(|j| dh[j] += d.at(row, j));
            }
            of_step.fill(0.0);
            if lasts(&lengths, row, t) {
                for j in 0..units {
                    let gate = |gate: usize| gates.at(place, gate * units + j);
                    let mut slopes = |own: [f64; 4], from_below: f64| {
                        for (number, slope) in own.into_iter().take(count).enumerate() {
                            of_step[number * units + j] = slope;
                            let slope = if cell == Cell::Gru && number == 2 { from_below } else { slope };
                            below[(place * count + number) * units + j] = slope;
                            sums[(row * count + number) * units + j] += slope;
                        }
                    };
                    match cell {
                        Cell::Lstm => {
                            let [i, f, g, o] = [0, 1, 2, 3].map(gate);
                            let c = cells.at(place, j).tanh();
                            let c_before = backwards.get(number + 1).map_or(0.0, |&t| cells.at(row * steps + t, j));
                            dc[j] += dh[j] * o * (1.0 - c * c);
                            let (di, df, dg) = (dc[j] * g, dc[j] * c_before, dc[j] * i);
                            let own =
                                [di * i * (1.0 - i), df * f * (1.0 - f), dg * (1.0 - g * g), dh[j] * c * o * (1.0 - o)];
                            slopes(own, 0.0);
                            dc[j] *= f;
                            dh[j] = 0.0;
                        }
                        Cell::Gru => {
                            let [r, z, n] = [0, 1, 2].map(gate);
                            let added = cells.at(place, j);
                            let dn = dh[j] * (1.0 - z) * (1.0 - n * n);
                            let dz = dh[j] * (previous.at(place, j) - n);
                            slopes([dn * added * r * (1.0 - r), dz * z * (1.0 - z), dn * r, 0.0], dn);
                            dh[j] *= z;
                        }
                    }
                }
            }
            for k in 0..units {
                dh[k] += (0..count * units).map(|g| of_step[g] * w.at(k, g)).sum::<f64>();
            }
            own[place * count * units..][..count * units].copy_from_slice(&of_step);
        }
        let all = [of_step, dh, if cell == Cell::Lstm { dc } else { Vec::new() }].concat();
        left[row * memory.cols..][..memory.cols].copy_from_slice(&all);
    }
    at.set(trace.gates, own);
    at.set(memory, left);
    if let Some(inputs) = inputs {
        at.set(inputs, below);
    }
    if let Some(constant) = constant {
        at.set(constant, sums);
    }
}
