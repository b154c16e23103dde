// A recurrent layer's way back.
@group(0) @binding(3) var<storage, read> delta: array<f32>;
@group(0) @binding(4) var<storage, read_write> gates: array<f32>;
@group(0) @binding(5) var<storage, read> cells: array<f32>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let first_row = workgroup.x * ROWS;
    let units = size.units;
    let wide = GATES * units;
    if size.end == size.steps { clear(first_row, wide, STATES * units, lane); }
    for (var number = size.end; number > size.first; number -= 1u) {
        storageBarrier();
        for (var i = lane; i < ROWS * units; i += LANES) {
            let row = first_row + i / units;
            if row < size.rows { unit(row, i % units, number - 1u); }
        }
        storageBarrier();
        // What the gates pass on to the state before.
        for (var k = lane; k < units; k += LANES) {
            var sums = vec4<f32>(0.0);
            for (var col = 0u; col < wide; col += 1u) {
                sums += weight[k * wide + col] * of_rows(first_row, col);
            }
            for (var r = 0u; r < ROWS; r += 1u) {
                if first_row + r < size.rows {
                    let to = (first_row + r) * width() + wide + k;
                    memory[to] = memory[to] + sums[r];
                }
            }
        }
    }
}

// A unit of a row in step `number` of the way there.
fn unit(row: u32, j: u32, number: u32) {
    let units = size.units;
    let t = step_of(number);
    let at = row * size.steps + t;
    let gate = at * GATES * units + j;
    let carried = row * width() + GATES * units + j;
    var slope = memory[carried];
    if size.edge == 0u {
        slope += delta[at * units + j];
    } else if number + 1u == size.steps {
        slope += delta[row * units + j];
    }
    var own = vec4<f32>(0.0);
    var below = own;
    if lasts(row, t) {
        let x = gates[gate];
        let y = gates[gate + units];
        let z = gates[gate + 2u * units];
        if CELL == 0u {
            let o = gates[gate + (GATES - 1u) * units];
            var before = 0.0;
            if number > 0u { before = cells[(row * size.steps + step_of(number - 1u)) * units + j]; }
            let c = hyperbolic_tangent(cells[at * units + j]);
            let through = memory[carried + (STATES - 1u) * units] + slope * o * (1.0 - c * c);
            own = vec4<f32>(
                through * z * x * (1.0 - x),
                through * before * y * (1.0 - y),
                through * x * (1.0 - z * z),
                slope * c * o * (1.0 - o),
            );
            below = own;
            memory[carried + (STATES - 1u) * units] = through * y;
            slope = 0.0;
        } else {
            let through = slope * (1.0 - y) * (1.0 - z * z);
            own = vec4<f32>(
                through * cells[at * units + j] * x * (1.0 - x),
                slope * (previous_at(at * units + j) - z) * y * (1.0 - y),
                through * x,
                0.0,
            );
            below = vec4<f32>(own.xy, through, 0.0);
            slope *= y;
        }
    }
    memory[carried] = slope;
    for (var g = 0u; g < GATES; g += 1u) {
        memory[row * width() + g * units + j] = own[g];
        gates[gate + g * units] = own[g];
        put_inputs(gate + g * units, below[g]);
        add_constant(row * GATES * units + g * units + j, below[g], number + 1u == size.steps);
    }
}
