// Each number moves towards 0 by the number whose bits are THRESHOLD, and no further.
@group(0) @binding(1) var<storage, read_write> weight: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    for (var i = id.x; i < size.count; i += size.invocations) {
        let w = weight[i];
        weight[i] = sign(w) * max(abs(w) - bitcast<f32>(THRESHOLD), 0.0);
    }
}
