// The update of a weight matrix, four neighbours of a row at a time.
fn tail(row: u32, col: u32, sums: vec4<f32>) {
    let start = row * size.n + col;
    let plus = vec4<f32>(
        plus_of(start, col), plus_of(start + 1u, col + 1u), plus_of(start + 2u, col + 2u), plus_of(start + 3u, col + 3u)
    );
    apply_weight(start / 4u, mean_of(sums) + plus, step.weight_cost);
}
