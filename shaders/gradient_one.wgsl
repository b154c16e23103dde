// The gradient of a loss: X^T D.
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> d: array<f32>;

fn a_at(phase: u32, i: u32) -> f32 { return x[i]; }
fn b_at(phase: u32, i: u32) -> f32 { return d[i]; }
