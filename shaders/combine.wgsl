// out = alpha x + beta y, where a scalar of zero drops its operand; `x_at` and `y_at` may read `out`.
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let factor = factors();
    for (var i = id.x; i < size.count; i += size.invocations) {
        var sum = 0.0;
        if factor.x != 0.0 { sum = factor.x * x_at(i); }
        if factor.y != 0.0 { sum += factor.y * y_at(i); }
        out[i] = sum;
    }
}
