use super::*;

/// The largest entries of all rows together.
pub(super) fn run(at: &Replay<'_>, input: Tensor, threshold: Tensor, k: usize, rate: f32, out: Tensor) {
    let x = at.get(input);
    let all = (0..at.active()).flat_map(|r| (0..x.cols).map(move |j| (r, j)));
    let mut stay: Vec<(usize, usize)> = all.filter(|&(r, j)| x.at(r, j) > 0.0 || x.at(r, j).is_nan()).collect();
    stay.sort_by(|&(r, j), &(s, i)| x.at(s, i).total_cmp(&x.at(r, j)).then((r, j).cmp(&(s, i))));
    stay.truncate(k * at.active());
    at.put(out, |r, j| if stay.contains(&(r, j)) { x.at(r, j) } else { 0.0 });
    if let Some(&(r, j)) = stay.last() {
        let (known, rate) = (at.get(threshold), f64::from(rate));
        at.put(threshold, |_, c| (1.0 - rate) * known.at(0, c) + rate * x.at(r, j));
    }
}
