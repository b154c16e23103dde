// out = (delta W^T) * act'(y)
fn terms() -> u32 { return size.k; }

fn tail(row: u32, col: u32, sums: vec4<f32>) {
    put_out(row, col, sums * derivative(get_y(row, col)));
}
