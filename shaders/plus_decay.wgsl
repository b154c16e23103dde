// A weight cost of its own for each column, which the first part of a batch adds for all of them; `weight_at` reads the weights.
@group(0) @binding(14) var<storage, read> costs: array<f32>;

fn plus_of(i: u32, col: u32) -> f32 {
    return select(0.0, costs[col] * weight_at(i), step.first == 0u);
}
