// A loss: per row, the loss and the squared error go to the metrics, outputs and derivatives where they are wanted.
// KIND: 0 squared error, 1 cross-entropy from logits, 2 softmax cross-entropy from logits, for which the metrics get mistakes
// in place of the squared error.
@group(0) @binding(2) var<storage, read> goal: array<f32>;
@group(1) @binding(1) var<storage, read_write> metrics: array<f32>;

// 1 if the largest logit (the first of equal ones) is not where the largest target is, else 0.
fn mistake(row: u32) -> f32 {
    let start = row * size.cols;
    var predicted = 0u;
    var expected = 0u;
    for (var col = 1u; col < size.cols; col += 1u) {
        if input[start + col] > input[start + predicted] { predicted = col; }
        if goal[start + col] > goal[start + expected] { expected = col; }
    }
    return select(0.0, 1.0, predicted != expected);
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group.x;
    var normaliser = 0.0;
    var mass = 1.0;
    if KIND == 2u {
        normaliser = log_sum_exp(row, lane);
        var part = 0.0;
        for (var col = lane; col < size.cols; col += LANES) {
            part += goal[row * size.cols + col];
        }
        mass = sum_of_parts(lane, part);
    }
    var loss = 0.0;
    var squared = 0.0;
    for (var col = lane; col < size.cols; col += LANES) {
        let i = row * size.cols + col;
        let z = input[i];
        let t = goal[i];
        var p = z;
        var part = (z - t) * (z - t);
        var delta = 2.0 * (z - t) * derivative(vec4<f32>(z)).x;
        if KIND == 1u {
            p = logistic(vec4<f32>(z)).x;
            part = softplus(vec4<f32>(z)).x - t * z;
            delta = p - t;
        } else if KIND == 2u {
            p = exp(z - normaliser);
            part = t * (normaliser - z);
            delta = p * mass - t;
        }
        loss += part;
        squared += (p - t) * (p - t);
        put_output(i, p);
        put_delta(i, select(0.0, delta, row < step.rows));
    }
    loss = sum_of_parts(lane, loss);
    squared = sum_of_parts(lane, squared);
    if lane == 0u {
        if KIND == 2u { squared = mistake(row); }
        let at = step.number * size.width + size.start + 2u * row;
        metrics[at] = select(0.0, loss, row < step.rows);
        metrics[at + 1u] = select(0.0, squared, row < step.rows);
    }
}
