//! Parallel tempering: chains that swap their states.

use super::Replay;
use super::draw::draw_uniform;
use super::matrix::Matrix;
use crate::Tensor;
use crate::op::Replica;

impl Replay<'_> {
    pub(super) fn exchange(&self, chains: [Replica; 2], bias: Tensor, difference: f32, parity: u32, stream: u32) {
        if self.step.counter % 2 != parity {
            return;
        }
        let bias = self.get(bias);
        let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
        let [mut first, mut second] = chains.map(|chain| self.get(chain.hidden));
        let [one, two] = chains.map(|chain| (self.get(chain.visible), self.get(chain.inputs)));
        for r in 0..chains[0].hidden.rows {
            let energy = |(v, t): &(Matrix, Matrix), h: &Matrix| -dot(bias.row(0), v.row(r)) - dot(t.row(r), h.row(r));
            let log_odds = f64::from(difference) * (energy(&one, &first) - energy(&two, &second));
            if draw_uniform(r, 0, stream, self.step) < log_odds.exp() {
                for c in 0..first.cols {
                    let i = r * first.cols + c;
                    std::mem::swap(&mut first.values[i], &mut second.values[i]);
                }
            }
        }
        self.set(chains[0].hidden, first.values);
        self.set(chains[1].hidden, second.values);
    }
}
