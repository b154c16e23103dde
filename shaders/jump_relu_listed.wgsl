// The outputs that exceed the thresholds of their units, and the mean over the active rows of how many these are: one workgroup.
struct Size {
    entries: u32,
    k: u32,
}
@group(0) @binding(0) var<uniform> size: Size;
@group(0) @binding(1) var<storage, read> values: array<f32>;
@group(0) @binding(2) var<storage, read> columns: array<f32>;
@group(0) @binding(3) var<storage, read> threshold: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;
@group(0) @binding(5) var<storage, read_write> mean: array<f32>;
var<workgroup> counts: array<u32, 256>;

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) lane: u32) {
    let half = bitcast<f32>(HALF);
    var count = 0u;
    for (var i = lane; i < size.entries; i += 256u) {
        let v = values[i];
        if v <= half {
            out[i] = 0.0;
        } else {
            out[i] = v + (max(threshold[u32(columns[i])], 0.0) - half);
            if i < step.rows * size.k { count += 1u; }
        }
    }
    counts[lane] = count;
    workgroupBarrier();
    if lane == 0u {
        var sum = 0u;
        for (var i = 0u; i < 256u; i += 1u) {
            sum += counts[i];
        }
        mean[0] = f32(sum) / all_rows();
    }
}
