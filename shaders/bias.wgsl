// The mean gradient over the active rows of the bias of the units, and its update: column means of the operand B.
fn bias(col: u32) {
    if col >= size.n { return; }
    var sum = 0.0;
    for (var phase = 0u; phase < PHASES; phase += 1u) {
        var part = 0.0;
        for (var row = 0u; row < step.rows * POSITIONS; row += 1u) {
            part += b_at(phase, row * size.n + col);
        }
        // The positive one of two phases is subtracted; for the products operand A carries the sign.
        sum += select(part, -part, PHASES == 2u && phase == 0u);
    }
    apply_bias(col, sum * bitcast<f32>(SCALE) / f32(step.rows), 0.0);
}
