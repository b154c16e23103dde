// A number for each column: mean outputs, or squared lengths of weights.
@group(0) @binding(2) var<storage, read> columns: array<f32>;

fn column_of(col: u32) -> f32 {
    return columns[col];
}
