// The mean gradient over the active rows of a bias, and its update: column means of the operand `a_at`.
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let col = id.x;
    if col >= size.n { return; }
    var sum = 0.0;
    for (var phase = 0u; phase < PHASES; phase += 1u) {
        for (var row = 0u; row < step.rows; row += 1u) {
            sum += a_at(phase, row * size.n + col);
        }
    }
    apply(col, sum / f32(step.rows), 0.0);
}
