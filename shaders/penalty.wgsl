// Adds the derivative of a penalty on outputs to delta; per row, the penalty goes to the metrics.
// PENALTY: 0 for the sum of absolute values, 1 for the divergence of mean outputs from the target whose bits are TARGET, 2
// for the squared norm of the Jacobian; WEIGHT: the bits of its weight.
@group(0) @binding(3) var<storage, read_write> delta: array<f32>;
@group(1) @binding(1) var<storage, read_write> metrics: array<f32>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group.x;
    let weight = bitcast<f32>(WEIGHT);
    let rho = bitcast<f32>(TARGET);
    var loss = 0.0;
    for (var col = lane; col < size.cols; col += LANES) {
        let i = row * size.cols + col;
        let y = input[i];
        var slope = weight * sign(y);
        var part = weight * abs(y);
        if PENALTY == 1u {
            let mean = clamp(column_of(col), 1e-6, 1.0 - 1e-6);
            let on = rho / mean;
            let off = (1.0 - rho) / (1.0 - mean);
            slope = weight * (off - on);
            part = weight * (rho * log(on) + (1.0 - rho) * log(off));
        } else if PENALTY == 2u {
            let first = derivative(vec4<f32>(y)).x;
            // The second derivative over the first: logistic, tanh, none.
            let bend = select(select(0.0, -2.0 * y, ACTIVATION == 2u), 1.0 - 2.0 * y, ACTIVATION == 1u);
            slope = 2.0 * weight * column_of(col) * first * bend;
            part = weight * column_of(col) * first * first;
        }
        loss += part;
        if row < step.rows {
            delta[i] = delta[i] + slope * derivative(vec4<f32>(y)).x;
        }
    }
    loss = sum_of_parts(lane, loss);
    if lane == 0u {
        let at = step.number * size.width + size.start + 2u * row;
        metrics[at] = select(0.0, loss, row < step.rows);
        metrics[at + 1u] = 0.0;
    }
}
