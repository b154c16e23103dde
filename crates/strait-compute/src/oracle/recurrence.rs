//! Recurrent layers, step by step.

use super::*;
use crate::{Cell, Start};

/// The steps of a sequence in their order, each with the row of step t of row b.
pub(super) fn order(steps: usize, reversed: bool) -> Vec<usize> {
    if reversed { (0..steps).rev().collect() } else { (0..steps).collect() }
}

/// Whether step t of a row is one of its own.
pub(super) fn lasts(lengths: &Option<Matrix>, row: usize, t: usize) -> bool {
    lengths.as_ref().is_none_or(|lengths| (t as f64) < lengths.at(row, 0))
}

fn logistic(x: f64) -> f64 {
    Activation::Logistic.apply(x)
}

/// A layer's way through sequences.
pub(super) fn run(at: &Replay<'_>, op: &Op) {
    let Op::Recurrence { cell, steps, reversed, start, inputs, constant, weight, bias, lengths, memory, trace, out } =
        *op
    else {
        unreachable!("only recurrent layers come here");
    };
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
