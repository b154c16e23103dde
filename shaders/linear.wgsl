// out = act(X W + b), with random states of that mean where `draw` makes them.
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

fn terms() -> u32 { return size.k; }
fn a_at(phase: u32, i: u32) -> f32 { return element_of_a(i); }
fn b_at(phase: u32, i: u32) -> f32 { return element_of_b(i); }
fn a_four(phase: u32, i: u32) -> vec4<f32> { return four_of_a(i); }
fn b_four(phase: u32, i: u32) -> vec4<f32> { return four_of_b(i); }

// Takes four neighbouring elements of a row of the product.
fn tail(row: u32, col: u32, sums: vec4<f32>) {
    let last = size.n - 1u;
    let biases = vec4<f32>(bias[col], bias[min(col + 1u, last)], bias[min(col + 2u, last)], bias[min(col + 3u, last)]);
    let mean = activate(sums + biases);
    let start = row * size.n + col;
    for (var i = 0u; i < min(4u, size.n - col); i += 1u) {
        out[start + i] = mean[i];
    }
    draw(row, col, mean);
}
