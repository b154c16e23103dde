//! The function of a matrix product on cooperative matrices: f16 operands, f32 sums.

use crate::staging::{self, Operand, Parts, Stage};

/// How a product is cut into cooperative matrices. A subgroup computes `rows` x `cols` of them, each of `edge` x `edge`
/// elements; a workgroup is `teams` times `x` x `y` subgroups.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Fragments {
    /// Rows, columns and terms of a matrix.
    pub edge: u32,
    /// Invocations of a subgroup.
    pub subgroup: u32,
    /// Matrices of a subgroup along the rows.
    pub rows: u32,
    /// Matrices of a subgroup along the columns.
    pub cols: u32,
    /// Subgroups of a workgroup along the columns.
    pub x: u32,
    /// Subgroups of a workgroup along the rows.
    pub y: u32,
    /// Teams of x * y subgroups, each of which sums a part of the terms.
    pub teams: u32,
    /// Terms that are staged at once in workgroup memory; a multiple of `edge`.
    pub depth: u32,
    /// Whether operands are staged as they lie in memory; else the terms of a row or column are neighbours there, whatever
    /// they were in memory, because some adapters load matrices of such operands in far larger pieces.
    pub as_stored: bool,
}

impl Fragments {
    /// The shapes for an adapter, the largest first: of several that keep a GPU busy, the first is the fastest.
    pub fn shapes(edge: u32, subgroup: u32, as_stored: bool) -> Vec<Self> {
        let shape = |[rows, cols, x, y]: [u32; 4], teams: u32, depth: u32| {
            let depth = depth * edge;
            Self { edge, subgroup, rows, cols, x, y, teams, depth, as_stored }
        };
        if as_stored {
            // Measured on an H100, whose subgroups have registers for 16 matrices of sums.
            vec![
                shape([4, 4, 2, 2], 1, 2),
                shape([2, 2, 2, 2], 1, 4),
                shape([1, 1, 2, 2], 1, 8),
                shape([1, 1, 1, 1], 4, 4),
            ]
        } else {
            // The largest for which AMD's compiler spills no registers.
            vec![shape([2, 4, 2, 4], 1, 2), shape([1, 2, 2, 2], 1, 4)]
        }
    }

    /// Rows of C that a workgroup computes.
    pub fn height(&self) -> u32 {
        self.edge * self.rows * self.y
    }

    /// Columns of C that a workgroup computes.
    pub fn width(&self) -> u32 {
        self.edge * self.cols * self.x
    }

    /// Bytes of memory that a workgroup shares.
    pub fn workgroup_memory(&self) -> u32 {
        let operand = |lines: u32| self.staged(lines, false).max(self.staged(lines, true));
        let operands = self.teams * (operand(self.height()) + operand(self.width()));
        8 * operands + 4 * self.edge * self.edge * self.x * self.y * self.teams
    }

    /// Whether terms of an operand are neighbours in workgroup memory, which are so in memory or not.
    pub(crate) fn staged_along_k(&self, along_k: bool) -> bool {
        !self.as_stored || along_k
    }

    /// Vectors of four that an operand of so many rows or columns takes in workgroup memory.
    fn staged(&self, lines: u32, along_k: bool) -> u32 {
        if along_k { lines * stride(self.depth) } else { self.depth * stride(lines) }
    }

    /// Invocations of a workgroup.
    pub fn invocations(&self) -> u32 {
        self.subgroup * self.x * self.y * self.teams
    }
}

/// Vectors of four from a line of workgroup memory to the next one: two more than hold its contents, so that neighbouring
/// lines lie in different banks.
fn stride(length: u32) -> u32 {
    length / 4 + 2
}

