// The mean gradient over the active rows of a weight matrix.
fn terms() -> u32 { return step.rows * POSITIONS; }
fn mean_of(sums: vec4<f32>) -> vec4<f32> { return sums * bitcast<f32>(SCALE) / all_rows(); }
