// The mean over the minibatch of the sums over all positions of a map's channel: a workgroup for each channel.
struct Size {
    cols: u32,
    channels: u32,
}
@group(0) @binding(0) var<uniform> size: Size;
@group(0) @binding(1) var<storage, read> delta: array<f32>;
var<workgroup> parts: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let pixels = step.rows * (size.cols / size.channels);
    var part = 0.0;
    for (var pixel = lane; pixel < pixels; pixel += 64u) {
        part += delta[pixel * size.channels + group.x];
    }
    parts[lane] = part;
    workgroupBarrier();
    if lane == 0u {
        var sum = 0.0;
        for (var i = 0u; i < 64u; i += 1u) {
            sum += parts[i];
        }
        apply_bias(group.x, sum / all_rows(), 0.0);
    }
}
