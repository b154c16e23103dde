// An optimiser's rule for a gradient that is there. DECAYS: whether the parameter has the step's weight cost.
@group(0) @binding(1) var<storage, read> gradient: array<f32>;

fn element(i: u32) {
    let cost = select(0.0, step.weight_cost, DECAYS == 1u);
    apply_parameter(i, gradient[i], cost);
}
