//! Ways back through recurrent layers, step by step.

use super::recurrence::{lasts, order};
use super::*;
use crate::Cell;

pub(super) fn run(at: &Replay<'_>, op: &Op) {
    let Op::RecurrenceBackward { cell, steps, reversed, delta, weight, lengths, memory, trace, inputs, constant } = *op
    else {
        unreachable!("only ways back through recurrent layers come here");
    };
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
