// The mean outputs of units.
@group(0) @binding(2) var<storage, read> means: array<f32>;

fn mean_of(col: u32) -> f32 {
    return means[col];
}
