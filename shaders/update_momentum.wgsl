// Stochastic gradient descent with momentum. `$` is for the name of what is updated, `#` for the type of its elements.
@group(0) @binding($0) var<storage, read_write> parameter$: array<#>;
@group(0) @binding($1) var<storage, read_write> velocity$: array<#>;

fn apply$(i: u32, g: #, cost: f32) {
    let theta = parameter$[i];
    let v = step.momentum * velocity$[i] - step.learning_rate * (g + cost * theta);
    velocity$[i] = v;
    parameter$[i] = theta + v;
}
