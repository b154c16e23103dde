use super::*;

/// Biases of units that were not used for a while.
pub(super) fn run(at: &Replay<'_>, order: ByColumn, bias: Tensor, since: Tensor, limit: f32, out: Tensor) {
    let (starts, bias, known) = (at.get(order.starts), at.get(bias), at.get(since));
    let used = |c: usize| starts.at(0, c + 1) > starts.at(0, c);
    let rows = |c: usize| if used(c) { 0.0 } else { known.at(0, c) + at.all() };
    at.put(since, |_, c| rows(c));
    at.put(out, |_, c| if rows(c) >= f64::from(limit) { bias.at(0, c) } else { f64::from(f32::MIN) });
}
