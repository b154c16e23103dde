// For each entry the derivative of a row times the row of the weights that the entry multiplies: a workgroup for each.
struct Size {
    rows: u32,
    cols: u32,
    k: u32,
}
@group(0) @binding(0) var<uniform> size: Size;
@group(0) @binding(1) var<storage, read> delta: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> values: array<f32>;
@group(0) @binding(4) var<storage, read> columns: array<f32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;
var<workgroup> parts: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group.y;
    let entry = row * size.k + group.x;
    let start = u32(columns[entry]) * size.cols;
    var part = 0.0;
    for (var col = lane; col < size.cols; col += 64u) {
        part += delta[row * size.cols + col] * weight[start + col];
    }
    parts[lane] = part;
    for (var half = 32u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane < half { parts[lane] = parts[lane] + parts[lane + half]; }
    }
    if lane == 0u { out[entry] = select(parts[0], 0.0, values[entry] == 0.0); }
}
