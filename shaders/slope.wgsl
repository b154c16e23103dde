// out = x act'(y); `x_at` may read `out`.
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

fn element(i: u32) {
    out[i] = x_at(i) * derivative(vec4<f32>(y_at(i))).x;
}
