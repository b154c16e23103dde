// out = alpha x + beta y, where a scalar of zero drops its operand; `x_at` and `y_at` may read `out`.
struct Size {
    length: u32,
    stride: u32,
}
@group(0) @binding(0) var<uniform> size: Size;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    for (var i = id.x; i < size.length; i += size.stride) {
        var sum = 0.0;
        if step.alpha != 0.0 { sum = step.alpha * x_at(i); }
        if step.beta != 0.0 { sum += step.beta * y_at(i); }
        out[i] = sum;
    }
}
