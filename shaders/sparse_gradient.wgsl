// The gradient of weights that multiply, or give (TRANSPOSED: 1), rows of few numbers, and what becomes of it: an invocation for each weight.
// ALONG: whether the part along each row of the weights is taken out.
struct Size {
    rows: u32,
    cols: u32,
    k: u32,
}
@group(0) @binding(0) var<uniform> size: Size;
@group(0) @binding(1) var<storage, read> values: array<f32>;
@group(0) @binding(2) var<storage, read> starts: array<f32>;
@group(0) @binding(3) var<storage, read> entries: array<f32>;
@group(0) @binding(4) var<storage, read> dense: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let col = id.x;
    if col >= size.cols { return; }
    for (var row = id.y; row < size.rows; row += ROWS_AT_ONCE) {
        // The column of the entries, and that of the dense rows.
        let own = select(row, col, TRANSPOSED == 1u);
        let other = select(col, row, TRANSPOSED == 1u);
        let width = select(size.cols, size.rows, TRANSPOSED == 1u);
        let last = u32(starts[own + 1u]);
        var sum = 0.0;
        var length = 0.0;
        for (var place = u32(starts[own]); place < last; place += 1u) {
            let entry = u32(entries[place]);
            sum += values[entry] * dense[entry / size.k * width + other];
            if ALONG == 1u { length += values[entry] * derivative_at(entry); }
        }
        let i = row * size.cols + col;
        if ALONG == 1u { sum -= length * weight_at(i); }
        apply_weight(i, sum / all_rows(), step.weight_cost);
    }
}
