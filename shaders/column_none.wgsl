// Columns have no number.
fn column_of(col: u32) -> f32 { return 0.5; }
