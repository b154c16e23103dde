// The windows of a map side by side; a map's values have the order row, column, channel.
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

fn element(i: u32) {
    let window = i / TAPS;
    let tap = i % TAPS / CHANNELS;
    let position = window % POSITIONS;
    // Coordinates before the border wrap around to very large ones.
    let y = position / ACROSS * STRIDE + tap / WIDE - ABOVE;
    let x = position % ACROSS * STRIDE + tap % WIDE - BESIDE;
    var value = 0.0;
    if y < HEIGHT && x < WIDTH {
        let pixel = (window / POSITIONS * HEIGHT + y) * WIDTH + x;
        value = input[pixel * CHANNELS + i % CHANNELS];
    }
    out[i] = value;
}
