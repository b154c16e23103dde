//! The main function of a matrix product on cooperative matrices: f16 operands, f32 sums.

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
        Self { edge, subgroup, rows: 4, cols: 4, x: 2, y: 2, depth: 2 * edge }
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
        let operands = self.height() * (self.depth + PADDING) + self.depth * (self.width() + PADDING);
        2 * operands + 4 * self.sums() * self.x * self.y
    }

    /// Sums that a subgroup lays down at a time: one row of its matrices.
    fn sums(&self) -> u32 {
        self.edge * self.edge * self.cols
    }

    /// Invocations of a workgroup.
    pub fn invocations(&self) -> u32 {
        self.subgroup * self.x * self.y
    }
}

/// Numbers by which lines in workgroup memory are longer than their contents, so that neighbouring lines lie in
/// different banks.
const PADDING: u32 = 8;

/// The main function of C = Σ over `phases` of A B, for the same functions as [`product`](crate::product).
pub(crate) fn main(shape: Fragments, phases: u32, a_along_k: bool, b_along_k: bool, others: bool) -> String {
    let Fragments { edge, subgroup, rows, cols, x, depth, .. } = shape;
    let (height, width, threads) = (shape.height(), shape.width(), shape.invocations());
    let (a_stride, b_stride) = (depth + PADDING, width + PADDING);
    let mut text = stage("a", shape, height, a_along_k, ["size.m", "size.a_m", "size.a_k"], [a_stride, 1]);
    text += &stage("b", shape, width, b_along_k, ["size.n", "size.b_n", "size.b_k"], [1, b_stride]);
    text += &format!("var<workgroup> tile_a: array<f16, {}>;\n", height * a_stride);
    text += &format!("var<workgroup> tile_b: array<f16, {}>;\n", depth * b_stride);
    // Where each subgroup lays down one row of its sums at a time.
    let sums = shape.sums();
    text += &format!("var<workgroup> tile_c: array<f32, {}>;\n", sums * threads / subgroup);
    text += &format!("@compute @workgroup_size({threads})\n");
    text += "fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {\n";
    if others {
        text += "    if group.x >= size.across {\n";
        text += "        other((group.x - size.across) * size.down + group.y, index);\n        return;\n    }\n";
    }
    text += &format!("    let top = group.y * {height}u;\n    let left = group.x * {width}u;\n");
    text += &format!("    let lane = index % {subgroup}u;\n    let team = index / {subgroup}u;\n");
    text += &format!(
        "    let first_row = team / {x}u * {}u;\n    let first_col = team % {x}u * {}u;\n",
        edge * rows,
        edge * cols
    );
    let each = || (0..rows).flat_map(|r| (0..cols).map(move |c| (r, c)));
    for (r, c) in each() {
        text += &format!("    var c{r}_{c} = coop_mat{edge}x{edge}<f32, C>();\n");
    }
    let brought = [("a", "top", height * depth / threads), ("b", "left", width * depth / threads)];
    let fetches = || brought.iter().flat_map(|&(name, first, count)| (0..count).map(move |i| (name, first, i)));
    text += &format!("    let parts = (terms() + {}u) / {depth}u;\n", depth - 1);
    for (name, first, i) in fetches() {
        text += &format!("    var next_{name}{i} = fetch_{name}(0u, 0u, {first}, index + {}u);\n", i * threads);
    }
    text += &format!("    for (var part = 0u; part < {phases}u * parts; part += 1u) {{\n");
    for (name, _, i) in fetches() {
        text += &format!("        keep_{name}(index + {}u, next_{name}{i});\n", i * threads);
    }
    text += &format!(
        "        workgroupBarrier();
        let following = part + 1u;
        if following < {phases}u * parts {{
            let phase = following / parts;
            let start = following % parts * {depth}u;
"
    );
    for (name, first, i) in fetches() {
        text +=
            &format!("            next_{name}{i} = fetch_{name}(phase, start, {first}, index + {}u);\n", i * threads);
    }
    text += "        }\n";
    text += &format!("        for (var k = 0u; k < {depth}u; k += {edge}u) {{\n");
    // Offsets and strides have to have names: naga cannot write them as expressions.
    text += &format!("            let a_stride = {a_stride}u;\n            let b_stride = {b_stride}u;\n");
    for r in 0..rows {
        text += &format!("            let at_a{r} = (first_row + {}u) * a_stride + k;\n", edge * r);
        text +=
            &format!("            let a{r} = coopLoadT<coop_mat{edge}x{edge}<f16, A>>(&tile_a[at_a{r}], a_stride);\n");
    }
    for c in 0..cols {
        text += &format!("            let at_b{c} = k * b_stride + first_col + {}u;\n", edge * c);
        text +=
            &format!("            let b{c} = coopLoadT<coop_mat{edge}x{edge}<f16, B>>(&tile_b[at_b{c}], b_stride);\n");
    }
    for (r, c) in each() {
        text += &format!("            c{r}_{c} = coopMultiplyAdd(a{r}, b{c}, c{r}_{c});\n");
    }
    text += "        }\n        workgroupBarrier();\n    }\n";
    // Sums cannot be taken out of a cooperative matrix but by way of memory.
    let across = edge * cols;
    text += &format!("    let c_stride = {across}u;\n");
    for r in 0..rows {
        for c in 0..cols {
            text += &format!("    let at_c{r}_{c} = team * {sums}u + {}u;\n", edge * c);
            text += &format!("    coopStoreT(c{r}_{c}, &tile_c[at_c{r}_{c}], c_stride);\n");
        }
        text += &format!(
            "    workgroupBarrier();
    for (var i = lane; i < {}u; i += {subgroup}u) {{
        let row = top + first_row + {}u + i / {}u;
        let col = left + first_col + i % {}u * 4u;
        let at = team * {sums}u + i * 4u;
        if row < size.m && col < size.n {{
            tail(row, col, vec4<f32>(tile_c[at], tile_c[at + 1u], tile_c[at + 2u], tile_c[at + 3u]));
        }}
    }}
    workgroupBarrier();
",
            sums / 4,
            edge * r,
            across / 4,
            across / 4,
        );
    }
    text + "}\n"
}

/// The functions that bring a part of an operand to workgroup memory by way of registers; `lines` are the distances there
/// from one row or column, and from one term, to the next.
fn stage(
    name: &str,
    shape: Fragments,
    across: u32,
    along_k: bool,
    [count, step, step_k]: [&str; 3],
    lines: [u32; 2],
) -> String {
    let depth = shape.depth;
    // Neighbouring invocations read neighbours in memory.
    let [term, line] = if along_k {
        [format!("i % {depth}u"), format!("i / {depth}u")]
    } else {
        [format!("i / {across}u"), format!("i % {across}u")]
    };
    let [line_step, term_step] = lines;
    format!(
        "fn fetch_{name}(phase: u32, start: u32, first: u32, i: u32) -> f16 {{
    let k = start + {term};
    let row = first + {line};
    if k >= terms() || row >= {count} {{ return 0.0h; }}
    return f16({name}_at(phase, row * {step} + k * {step_k}));
}}
fn keep_{name}(i: u32, value: f16) {{
    tile_{name}[({line}) * {line_step}u + ({term}) * {term_step}u] = value;
}}
"
    )
}
