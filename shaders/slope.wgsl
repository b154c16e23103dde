// out = x act'(y); `x_at` may read `out`.
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    for (var i = id.x; i < size.count; i += size.invocations) {
        out[i] = x_at(i) * derivative(vec4<f32>(y_at(i))).x;
    }
}
