//! What all products that stage their operands in workgroup memory have in common.

/// The start of a main function: workgroups behind those of the product call `other`; the others know their place.
pub(crate) fn place(height: u32, width: u32, others: bool) -> String {
    let mut text = String::new();
    if others {
        text += "    if group.x >= size.across {\n";
        text += "        other((group.x - size.across) * size.down + group.y, index);\n        return;\n    }\n";
    }
    text + &format!("    let top = group.y * {height}u;\n    let left = group.x * {width}u;\n")
}

/// Four elements of the operand `name`, `step` apart from `at` on, as `value`: those at `first` and behind it, as far as
/// they are below `end`, where `outer` holds; else zeros.
pub(crate) fn four(name: &str, step: &str, outer: &str, first: &str, end: &str) -> String {
    let element = |i: u32| format!("{name}_at(phase, at + {i}u * {step})");
    format!(
        "    var value = vec4<f32>(0.0);
    if {outer} {{
        if {first} + 3u < {end} {{
            value = vec4<f32>({}, {}, {}, {});
        }} else {{
            if {first} < {end} {{ value.x = {}; }}
            if {first} + 1u < {end} {{ value.y = {}; }}
            if {first} + 2u < {end} {{ value.z = {}; }}
        }}
    }}
",
        element(0),
        element(1),
        element(2),
        element(3),
        element(0),
        element(1),
        element(2),
    )
}

/// The loop over the parts of the terms. While a part is summed, the next one is on its way to registers.
pub(crate) struct Parts {
    /// Products whose terms follow each other.
    pub(crate) phases: u32,
    /// Terms of a part.
    pub(crate) depth: u32,
    /// Teams, which take turns with the parts; a part that does not exist is read as zeros.
    pub(crate) teams: u32,
    /// Members of a team.
    pub(crate) threads: u32,
    /// Vectors of A and of B that each member brings.
    pub(crate) brought: [u32; 2],
}

impl Parts {
    /// The loop, for an invocation that is `member` of `team`. `body` sums what is staged.
    pub(crate) fn text(&self, team: &str, member: &str, body: &str) -> String {
        let Self { phases, depth, teams, threads, brought } = *self;
        let operands = [("a", "top", brought[0]), ("b", "left", brought[1])];
        let each =
            || operands.iter().flat_map(|&(name, first, count)| (0..count).map(move |i| (name, first, i, i * threads)));
        let mut text = format!("    let parts = (terms() + {}u) / {depth}u;\n", depth - 1);
        text += &format!("    let team = {team};\n    let member = {member};\n");
        text += &format!("    let rounds = ({phases}u * parts + {}u) / {teams}u;\n", teams - 1);
        let start_of = |part: &str| {
            if teams == 1 {
                format!("{part} % parts * {depth}u")
            } else {
                format!("select(terms(), {part} % parts * {depth}u, {part} < {phases}u * parts)")
            }
        };
        text += &format!("    let first_phase = team / parts;\n    let first_start = {};\n", start_of("team"));
        for (name, first, i, offset) in each() {
            text += &format!(
                "    var next_{name}{i} = fetch_{name}(first_phase, first_start, {first}, member + {offset}u);\n"
            );
        }
        text += "    for (var round = 0u; round < rounds; round += 1u) {\n";
        for (name, _, i, offset) in each() {
            text += &format!("        keep_{name}(team, member + {offset}u, next_{name}{i});\n");
        }
        text += &format!(
            "        workgroupBarrier();
        if round + 1u < rounds {{
            let part = (round + 1u) * {teams}u + team;
            let phase = part / parts;
            let start = {};
",
            start_of("part")
        );
        for (name, first, i, offset) in each() {
            text += &format!("            next_{name}{i} = fetch_{name}(phase, start, {first}, member + {offset}u);\n");
        }
        text + "        }\n" + body + "        workgroupBarrier();\n    }\n"
    }
}
