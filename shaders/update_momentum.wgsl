// Stochastic gradient descent with momentum.
@group(0) @binding(5) var<storage, read_write> parameter: array<f32>;
@group(0) @binding(6) var<storage, read_write> velocity: array<f32>;

fn apply(i: u32, g: f32, cost: f32) {
    let theta = parameter[i];
    let v = step.momentum * velocity[i] - step.learning_rate * (g + cost * theta);
    velocity[i] = v;
    parameter[i] = theta + v;
}
