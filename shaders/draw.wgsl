// Random states with the given means, from the stream of the sizes. SAMPLING: 1 Bernoulli, 2 Gaussian, 3 rectified.
fn draw(row: u32, col: u32, mean: vec4<f32>) {
    let words = philox(vec4<u32>(col / 4u, step.first + row, step.counter, step.seed_high), vec2<u32>(step.seed_low, size.stream));
    var state = mean;
    if SAMPLING == 1u {
        state = select(vec4<f32>(0.0), vec4<f32>(1.0), uniform4(words) < mean);
    } else {
        let normal = vec4<f32>(normal2(words.xy), normal2(words.zw));
        state += normal;
        if SAMPLING == 3u {
            // logistic(x), and x, of units whose means are softplus(x). Where a mean is so small that little is left of this
            // difference, x is far below 0 and the state is 0.
            let logistic = vec4<f32>(1.0) - exp(-mean);
            let x = mean + log(max(logistic, vec4<f32>(1e-37)));
            state = max(x + normal * sqrt(max(logistic, vec4<f32>(0.0))), vec4<f32>(0.0));
        }
    }
    put_states(row, col, state);
}
