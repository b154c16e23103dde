// The update of a weight matrix, element by element.
fn tail(row: u32, col: u32, sums: vec4<f32>) {
    let start = row * size.n + col;
    let mean = mean_of(sums);
    for (var i = 0u; i < min(4u, size.n - col); i += 1u) {
        apply_weight(start + i, mean[i] + plus_of(start + i, col + i), step.weight_cost);
    }
}
