// The gradient that another use of the weights has given.
@group(0) @binding(14) var<storage, read> other_gradient: array<f32>;

fn plus_of(i: u32, col: u32) -> f32 { return other_gradient[i]; }
