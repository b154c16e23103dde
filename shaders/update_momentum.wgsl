// Stochastic gradient descent with momentum. `$` is for the name of what is updated.
@group(0) @binding($0) var<storage, read_write> parameter$: array<f32>;
@group(0) @binding($1) var<storage, read_write> velocity$: array<f32>;

fn apply$(i: u32, g: f32, cost: f32) {
    let theta = parameter$[i];
    let v = step.momentum * velocity$[i] - step.learning_rate * (g + cost * theta);
    velocity$[i] = v;
    parameter$[i] = theta + v;
}
