// The squared errors of the reconstructions of contrastive divergence, one workgroup of LANES invocations for each row.
@group(1) @binding(1) var<storage, read_write> metrics: array<f32>;
var<workgroup> error_parts: array<f32, LANES>;

fn errors(row: u32, lane: u32) {
    var part = 0.0;
    for (var col = lane; col < size.m; col += LANES) {
        // Operand A of the positive phase has the sign turned.
        let difference = a_at(1u, row * size.m + col) + a_at(0u, row * size.m + col);
        part += difference * difference;
    }
    error_parts[lane] = part;
    workgroupBarrier();
    if lane == 0u {
        var sum = 0.0;
        for (var i = 0u; i < LANES; i += 1u) {
            sum += error_parts[i];
        }
        let at = step.number * size.width + size.start + 2u * row;
        metrics[at] = select(0.0, sum, row < step.rows);
        metrics[at + 1u] = select(0.0, sum, row < step.rows);
    }
}
