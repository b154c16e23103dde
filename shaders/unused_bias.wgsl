// Biases of units that none of the last LIMIT rows used, for others the lowest number; `since` counts the rows.
@group(0) @binding(1) var<storage, read> starts: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> since: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

fn element(i: u32) {
    var rows = 0.0;
    if starts[i + 1u] == starts[i] { rows = since[i] + all_rows(); }
    since[i] = rows;
    out[i] = select(-3.40282347e38, bias[i], rows >= bitcast<f32>(LIMIT));
}
