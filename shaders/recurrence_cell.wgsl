// What recurrent layers have in common there and back. A workgroup takes ROWS rows, four, through the steps. CELL: 0 LSTM, 1 GRU; GATES and STATES are
// those of a unit.
struct Size {
    rows: u32,
    units: u32,
    steps: u32,
    // The steps of this dispatch, by their number on the way there.
    first: u32,
    end: u32,
    // Whether the last step comes first.
    reversed: u32,
    // On the way there, whether it starts from the states in the working memory; on the way back, whether the derivative is that with
    // respect to the state at the end, not to that of each step.
    edge: u32,
}
@group(0) @binding(0) var<uniform> size: Size;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> memory: array<f32>;

fn hyperbolic_tangent(x: f32) -> f32 {
    return 2.0 * logistic(vec4<f32>(2.0 * x)).x - 1.0;
}

// Numbers of a row of the working memory.
fn width() -> u32 {
    return (GATES + STATES) * size.units;
}

// Step `number` of the way there.
fn step_of(number: u32) -> u32 {
    if size.reversed == 1u { return size.steps - 1u - number; }
    return number;
}

fn lasts(row: u32, t: u32) -> bool {
    return f32(t) < length_of(row);
}

// Zeroes `count` numbers of each row of the working memory, from `first` on.
fn clear(first_row: u32, first: u32, count: u32, lane: u32) {
    for (var i = lane; i < ROWS * count; i += LANES) {
        let row = first_row + i / count;
        if row < size.rows { memory[row * width() + first + i % count] = 0.0; }
    }
}

// The number at this place in the four rows, of which those that do not exist are the last one.
fn of_rows(first_row: u32, at: u32) -> vec4<f32> {
    let last = size.rows - 1u;
    return vec4<f32>(
        memory[first_row * width() + at],
        memory[min(first_row + 1u, last) * width() + at],
        memory[min(first_row + 2u, last) * width() + at],
        memory[min(first_row + 3u, last) * width() + at],
    );
}
