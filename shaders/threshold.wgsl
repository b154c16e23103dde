// Each number moves towards 0 by the number whose bits are THRESHOLD, and no further.
@group(0) @binding(1) var<storage, read_write> weight: array<f32>;

fn element(i: u32) {
    let w = weight[i];
    let left = abs(w) - bitcast<f32>(THRESHOLD);
    // Written so that NaN stays.
    weight[i] = select(sign(w) * left, 0.0, left < 0.0);
}
