use super::*;

/// Groups of units that exclude each other.
pub(super) fn run(
    at: &Replay<'_>,
    input: Tensor,
    groups: Groups,
    scale: f32,
    given: Option<Tensor>,
    out: Tensor,
    states: Option<Draw>,
) {
    let (x, given) = (at.get(input), given.map(|given| at.get(given)));
    let scaled = |r: usize, c: usize| f64::from(scale) * x.at(r, c);
    let mut means = matrix(input.rows, input.cols, |r, c| Activation::Logistic.apply(scaled(r, c)));
    let mut drawn = states.map(|Draw { stream, .. }| {
        let state = |r: usize, c: usize| draw(Sampling::Bernoulli, means[r * input.cols + c], r, c, stream, at.step);
        matrix(input.rows, input.cols, state)
    });
    for r in 0..input.rows {
        for group in 0..groups.count(input.cols).unwrap_or(0) {
            let first = groups.first + group * groups.classes;
            let columns = first..first + groups.classes;
            let logits: Vec<f64> = columns.clone().map(|c| scaled(r, c)).collect();
            let count = given.as_ref().map_or(1.0, |given| given.row(r)[columns.clone()].iter().sum());
            let place = r * input.cols + first..r * input.cols + columns.end;
            let own = &mut means[place.clone()];
            let normaliser = log_sum_exp(&logits);
            own.iter_mut().zip(&logits).for_each(|(mean, z)| *mean = count * (z - normaliser).exp());
            if let (Some(drawn), Some(Draw { stream, .. })) = (&mut drawn, states) {
                drawn[place.clone()].fill(0.0);
                for number in 0..draws(count as f32) as usize {
                    drawn[place.start + draw_class(own, (r, group, number), stream, at.step)] += 1.0;
                }
            }
        }
    }
    at.set(out, means);
    if let (Some(drawn), Some(states)) = (drawn, states) {
        at.set(states.out, drawn);
    }
}
