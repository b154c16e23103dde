// The factors of a sum of vectors, by the step.
fn factors() -> vec2<f32> { return vec2<f32>(step.alpha, step.beta); }
