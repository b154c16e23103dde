use super::*;

/// Columns shifted and scaled.
pub(super) fn run(at: &Replay<'_>, input: Tensor, shift: Option<Tensor>, scale: Option<Tensor>, out: Tensor) {
    let (x, shift, scale) = (at.get(input), shift.map(|m| at.get(m)), scale.map(|s| at.get(s)));
    let column = |numbers: &Option<Matrix>, c: usize, none: f64| numbers.as_ref().map_or(none, |x| x.at(0, c));
    let element = |r: usize, c: usize| (x.at(r, c) - column(&shift, c, 0.0)) * column(&scale, c, 1.0);
    at.put(out, element);
}
