use super::*;

/// Steps of iterative shrinkage towards sparse codes.
pub(super) fn run(
    at: &Replay<'_>,
    code: Tensor,
    [overlap, correlation, prediction]: [Tensor; 3],
    shrinkage: Shrinkage,
    out: Tensor,
) {
    let [z, s, c, f] = [code, overlap, correlation, prediction].map(|tensor| at.get(tensor).values);
    let [rate, sparsity, pull] = [shrinkage.rate, shrinkage.sparsity, shrinkage.pull].map(f64::from);
    let shrunk = |i: usize| {
        let v = z[i] - rate * (2.0 * (s[i] - c[i]) + 2.0 * pull * (z[i] - f[i]));
        v.signum() * (v.abs() - rate * sparsity).max(0.0)
    };
    at.set(out, (0..out.len()).map(shrunk).collect());
}
