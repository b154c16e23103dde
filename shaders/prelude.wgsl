// The numbers of a step, and the random number generator. Layout: `strait_compute::Step`.
struct Step {
    offset: u32,
    rows: u32,
    first: u32,
    whole: u32,
    counter: u32,
    seed_low: u32,
    seed_high: u32,
    learning_rate: f32,
    momentum: f32,
    beta2: f32,
    weight_cost: f32,
    correction1: f32,
    correction2: f32,
    epsilon: f32,
    alpha: f32,
    beta: f32,
    number: u32,
}
@group(1) @binding(0) var<uniform> step: Step;

// Rows that means are taken over.
fn all_rows() -> f32 { return f32(select(step.whole, step.rows, step.whole == 0u)); }

// a * b as 64 bits: (low, high), from products of 16-bit halves.
fn multiply_wide(a: u32, b: u32) -> vec2<u32> {
    let a0 = a & 0xffffu;
    let a1 = a >> 16u;
    let b0 = b & 0xffffu;
    let b1 = b >> 16u;
    let low = a0 * b0;
    let middle = a1 * b0 + (low >> 16u);
    let cross = a0 * b1 + (middle & 0xffffu);
    return vec2<u32>(a * b, a1 * b1 + (middle >> 16u) + (cross >> 16u));
}

// Philox4x32-10 (Salmon et al. 2011).
fn philox(counter: vec4<u32>, first_key: vec2<u32>) -> vec4<u32> {
    var c = counter;
    var key = first_key;
    for (var round = 0u; round < 10u; round += 1u) {
        let p0 = multiply_wide(c.x, 0xD2511F53u);
        let p1 = multiply_wide(c.z, 0xCD9E8D57u);
        c = vec4<u32>(p1.y ^ c.y ^ key.x, p1.x, p0.y ^ c.w ^ key.y, p0.x);
        key += vec2<u32>(0x9E3779B9u, 0xBB67AE85u);
    }
    return c;
}

// Uniform in [0, 1).
fn uniform4(words: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(words >> vec4<u32>(8u)) * (1.0 / 16777216.0);
}

// (sin, cos) of a number of turns in [0, 1), by Cephes' polynomials: the built-in functions of some drivers are good
// for three digits only.
fn sin_cos_turns(u: f32) -> vec2<f32> {
    let quarter = i32(u * 4.0 + 0.5);
    let x = (u - f32(quarter) * 0.25) * 6.283185307179586;
    let z = x * x;
    let s = x + x * z * (-0.16666655 + z * (8.332161e-3 + z * -1.9515296e-4));
    let c = 1.0 - 0.5 * z + z * z * (4.1666646e-2 + z * (-1.3887316e-3 + z * 2.4433157e-5));
    switch quarter & 3 {
        case 0: { return vec2<f32>(s, c); }
        case 1: { return vec2<f32>(c, -s); }
        case 2: { return vec2<f32>(-s, -c); }
        default: { return vec2<f32>(-c, s); }
    }
}

// Two standard normal numbers from two random words (Box and Muller).
fn normal2(words: vec2<u32>) -> vec2<f32> {
    let u1 = (f32(words.x >> 8u) + 1.0) * (1.0 / 16777216.0);
    let angle = sin_cos_turns(f32(words.y >> 8u) * (1.0 / 16777216.0));
    return sqrt(max(-2.0 * log(u1), 0.0)) * angle.yx;
}
