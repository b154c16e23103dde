// out = x where it exceeds the threshold of its unit, of which there are COLS, else 0; `x_at` may read `out`.
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

fn element(i: u32) {
    let x = x_at(i);
    if x <= y_at(i % COLS) { out[i] = 0.0; } else { out[i] = x; }
}
