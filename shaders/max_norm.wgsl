// Scales rows or columns that are longer than the number whose bits are NORM, or (EXACT: 1) all that are not 0: a workgroup for each.
struct Size {
    // Elements of a line, from one of them to the next, and from a line to the next.
    length: u32,
    stride: u32,
    next: u32,
}
@group(0) @binding(0) var<uniform> size: Size;
@group(0) @binding(1) var<storage, read_write> weight: array<f32>;
var<workgroup> parts: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let start = group.x * size.next;
    var part = 0.0;
    for (var i = lane; i < size.length; i += 64u) {
        let w = weight[start + i * size.stride];
        part += w * w;
    }
    parts[lane] = part;
    workgroupBarrier();
    var square = 0.0;
    for (var i = 0u; i < 64u; i += 1u) {
        square += parts[i];
    }
    let norm = bitcast<f32>(NORM);
    if square <= select(norm * norm, 0.0, EXACT == 1u) { return; }
    let factor = norm / sqrt(square);
    for (var i = lane; i < size.length; i += 64u) {
        weight[start + i * size.stride] = weight[start + i * size.stride] * factor;
    }
}
