// The gradient of contrastive divergence: phase 0 is the positive one, which is subtracted.
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> d: array<f32>;
@group(0) @binding(3) var<storage, read> v: array<f32>;
@group(0) @binding(4) var<storage, read> h: array<f32>;

fn a_at(phase: u32, i: u32) -> f32 {
    if phase == 0u { return -x[i]; }
    return v[i];
}
fn b_at(phase: u32, i: u32) -> f32 {
    if phase == 0u { return d[i]; }
    return h[i];
}
