// out = act(X W + b), with random states of that mean where `draw` makes them.
fn terms() -> u32 { return size.k; }
fn a_at(phase: u32, i: u32) -> f32 { return element_of_a(i); }
fn b_at(phase: u32, i: u32) -> f32 { return element_of_b(i); }
fn a_four(phase: u32, i: u32) -> vec4<f32> { return four_of_a(i); }
fn b_four(phase: u32, i: u32) -> vec4<f32> { return four_of_b(i); }

// Takes four neighbouring elements of a row of the product.
fn tail(row: u32, col: u32, sums: vec4<f32>) {
    let mean = activate(sums + get_bias(0u, col));
    put_out(row, col, mean);
    draw(row, col, mean);
}
