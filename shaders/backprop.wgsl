// out = (delta W^T) * act'(y)
fn terms() -> u32 { return size.k; }
fn a_at(phase: u32, i: u32) -> f32 { return element_of_a(i); }
fn b_at(phase: u32, i: u32) -> f32 { return element_of_b(i); }
fn a_four(phase: u32, i: u32) -> vec4<f32> { return four_of_a(i); }
fn b_four(phase: u32, i: u32) -> vec4<f32> { return four_of_b(i); }

fn tail(row: u32, col: u32, sums: vec4<f32>) {
    put_out(row, col, sums * derivative(get_y(row, col)));
}
