// No mean outputs are known.
fn mean_of(col: u32) -> f32 { return 0.5; }
