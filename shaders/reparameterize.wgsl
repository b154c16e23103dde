// Codes drawn from normal distributions: z = mean + deviation * noise, from rows of means and logarithms of variances;
// per row, the divergence from the standard normal distribution, times the weight whose bits are WEIGHT, goes to the
// metrics.
@group(0) @binding(2) var<storage, read_write> noise: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
@group(1) @binding(1) var<storage, read_write> metrics: array<f32>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group.x;
    let codes = size.cols / 2u;
    var divergence = 0.0;
    for (var col = 4u * lane; col < codes; col += 4u * LANES) {
        let words = philox(vec4<u32>(col / 4u, step.first + row, step.counter, step.seed_high), vec2<u32>(step.seed_low, size.stream));
        let normal = vec4<f32>(normal2(words.xy), normal2(words.zw));
        for (var i = 0u; i < min(4u, codes - col); i += 1u) {
            let mean = input[row * size.cols + col + i];
            let log_variance = input[row * size.cols + codes + col + i];
            noise[row * codes + col + i] = normal[i];
            out[row * codes + col + i] = mean + exp(0.5 * log_variance) * normal[i];
            divergence += 0.5 * (mean * mean + exp(log_variance) - 1.0 - log_variance);
        }
    }
    divergence = sum_of_parts(lane, divergence);
    if lane == 0u {
        let at = step.number * size.width + size.start + 2u * row;
        metrics[at] = select(0.0, bitcast<f32>(WEIGHT) * divergence, row < step.rows);
        metrics[at + 1u] = 0.0;
    }
}
