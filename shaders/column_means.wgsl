// out = the means of the columns over the active rows, each value times `factor_at` it, one invocation for each column.
struct Size {
    cols: u32,
}
@group(0) @binding(0) var<uniform> size: Size;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let col = id.x;
    if col >= size.cols { return; }
    var sum = 0.0;
    for (var row = 0u; row < step.rows; row += 1u) {
        let i = row * size.cols + col;
        sum += input[i] * factor_at(i);
    }
    out[col] = sum / f32(step.rows);
}
