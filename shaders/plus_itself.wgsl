// What other uses of the weights have given so far, where this one is added; `gradient_at` reads it.
fn plus_of(i: u32, col: u32) -> f32 { return gradient_at(i); }
