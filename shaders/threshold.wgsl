// Each number moves towards 0 by the number whose bits are THRESHOLD, and no further.
@group(0) @binding(1) var<storage, read_write> weight: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    for (var i = id.x; i < size.count; i += size.invocations) {
        let w = weight[i];
        let left = abs(w) - bitcast<f32>(THRESHOLD);
        // Written so that NaN stays.
        weight[i] = select(sign(w) * left, 0.0, left < 0.0);
    }
}
