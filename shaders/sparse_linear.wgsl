// act(C W + b) for rows of few numbers: an invocation for each output.
struct Size {
    rows: u32,
    cols: u32,
    k: u32,
}
@group(0) @binding(0) var<uniform> size: Size;
@group(0) @binding(1) var<storage, read> values: array<f32>;
@group(0) @binding(2) var<storage, read> columns: array<f32>;
@group(0) @binding(3) var<storage, read> weight: array<f32>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let col = id.x;
    let row = id.y;
    if col >= size.cols || row >= size.rows { return; }
    var sum = bias[col];
    for (var j = 0u; j < size.k; j += 1u) {
        let entry = row * size.k + j;
        sum += values[entry] * weight[u32(columns[entry]) * size.cols + col];
    }
    out[row * size.cols + col] = activate(vec4<f32>(sum)).x;
}
