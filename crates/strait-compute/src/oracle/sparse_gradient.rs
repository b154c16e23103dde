use super::*;

/// Gradients of weights that multiply, or give, rows of few numbers.
pub(super) fn run(
    at: &Replay<'_>,
    values: Tensor,
    order: ByColumn,
    dense: Tensor,
    transposed: bool,
    [weight, bias]: [Option<Update>; 2],
    along: Option<Along>,
) {
    let (x, starts, entries, d) = (at.get(values), at.get(order.starts), at.get(order.entries), at.get(dense));
    let of = |u: usize| {
        let range = starts.at(0, u) as usize..starts.at(0, u + 1) as usize;
        range.map(|i| entries.at(0, i) as usize).map(|entry| (entry / values.cols, entry % values.cols))
    };
    let (columns, all) = (order.starts.cols - 1, at.all());
    let mut sums = matrix(columns, dense.cols, |u, c| of(u).map(|(r, j)| x.at(r, j) * d.at(r, c)).sum::<f64>() / all);
    if let Some(Along { derivatives, weight }) = along {
        let (derivatives, w) = (at.get(derivatives), at.get(weight));
        for u in 0..columns {
            let part = of(u).map(|(r, j)| x.at(r, j) * derivatives.at(r, j)).sum::<f64>() / all;
            (0..dense.cols).for_each(|c| sums[u * dense.cols + c] -= part * w.at(u, c));
        }
    }
    if let Some(weight) = weight {
        let turned = || matrix(dense.cols, columns, |c, u| sums[u * dense.cols + c]);
        let gradient = if transposed { turned() } else { sums.clone() };
        follow(at, weight, gradient, f64::from(at.step.weight_cost));
    }
    if let Some(bias) = bias {
        let means = matrix(1, columns, |_, u| of(u).map(|(r, j)| x.at(r, j)).sum::<f64>() / all);
        follow(at, bias, means, 0.0);
    }
}
