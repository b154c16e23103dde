// out = alpha x + beta y, where a scalar of zero drops its operand; `x_at` and `y_at` may read `out`.
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

fn element(i: u32) {
    let factor = factors();
    var sum = 0.0;
    if factor.x != 0.0 { sum = factor.x * x_at(i); }
    if factor.y != 0.0 { sum += factor.y * y_at(i); }
    out[i] = sum;
}
