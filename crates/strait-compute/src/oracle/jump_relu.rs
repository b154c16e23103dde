use super::*;

/// Outputs above the thresholds of their units.
pub(super) fn dense(at: &Replay<'_>, input: Tensor, threshold: Tensor, out: Tensor) {
    let (x, threshold) = (at.get(input), at.get(threshold));
    at.put(out, |r, c| if x.at(r, c) <= threshold.at(0, c) { 0.0 } else { x.at(r, c) });
}

/// Biases from which thresholds are subtracted.
pub(super) fn bias(at: &Replay<'_>, bias: Tensor, threshold: Tensor, bandwidth: f32, out: Tensor) {
    let (b, threshold) = (at.get(bias), at.get(threshold));
    at.put(out, |_, c| b.at(0, c) - threshold.at(0, c).max(0.0) + f64::from(bandwidth) / 2.0);
}

/// Entries above the thresholds of their units.
pub(super) fn listed(
    at: &Replay<'_>,
    input: SparseRows,
    threshold: Tensor,
    bandwidth: f32,
    out: Tensor,
    active: Tensor,
) {
    let (v, columns, threshold) = (at.get(input.values), at.get(input.columns), at.get(threshold));
    let half = f64::from(bandwidth) / 2.0;
    let exceeds = |r, j| v.at(r, j) > half || v.at(r, j).is_nan();
    let x = |r, j| v.at(r, j) + threshold.at(0, columns.at(r, j) as usize).max(0.0) - half;
    at.put(out, |r, j| if exceeds(r, j) { x(r, j) } else { 0.0 });
    let count = (0..at.active()).flat_map(|r| (0..v.cols).map(move |j| (r, j))).filter(|&(r, j)| exceeds(r, j)).count();
    at.set(active, vec![count as f64 / at.all()]);
}

/// The way back to the entries and to the thresholds.
pub(super) fn backward(
    at: &Replay<'_>,
    input: Tensor,
    order: ByColumn,
    [threshold, active]: [Tensor; 2],
    straight: StraightThrough,
    derivatives: Tensor,
    gradient: Tensor,
) {
    let (v, starts, entries, delta) = (at.get(input), at.get(order.starts), at.get(order.entries), at.get(derivatives));
    let (threshold, active) = (at.get(threshold), at.get(active).at(0, 0));
    let StraightThrough { bandwidth, weight, mean } = straight;
    let [bandwidth, weight, mean] = [bandwidth, weight, mean].map(f64::from);
    let pull = 2.0 * weight * (active / mean - 1.0) / mean;
    let sum = |u: usize| {
        let range = starts.at(0, u) as usize..starts.at(0, u + 1) as usize;
        let entries = range.map(|i| entries.at(0, i) as usize).map(|entry| (entry / input.cols, entry % input.cols));
        let near = entries.filter(|&(r, j)| v.at(r, j) < bandwidth);
        near.map(|(r, j)| -(threshold.at(0, u).max(0.0) * delta.at(r, j) + pull) / bandwidth).sum::<f64>()
    };
    at.set(gradient, (0..threshold.cols).map(|u| sum(u) / at.all()).collect());
    let below = |r, j| r < at.active() && v.at(r, j) != 0.0 && v.at(r, j) <= bandwidth / 2.0;
    at.put(derivatives, |r, j| if below(r, j) { 0.0 } else { delta.at(r, j) });
}
