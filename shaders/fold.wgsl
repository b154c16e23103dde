// Each value of a map as the sum over the windows that see it; `finish` makes the output of the sum.
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

fn element(i: u32) {
    let pixel = i / CHANNELS;
    let at = vec2<u32>(pixel / WIDTH % HEIGHT, pixel % WIDTH) + vec2<u32>(ABOVE, BESIDE);
    let first = pixel / (WIDTH * HEIGHT) * POSITIONS;
    var sum = 0.0;
    for (var tap = 0u; tap < TALL * WIDE; tap += 1u) {
        // Places before the first position wrap around to very large ones.
        let start = at - vec2<u32>(tap / WIDE, tap % WIDE);
        let position = start / STRIDE;
        if all(start % STRIDE == vec2<u32>(0u)) && position.x < DOWN && position.y < ACROSS {
            sum += input[(first + position.x * ACROSS + position.y) * TAPS + tap * CHANNELS + i % CHANNELS];
        }
    }
    out[i] = finish(i, sum);
}
