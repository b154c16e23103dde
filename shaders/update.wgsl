// An optimiser's rule for a gradient that is there. DECAYS: whether the parameter has the step's weight cost.
@group(0) @binding(1) var<storage, read> gradient: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let cost = select(0.0, step.weight_cost, DECAYS == 1u);
    for (var i = id.x; i < size.count; i += size.invocations) {
        apply_parameter(i, gradient[i], cost);
    }
}
