// The mean gradient over the active rows of a weight matrix, and its update.
fn terms() -> u32 { return step.rows * POSITIONS; }

fn tail(row: u32, col: u32, sums: vec4<f32>) {
    let start = row * size.n + col;
    for (var i = 0u; i < min(4u, size.n - col); i += 1u) {
        apply_weight(start + i, sums[i] * bitcast<f32>(SCALE) / f32(step.rows) + plus_of(start + i, col + i), step.weight_cost);
    }
}
