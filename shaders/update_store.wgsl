// Keeps the gradient.
@group(0) @binding(5) var<storage, read_write> gradient: array<f32>;

fn apply(i: u32, g: f32, cost: f32) {
    gradient[i] = g;
}
