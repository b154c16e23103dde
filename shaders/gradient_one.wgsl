// The gradient of a loss: X^T D.
fn a_at(phase: u32, i: u32) -> f32 { return element_of_x(i); }
fn b_at(phase: u32, i: u32) -> f32 { return element_of_d(i); }
fn a_four(phase: u32, i: u32) -> vec4<f32> { return four_of_x(i); }
fn b_four(phase: u32, i: u32) -> vec4<f32> { return four_of_d(i); }
