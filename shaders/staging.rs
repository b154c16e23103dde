//! What all products that stage their operands in workgroup memory have in common.

/// The start of a product, where a workgroup knows its place.
pub(crate) fn place(height: u32, width: u32) -> String {
    format!(
        "fn product(group: vec2<u32>, index: u32) {{
    let top = group.y * {height}u;
    let left = group.x * {width}u;
"
    )
}

/// How an operand of a product lies in memory.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Operand {
    /// Whether neighbouring terms are neighbours in memory; else neighbouring rows of A, or columns of B, are.
    pub along_k: bool,
    /// Whether it is read four neighbours at a time, for which there has to be a multiple of four of them.
    pub wide: bool,
}

/// The part of an operand that a workgroup sums at once, in its memory.
pub(crate) struct Stage<'a> {
    /// `a` or `b`.
    pub(crate) name: &'a str,
    pub(crate) operand: Operand,
    /// Rows of A or columns of B: its lines.
    pub(crate) lines: u32,
    /// Terms.
    pub(crate) depth: u32,
    /// Whether vectors of four hold neighbouring terms of a line; else a term of neighbouring lines.
    pub(crate) along_k: bool,
    /// Vectors from a line to the next, or from a term to the next.
    pub(crate) stride: u32,
    pub(crate) teams: u32,
    /// The type of the elements.
    pub(crate) element: &'static str,
    /// The number of lines of the whole operand, and the distances of lines and of terms in memory.
    pub(crate) sizes: [&'a str; 3],
}

impl Stage<'_> {
    /// Vectors of workgroup memory that a team's part takes.
    pub(crate) fn of_team(&self) -> u32 {
        self.stride * if self.along_k { self.lines } else { self.depth }
    }

    /// Vectors of workgroup memory that it takes.
    pub(crate) fn vectors(&self) -> u32 {
        self.of_team() * self.teams
    }

    /// The functions that bring a part of the operand to the workgroup's memory, from the vector `offset` on, by way of registers,
    /// four elements at a time. Neighbouring invocations read neighbours in memory.
    fn text(&self, offset: u32) -> String {
        let Self { name, operand, lines, depth, along_k, stride, element, .. } = *self;
        let [count, step, step_k] = self.sizes;
        // Four that are read at once are neighbours in memory; else they are what a vector here will hold.
        let read_along_k = if operand.wide { operand.along_k } else { along_k };
        let [terms, across] = if read_along_k { [depth / 4, lines] } else { [depth, lines / 4] };
        let [term, line] = if operand.along_k {
            [format!("i % {terms}u"), format!("i / {terms}u")]
        } else {
            [format!("i / {across}u"), format!("i % {across}u")]
        };
        let [term, line] =
            if read_along_k { [format!("4u * ({term})"), line] } else { [term, format!("4u * ({line})")] };
        let read = match (operand.wide, read_along_k) {
            (true, _) => format!("    if row < {count} && k < terms() {{ value = {name}_four(phase, at); }}\n"),
            (false, true) => one_by_one(name, step_k, &format!("row < {count}"), "k", "terms()"),
            (false, false) => one_by_one(name, step, "k < terms()", "row", count),
        };
        let team = self.of_team();
        let place = |term: &str, line: &str| {
            let [vectors, four] = if along_k { [line, term] } else { [term, line] };
            format!("tile[{offset}u + team * {team}u + ({vectors}) * {stride}u + ({four}) / 4u]")
        };
        let keep = if along_k == read_along_k {
            format!("    {} = value;\n", place(&term, &line))
        } else {
            // What lies side by side in memory goes to different vectors here.
            (0..4)
                .map(|j| {
                    let next = |first: &str| format!("{first} + {j}u");
                    let (at, component) =
                        if along_k { (place(&term, &next(&line)), &term) } else { (place(&next(&term), &line), &line) };
                    format!("    {at}[({component}) % 4u] = value[{j}];\n")
                })
                .collect()
        };
        format!(
            "fn fetch_{name}(phase: u32, start: u32, first: u32, i: u32) -> vec4<{element}> {{
    let k = start + {term};
    let row = first + {line};
    let at = row * {step} + k * {step_k};
    var value = vec4<f32>(0.0);
{read}    return vec4<{element}>(value);
}}
fn keep_{name}(team: u32, i: u32, value: vec4<{element}>) {{
{keep}}}
"
        )
    }
}

/// The workgroup memory of both operands, with the functions that bring them there.
pub(crate) fn staged([a, b]: &[Stage<'_>; 2]) -> String {
    let (first, element) = (a.vectors(), a.element);
    let vectors = first + b.vectors();
    format!("var<workgroup> tile: array<vec4<{element}>, {vectors}>;\n") + &a.text(0) + &b.text(first)
}

/// Reads four elements of the operand `name`, `step` apart from `at` on: those at `first` and behind it, as far as they
/// are below `end`, where `outer` holds.
fn one_by_one(name: &str, step: &str, outer: &str, first: &str, end: &str) -> String {
    let element = |i: u32| format!("{name}_at(phase, at + {i}u * {step})");
    format!(
        "    if {outer} {{
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
