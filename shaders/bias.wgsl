// The mean gradient over the active rows of the biases of some units, and their update: column means of the operand B.
fn bias(group: u32, lane: u32) {
    for (var first = group * COLUMNS; first < size.n; first += COLUMNS_APART) {
        let col = first + lane % COLUMNS;
        var parts = vec2<f32>(0.0);
        if col < size.n {
            for (var phase = 0u; phase < PHASES; phase += 1u) {
                for (var row = lane / COLUMNS; row < step.rows * POSITIONS; row += ROWS_APART) {
                    parts[phase] += b_at(phase, row * size.n + col);
                }
            }
        }
        // The positive one of two phases is subtracted; for the products operand A carries the sign.
        let sum = sum_of_column(lane, select(parts.x, parts.y - parts.x, PHASES == 2u));
        if lane < COLUMNS && col < size.n { apply_bias(col, sum * bitcast<f32>(SCALE) / f32(step.rows), 0.0); }
    }
}
