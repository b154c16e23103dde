// Keeps the gradient. `$` is for the name of what is updated, `#` for the type of its elements.
@group(0) @binding($0) var<storage, read_write> gradient$: array<#>;

fn apply$(i: u32, g: #, cost: f32) {
    gradient$[i] = g;
}
