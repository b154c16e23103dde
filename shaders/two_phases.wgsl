// The operands of the gradient of contrastive divergence: phase 0 is the positive one, which is subtracted.
fn a_at(phase: u32, i: u32) -> f32 {
    if phase == 0u { return -element_of_a(i); }
    return element_of_v(i);
}
fn b_at(phase: u32, i: u32) -> f32 {
    if phase == 0u { return element_of_b(i); }
    return element_of_h(i);
}
fn a_four(phase: u32, i: u32) -> vec4<f32> {
    if phase == 0u { return -four_of_a(i); }
    return four_of_v(i);
}
fn b_four(phase: u32, i: u32) -> vec4<f32> {
    if phase == 0u { return four_of_b(i); }
    return four_of_h(i);
}
