// The factors of a sum of vectors: the numbers whose bits are ALPHA and BETA.
fn factors() -> vec2<f32> { return vec2<f32>(bitcast<f32>(ALPHA), bitcast<f32>(BETA)); }
