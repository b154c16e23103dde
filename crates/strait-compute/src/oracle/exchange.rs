use super::*;

/// Parallel tempering: chains that swap their states.
pub(super) fn run(at: &Replay<'_>, chains: [Replica; 2], bias: Tensor, difference: f32, parity: u32, stream: u32) {
    if at.step.counter % 2 != parity {
        return;
    }
    let bias = at.get(bias);
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    let [mut first, mut second] = chains.map(|chain| at.get(chain.hidden));
    let [one, two] = chains.map(|chain| (at.get(chain.visible), at.get(chain.inputs)));
    for r in 0..chains[0].hidden.rows {
        let energy = |(v, t): &(Matrix, Matrix), h: &Matrix| -dot(bias.row(0), v.row(r)) - dot(t.row(r), h.row(r));
        let log_odds = f64::from(difference) * (energy(&one, &first) - energy(&two, &second));
        if draw_uniform(r, 0, stream, at.step) < log_odds.exp() {
            for c in 0..first.cols {
                let i = r * first.cols + c;
                std::mem::swap(&mut first.values[i], &mut second.values[i]);
            }
        }
    }
    at.set(chains[0].hidden, first.values);
    at.set(chains[1].hidden, second.values);
}
