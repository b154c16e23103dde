// Adam (Kingma & Ba 2015). `$` is for the name of what is updated, `#` for the type of its elements.
@group(0) @binding($0) var<storage, read_write> parameter$: array<#>;
@group(0) @binding($1) var<storage, read_write> first$: array<#>;
@group(0) @binding($2) var<storage, read_write> second$: array<#>;

fn apply$(i: u32, mean: #, cost: f32) {
    let theta = parameter$[i];
    let g = mean + cost * theta;
    let m = step.momentum * first$[i] + (1.0 - step.momentum) * g;
    let s = step.beta2 * second$[i] + (1.0 - step.beta2) * g * g;
    first$[i] = m;
    second$[i] = s;
    parameter$[i] = theta - step.learning_rate * (m * step.correction1) / (sqrt(s * step.correction2) + step.epsilon);
}
