// The same for biases of the inputs: column means of the operand A.
fn input_bias(group: u32, lane: u32) {
    for (var first = group * COLUMNS; first < size.m; first += COLUMNS_APART) {
        let col = first + lane % COLUMNS;
        var part = 0.0;
        if col < size.m {
            for (var phase = 0u; phase < PHASES; phase += 1u) {
                for (var row = lane / COLUMNS; row < step.rows * POSITIONS; row += ROWS_APART) {
                    part += a_at(phase, row * size.m + col);
                }
            }
        }
        let sum = sum_of_column(lane, part);
        if lane < COLUMNS && col < size.m { apply_input_bias(col, sum * bitcast<f32>(SCALE) / all_rows(), 0.0); }
    }
}
