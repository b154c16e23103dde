// The same for the bias of the inputs: column means of the operand A.
fn input_bias(col: u32) {
    if col >= size.m { return; }
    var sum = 0.0;
    for (var phase = 0u; phase < PHASES; phase += 1u) {
        for (var row = 0u; row < step.rows * POSITIONS; row += 1u) {
            sum += a_at(phase, row * size.m + col);
        }
    }
    apply_input_bias(col, sum * bitcast<f32>(SCALE) / f32(step.rows), 0.0);
}
