// Activations, by the constant ACTIVATION: 0 linear, 1 logistic, 2 tanh, 3 ReLU, 4 softplus.
fn logistic(x: vec4<f32>) -> vec4<f32> {
    return 1.0 / (1.0 + exp(-x));
}

fn softplus(x: vec4<f32>) -> vec4<f32> {
    return max(x, vec4<f32>(0.0)) + log(1.0 + exp(-abs(x)));
}

// y = act(x)
fn activate(x: vec4<f32>) -> vec4<f32> {
    switch ACTIVATION {
        case 1u: { return logistic(x); }
        case 2u: { return 2.0 * logistic(2.0 * x) - 1.0; }
        case 3u: { return select(x, vec4<f32>(0.0), x < vec4<f32>(0.0)); }
        case 4u: { return softplus(x); }
        default: { return x; }
    }
}

// act'(x) in terms of y = act(x)
fn derivative(y: vec4<f32>) -> vec4<f32> {
    switch ACTIVATION {
        case 1u: { return y * (1.0 - y); }
        case 2u: { return 1.0 - y * y; }
        case 3u: { return select(vec4<f32>(0.0), vec4<f32>(1.0), y > vec4<f32>(0.0)); }
        case 4u: { return 1.0 - exp(-y); }
        default: { return vec4<f32>(1.0); }
    }
}
