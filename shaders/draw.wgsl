// Random states with the given means, from the stream STREAM. SAMPLING: 1 Bernoulli, 2 Gaussian.
@group(0) @binding(5) var<storage, read_write> states: array<f32>;

fn draw(row: u32, col: u32, mean: vec4<f32>) {
    let words = philox(vec4<u32>(col / 4u, row, step.counter, step.seed_high), vec2<u32>(step.seed_low, STREAM));
    var state = mean;
    if SAMPLING == 1u {
        state = select(vec4<f32>(0.0), vec4<f32>(1.0), uniform4(words) < mean);
    } else {
        state += vec4<f32>(normal2(words.xy), normal2(words.zw));
    }
    let start = row * size.n + col;
    for (var i = 0u; i < min(4u, size.n - col); i += 1u) {
        states[start + i] = state[i];
    }
}