/// The function `product(group, index)` of C = Σ over `phases` of A B, with the same others as [`product`](crate::product).
pub(crate) fn sums(shape: Fragments, phases: u32, [a, b]: [Operand; 2]) -> String {
    let Fragments { edge, subgroup, rows, cols, x, y, teams, depth, .. } = shape;
    let (height, width, threads) = (shape.height(), shape.width(), shape.invocations() / teams);
    // What lies side by side in workgroup memory: terms of a row of A or of a column of B, or rows and columns of a term.
    let along_k = [a, b].map(|operand| shape.staged_along_k(operand.along_k));
    let strides =
        [(along_k[0], height), (along_k[1], width)].map(|(along_k, lines)| stride(if along_k { depth } else { lines }));
    let stage = |name, i: usize, lines, operand, sizes| Stage {
        name,
        operand,
        lines,
        depth,
        along_k: along_k[i],
        stride: strides[i],
        teams,
        element: "f16",
        sizes,
    };
    let stages = [
        stage("a", 0, height, a, ["size.m", "size.a_m", "size.a_k"]),
        stage("b", 1, width, b, ["size.n", "size.b_n", "size.b_k"]),
    ];
    let mut text = staging::staged(&stages);
    // Where each subgroup lays down one matrix of its sums at a time.
    let sums = edge * edge;
    text += &format!("var<workgroup> tile_c: array<f32, {}>;\n", sums * x * y * teams);
    text += &staging::place(height, width);
    text += &format!("    let lane = index % {subgroup}u;\n    let warp = index / {subgroup}u % {}u;\n", x * y);
    text += &format!(
        "    let first_row = warp / {x}u * {}u;\n    let first_col = warp % {x}u * {}u;\n",
        edge * rows,
        edge * cols
    );
    let each = || (0..rows).flat_map(|r| (0..cols).map(move |c| (r, c)));
    for (r, c) in each() {
        text += &format!("    var c{r}_{c} = coop_mat{edge}x{edge}<f32, C>();\n");
    }
    let mut body = format!("        for (var k = 0u; k < {depth}u; k += {edge}u) {{\n");
    // Offsets and strides have to have names: naga cannot write them as expressions.
    body += &format!("            let stride_a = {}u;\n            let stride_b = {}u;\n", strides[0], strides[1]);
    let load = |name: &str, i: u32| {
        let (which, first, before, role) =
            if name == "a" { (0, "first_row", 0, "A") } else { (1, "first_col", stages[0].vectors(), "B") };
        // Neighbours in memory are neighbours of a row of A with its terms side by side, and of B if not.
        let function = if along_k[which] == (which == 0) { "coopLoadT" } else { "coopLoad" };
        let line = format!("({first} + {}u)", edge * i);
        let at = if along_k[which] {
            format!("{line} * stride_{name} + k / 4u")
        } else {
            format!("k * stride_{name} + {line} / 4u")
        };
        let at = if teams == 1 { at } else { format!("team * {}u + {at}", stages[which].of_team()) };
        format!(
            "            let at_{name}{i} = {before}u + {at};
            let {name}{i} = {function}<coop_mat{edge}x{edge}<f16, {role}>>(&tile[at_{name}{i}], stride_{name});
"
        )
    };
    (0..rows).for_each(|r| body += &load("a", r));
    (0..cols).for_each(|c| body += &load("b", c));
    for (r, c) in each() {
        body += &format!("            c{r}_{c} = coopMultiplyAdd(a{r}, b{c}, c{r}_{c});\n");
    }
    body += "        }\n";
    let brought = [height, width].map(|across| across * depth / 4 / threads);
    let [team, member] = if teams == 1 {
        ["0u".to_owned(), "index".to_owned()]
    } else {
        [format!("index / {threads}u"), format!("index % {threads}u")]
    };
    text += &Parts { phases, depth, teams, threads, brought }.text(&team, &member, &body);
    // Sums cannot be taken out of a cooperative matrix but by way of memory. Teams share the rest of the work.
    text += &format!("    let c_stride = {edge}u;\n    let at_c = warp * {sums}u;\n");
    text += &format!("    let at_own = at_c + team * {}u;\n", sums * x * y);
    for (r, c) in each() {
        text += &format!(
            "    coopStoreT(c{r}_{c}, &tile_c[at_own], c_stride);
    workgroupBarrier();
    for (var i = team * {subgroup}u + lane; i < {}u; i += {}u) {{
        let row = top + first_row + {}u + i / {quads}u;
        let col = left + first_col + {}u + i % {quads}u * 4u;
        var sum = vec4<f32>(0.0);
        for (var other = 0u; other < {teams}u; other += 1u) {{
            let at = at_c + other * {}u + i * 4u;
            sum += vec4<f32>(tile_c[at], tile_c[at + 1u], tile_c[at + 2u], tile_c[at + 3u]);
        }}
        if row < size.m && col < size.n {{ tail(row, col, sum); }}
    }}
    workgroupBarrier();
",
            sums / 4,
            subgroup * teams,
            edge * r,
            edge * c,
            sums * x * y,
            quads = edge / 4,
        );
    }
    text + "}\n"
}
