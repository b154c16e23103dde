//! The main function of a matrix product on cooperative matrices: f16 operands, f32 sums.

use crate::staging::{self, Operand, Parts, Stage};

/// How a product is cut into cooperative matrices. A subgroup computes `rows` x `cols` of them, each of `edge` x `edge`
/// elements; a workgroup is `x` x `y` subgroups.
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
    /// Terms that are staged at once in workgroup memory; a multiple of `edge`.
    pub depth: u32,
}

impl Fragments {
    /// For products with many rows and columns.
    pub fn large(edge: u32, subgroup: u32) -> Self {
        Self { edge, subgroup, rows: 2, cols: 4, x: 2, y: 4, depth: 2 * edge }
    }

    /// For small products.
    pub fn small(edge: u32, subgroup: u32) -> Self {
        Self { edge, subgroup, rows: 1, cols: 2, x: 2, y: 2, depth: 4 * edge }
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
        let operands = (self.height() + self.width()) * (self.depth + PADDING);
        2 * operands + 4 * self.edge * self.edge * self.x * self.y
    }

    /// Invocations of a workgroup.
    pub fn invocations(&self) -> u32 {
        self.subgroup * self.x * self.y
    }
}

/// Terms by which lines in workgroup memory are longer than their contents, so that neighbouring lines lie in different
/// banks.
const PADDING: u32 = 8;

/// The main function of C = Σ over `phases` of A B, for the same functions as [`product`](crate::product).
pub(crate) fn main(shape: Fragments, phases: u32, [a, b]: [Operand; 2], others: bool) -> String {
    let Fragments { edge, subgroup, rows, cols, x, depth, .. } = shape;
    let (height, width, threads) = (shape.height(), shape.width(), shape.invocations());
    // Lines of either operand: a row of A or a column of B, with its terms side by side.
    let line = (depth + PADDING) / 4;
    let stage = |name: &str, lines: u32, operand: Operand, sizes: [&str; 3]| {
        Stage { name, operand, lines, depth, along_k: true, stride: line, teams: 1, element: "f16", sizes }.text()
    };
    let mut text = stage("a", height, a, ["size.m", "size.a_m", "size.a_k"]);
    text += &stage("b", width, b, ["size.n", "size.b_n", "size.b_k"]);
    // Where each subgroup lays down one matrix of its sums at a time.
    let sums = edge * edge;
    text += &format!("var<workgroup> tile_c: array<f32, {}>;\n", sums * threads / subgroup);
    text += &format!("@compute @workgroup_size({threads})\n");
    text += "fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {\n";
    text += &staging::place(height, width, others);
    text += &format!("    let lane = index % {subgroup}u;\n    let warp = index / {subgroup}u;\n");
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
    body += &format!("            let line = {line}u;\n");
    let load = |name: &str, i: u32, function: &str, role: &str| {
        let first = if name == "a" { "first_row" } else { "first_col" };
        format!(
            "            let at_{name}{i} = ({first} + {}u) * line + k / 4u;
            let {name}{i} = {function}<coop_mat{edge}x{edge}<f16, {role}>>(&tile_{name}[at_{name}{i}], line);
",
            edge * i
        )
    };
    (0..rows).for_each(|r| body += &load("a", r, "coopLoadT", "A"));
    (0..cols).for_each(|c| body += &load("b", c, "coopLoad", "B"));
    for (r, c) in each() {
        body += &format!("            c{r}_{c} = coopMultiplyAdd(a{r}, b{c}, c{r}_{c});\n");
    }
    body += "        }\n";
    let brought = [height, width].map(|across| across * depth / 4 / threads);
    text += &Parts { phases, depth, teams: 1, threads, brought }.text("0u", "index", &body);
    // Sums cannot be taken out of a cooperative matrix but by way of memory.
    text += &format!("    let c_stride = {edge}u;\n    let at_c = warp * {sums}u;\n");
    for (r, c) in each() {
        text += &format!(
            "    coopStoreT(c{r}_{c}, &tile_c[at_c], c_stride);
    workgroupBarrier();
    for (var i = lane; i < {}u; i += {subgroup}u) {{
        let row = top + first_row + {}u + i / {quads}u;
        let col = left + first_col + {}u + i % {quads}u * 4u;
        let at = at_c + i * 4u;
        if row < size.m && col < size.n {{
            tail(row, col, vec4<f32>(tile_c[at], tile_c[at + 1u], tile_c[at + 2u], tile_c[at + 3u]));
        }}
    }}
    workgroupBarrier();
",
            sums / 4,
            edge * r,
            edge * c,
            quads = edge / 4,
        );
    }
    text + "}\n"
}
