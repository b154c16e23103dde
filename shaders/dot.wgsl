// Partial sums of x y over 64 parts of the vectors, one workgroup each.
struct Size {
    length: u32,
    // Numbers of a step's metrics, and where those of this operation start.
    width: u32,
    start: u32,
}
@group(0) @binding(0) var<uniform> size: Size;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> y: array<f32>;
@group(1) @binding(1) var<storage, read_write> metrics: array<f32>;
var<workgroup> parts: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    var part = 0.0;
    for (var i = group.x * 64u + lane; i < size.length; i += 4096u) {
        part += x[i] * y[i];
    }
    parts[lane] = part;
    workgroupBarrier();
    if lane == 0u {
        var sum = 0.0;
        for (var i = 0u; i < 64u; i += 1u) {
            sum += parts[i];
        }
        metrics[step.number * size.width + size.start + group.x] = sum;
    }
}
