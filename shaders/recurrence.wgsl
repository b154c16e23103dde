// A recurrent layer's way through sequences.
@group(0) @binding(3) var<storage, read> bias: array<f32>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let first_row = workgroup.x * ROWS;
    let units = size.units;
    let wide = GATES * units;
    if size.first == 0u && size.edge == 0u {
        clear(first_row, units, (STATES - 1u) * units, lane);
        for (var i = lane; i < ROWS * units; i += LANES) {
            let row = first_row + i / units;
            if row < size.rows { memory[row * width() + i % units] = start_at(row * units + i % units); }
        }
    }
    for (var number = size.first; number < size.end; number += 1u) {
        let t = step_of(number);
        storageBarrier();
        for (var col = lane; col < wide; col += LANES) {
            var sums = vec4<f32>(bias[col]);
            for (var k = 0u; k < units; k += 1u) {
                sums += weight[k * wide + col] * of_rows(first_row, k);
            }
            for (var r = 0u; r < ROWS; r += 1u) {
                if first_row + r < size.rows { memory[(first_row + r) * width() + STATES * units + col] = sums[r]; }
            }
        }
        storageBarrier();
        for (var i = lane; i < ROWS * units; i += LANES) {
            let row = first_row + i / units;
            if row < size.rows { unit(row, i % units, t); }
        }
    }
}

// What comes from below, in this step and in each.
fn below_at(inputs: u32, constant: u32) -> f32 {
    return inputs_at(inputs) + constant_at(constant);
}

// A unit of a row in step t.
fn unit(row: u32, j: u32, t: u32) {
    let units = size.units;
    let at = row * size.steps + t;
    let inputs = at * GATES * units + j;
    let constant = row * GATES * units + j;
    let own = row * width() + STATES * units + j;
    let state = row * width() + j;
    let before = memory[state];
    let added = memory[own + 2u * units];
    var opened = vec4<f32>(0.0);
    var cell = added;
    var h = before;
    if CELL == 0u {
        cell = memory[state + units];
        if lasts(row, t) {
            opened = logistic(vec4<f32>(
                below_at(inputs, constant) + memory[own],
                below_at(inputs + units, constant + units) + memory[own + units],
                2.0 * (below_at(inputs + 2u * units, constant + 2u * units) + added),
                below_at(inputs + 3u * units, constant + 3u * units) + memory[own + (GATES - 1u) * units],
            ));
            // tanh x = 2 logistic(2 x) - 1
            opened.z = 2.0 * opened.z - 1.0;
            cell = opened.y * cell + opened.x * opened.z;
            h = opened.w * hyperbolic_tangent(cell);
            memory[state + units] = cell;
        }
    } else if lasts(row, t) {
        opened = logistic(vec4<f32>(
            below_at(inputs, constant) + memory[own],
            below_at(inputs + units, constant + units) + memory[own + units],
            0.0,
            0.0,
        ));
        opened.z = hyperbolic_tangent(below_at(inputs + 2u * units, constant + 2u * units) + opened.x * added);
        h = opened.z + opened.y * (before - opened.z);
    }
    memory[state] = h;
    for (var gate = 0u; gate < GATES; gate += 1u) {
        put_gates(at * GATES * units + gate * units + j, opened[gate]);
    }
    put_cells(at * units + j, cell);
    put_previous(at * units + j, before);
    put_out(at * units + j, h);
}
