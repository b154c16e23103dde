use super::*;

/// The largest values of rows.
pub(super) fn run(at: &Replay<'_>, input: Tensor, k: usize, out: Tensor) {
    let x = at.get(input);
    let element = |r: usize, c: usize| {
        let before = |other: usize| x.at(r, other) > x.at(r, c) || other < c && x.at(r, other) == x.at(r, c);
        if (0..x.cols).filter(|&other| before(other)).count() < k { x.at(r, c) } else { 0.0 }
    };
    at.put(out, element);
}
