// out = act(X W + b), with random states of that mean where `draw` makes them.
fn terms() -> u32 { return size.k; }

// Takes four neighbouring elements of a row of the product.
fn tail(row: u32, col: u32, sums: vec4<f32>) {
    let mean = activate(sums + get_bias(0u, col));
    put_out(row, col, mean);
    draw(row, col, mean);
}
