// The derivative of codes drawn from normal distributions, for the means and for the logarithms of the variances.
// WEIGHT: the bits of the divergence's weight.
struct Size {
    rows: u32,
    // Numbers of a code.
    codes: u32,
}
@group(0) @binding(0) var<uniform> size: Size;
@group(0) @binding(1) var<storage, read> delta: array<f32>;
@group(0) @binding(2) var<storage, read> moments: array<f32>;
@group(0) @binding(3) var<storage, read> noise: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let col = id.x;
    let row = id.y;
    if col >= size.codes || row >= size.rows { return; }
    let weight = bitcast<f32>(WEIGHT);
    let at = 2u * row * size.codes + col;
    let i = row * size.codes + col;
    let deviation = exp(0.5 * moments[at + size.codes]);
    let mean = delta[i] + weight * moments[at];
    let log_variance = 0.5 * (delta[i] * noise[i] * deviation + weight * (deviation * deviation - 1.0));
    out[at] = select(0.0, mean, row < step.rows);
    out[at + size.codes] = select(0.0, log_variance, row < step.rows);
}
