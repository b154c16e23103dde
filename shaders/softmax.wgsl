// The means of groups of CLASSES units that exclude each other, from unit FIRST on, and of the binary units before them, of
// their total inputs times the number whose bits are SCALE; where DRAWS is 1 also random states, from the stream of the sizes.
// GIVEN: whether a group draws as many units as it was given, else one. A team of TEAM invocations takes a group.
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

// The largest of the numbers of a team's members, and their sum.
fn top_and_sum(lane: u32, part: f32) -> vec2<f32> {
    workgroupBarrier();
    parts[lane] = part;
    workgroupBarrier();
    let start = lane / TEAM * TEAM;
    var found = vec2<f32>(parts[start], 0.0);
    for (var i = start; i < start + TEAM; i += 1u) {
        found = vec2<f32>(max(found.x, parts[i]), found.y + parts[i]);
    }
    return found;
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let scale = bitcast<f32>(SCALE);
    let row = workgroup.x;
    let key = vec2<u32>(step.seed_low, size.stream);
    // Each invocation takes four neighbouring binary units.
    for (var col = 4u * lane; col < FIRST; col += 4u * LANES) {
        let u = uniform4(philox(vec4<u32>(col / 4u, step.first + row, step.counter, step.seed_high), key));
        for (var i = 0u; i < min(4u, FIRST - col); i += 1u) {
            let at = row * size.cols + col + i;
            let mean = 1.0 / (1.0 + exp(-scale * input[at]));
            out[at] = mean;
            put_state(at, select(0.0, 1.0, u[i] < mean));
        }
    }
    let groups = (size.cols - FIRST) / CLASSES;
    let member = lane % TEAM;
    for (var base = 0u; base < groups; base += LANES / TEAM) {
        let group = base + lane / TEAM;
        let classes = select(0u, CLASSES, group < groups);
        let start = row * size.cols + FIRST + group * CLASSES;
        var part = -3.4e38;
        for (var c = member; c < classes; c += TEAM) {
            part = max(part, scale * input[start + c]);
        }
        let top = top_and_sum(lane, part).x;
        part = 0.0;
        var mine = 0.0;
        for (var c = member; c < classes; c += TEAM) {
            let mean = exp(scale * input[start + c] - top);
            out[start + c] = mean;
            part += mean;
            mine += given_at(start + c);
        }
        let sum = top_and_sum(lane, part).y;
        var given = 1.0;
        if GIVEN == 1u { given = top_and_sum(lane, mine).y; }
        for (var c = member; c < classes; c += TEAM) {
            out[start + c] = out[start + c] * (given / sum);
            put_state(start + c, 0.0);
        }
        if DRAWS == 1u {
            storageBarrier();
            let draws = select(0u, u32(given + 0.5), member == 0u && group < groups);
            for (var number = 0u; number < draws; number += 1u) {
                let counter = vec4<u32>(number / 4u | 1u << 31u, (step.first + row) | group << 16u, step.counter, step.seed_high);
                var left = uniform4(philox(counter, key))[number % 4u] * given;
                var c = 0u;
                while c + 1u < classes && left >= out[start + c] {
                    left -= out[start + c];
                    c += 1u;
                }
                add_one(start + c);
            }
        }
    }
}
