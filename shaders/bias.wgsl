// The part of an invocation of the sum over the rows of column `col` of the operand B in one phase.
fn bias_part(phase: u32, lane: u32, col: u32) -> f32 {
    var part = 0.0;
    for (var row = lane / COLUMNS; row < step.rows * POSITIONS; row += ROWS_APART) {
        part += b_at(phase, row * size.n + col);
    }
    return part;
}

// The mean gradient over the active rows of the biases of some units, and their update: column means of the operand B.
fn bias(group: u32, lane: u32) {
    for (var first = group * COLUMNS; first < size.n; first += COLUMNS_APART) {
        let col = first + lane % COLUMNS;
        var part = 0.0;
        if col < size.n {
            part = bias_part(0u, lane, col);
            // The positive one of two phases is subtracted; for the products operand A carries the sign.
            if PHASES == 2u { part = bias_part(1u, lane, col) - part; }
        }
        let sum = sum_of_column(lane, part);
        if lane < COLUMNS && col < size.n { apply_bias(col, sum * bitcast<f32>(SCALE) / all_rows(), 0.0); }
    }
}
