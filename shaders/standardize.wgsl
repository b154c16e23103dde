// out = (x - m) s, with the numbers `shift_of` and `scale_of` of COLS columns.
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

fn element(i: u32) {
    out[i] = (input[i] - shift_of(i % COLS)) * scale_of(i % COLS);
}
