// The operands of a product with one phase.
fn a_at(phase: u32, i: u32) -> f32 { return element_of_a(i); }
fn b_at(phase: u32, i: u32) -> f32 { return element_of_b(i); }
fn a_four(phase: u32, i: u32) -> vec4<f32> { return four_of_a(i); }
fn b_four(phase: u32, i: u32) -> vec4<f32> { return four_of_b(i); }
