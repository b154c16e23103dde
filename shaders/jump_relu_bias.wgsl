// out = b - max(threshold, 0) + HALF of the window around the threshold.
@group(0) @binding(1) var<storage, read> bias: array<f32>;
@group(0) @binding(2) var<storage, read> threshold: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

fn element(i: u32) {
    out[i] = bias[i] - max(threshold[i], 0.0) + bitcast<f32>(HALF);
}
