// For each class, one of the last CLASSES rows of the weights, the negative free energy of a row with its label: a workgroup
// for each row.
struct Size {
    rows: u32,
    visible: u32,
    hidden: u32,
}
@group(0) @binding(0) var<uniform> size: Size;
@group(0) @binding(1) var<storage, read> inputs: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;
var<workgroup> parts: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = workgroup.x;
    let first = size.visible - CLASSES;
    for (var label = 0u; label < CLASSES; label += 1u) {
        var part = 0.0;
        for (var c = lane; c < size.hidden; c += 64u) {
            let x = inputs[row * size.hidden + c] + weight[(first + label) * size.hidden + c];
            part += max(x, 0.0) + log(1.0 + exp(-abs(x)));
        }
        workgroupBarrier();
        parts[lane] = part;
        workgroupBarrier();
        if lane == 0u {
            var sum = bias[first + label];
            for (var i = 0u; i < 64u; i += 1u) {
                sum += parts[i];
            }
            out[row * CLASSES + label] = sum;
        }
    }
}
