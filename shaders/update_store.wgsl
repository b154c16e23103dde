// Keeps the gradient. `$` is for the name of what is updated.
@group(0) @binding($0) var<storage, read_write> gradient$: array<f32>;

fn apply$(i: u32, g: f32, cost: f32) {
    gradient$[i] = g;
}
