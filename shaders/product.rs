//! The main function of a matrix product, generated for a tile shape.

use std::fmt::Write;

/// How a product is cut into tiles. An invocation computes `rows` x (4 `vectors`) elements of C; a workgroup is
/// `x` x `y` invocations.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Tile {
    /// Rows of an invocation.
    pub rows: u32,
    /// Vectors of four columns of an invocation.
    pub vectors: u32,
    /// Invocations of a workgroup along the columns.
    pub x: u32,
    /// Invocations of a workgroup along the rows.
    pub y: u32,
    /// Terms that are staged at once in workgroup memory; 0 reads the operands from global memory, which software
    /// adapters do faster.
    pub depth: u32,
}

impl Tile {
    /// For GPUs, where there are enough tiles to keep one busy.
    pub const LARGE: Self = Self { rows: 4, vectors: 1, x: 16, y: 16, depth: 16 };
    /// For GPUs and small products.
    pub const SMALL: Self = Self { rows: 2, vectors: 1, x: 8, y: 16, depth: 32 };
    /// For adapters that are really a CPU.
    pub const SOFTWARE: Self = Self { rows: 8, vectors: 4, x: 8, y: 1, depth: 0 };

    /// Rows of C that a workgroup computes.
    pub fn height(&self) -> u32 {
        self.rows * self.y
    }

    /// Columns of C that a workgroup computes.
    pub fn width(&self) -> u32 {
        4 * self.vectors * self.x
    }
}

/// The main function of C = Σ over `phases` of A B. It reads operands by `a_at(phase, index)` and `b_at(phase, index)`,
/// the number of terms by `terms()`, and gives four elements at a time to `tail(row, col, sums)`. `a_along_k` and
/// `b_along_k` say whether neighbouring terms are neighbours in memory. With `others`, workgroups behind those of the
/// product call `other(number, invocation)`.
pub fn product(tile: Tile, phases: u32, a_along_k: bool, b_along_k: bool, others: bool) -> String {
    let mut text = String::new();
    let (height, width, threads) = (tile.height(), tile.width(), tile.x * tile.y);
    if tile.depth > 0 {
        text += &format!("var<workgroup> tile_a: array<f32, {}>;\n", tile.depth * height);
        text += &format!("var<workgroup> tile_b: array<f32, {}>;\n", tile.depth * width);
    }
    text += &format!("@compute @workgroup_size({}, {})\n", tile.x, tile.y);
    text += "fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>,\n";
    text += "        @builtin(local_invocation_index) index: u32) {\n";
    if others {
        text += "    if group.x >= size.across {\n";
        text += "        other((group.x - size.across) * size.down + group.y, index);\n        return;\n    }\n";
    }
    text += &format!("    let top = group.y * {height}u;\n    let left = group.x * {width}u;\n");
    text += &format!(
        "    let row = top + local.y * {}u;\n    let col = left + local.x * {}u;\n",
        tile.rows,
        4 * tile.vectors
    );
    let each = || (0..tile.rows).flat_map(|r| (0..tile.vectors).map(move |v| (r, v)));
    for (r, v) in each() {
        text += &format!("    var c{r}_{v} = vec4<f32>(0.0);\n");
    }
    text += &format!("    for (var phase = 0u; phase < {phases}u; phase += 1u) {{\n");
    if tile.depth > 0 {
        staged_terms(&mut text, tile, threads, a_along_k, b_along_k);
    } else {
        direct_terms(&mut text, tile);
    }
    text += "    }\n";
    if tile.depth == 0 {
        // A loop compiles many times faster than 32 copies of the tail, and costs a CPU nothing.
        let sums: Vec<String> = each().map(|(r, v)| format!("c{r}_{v}")).collect();
        let (count, vectors) = (sums.len(), tile.vectors);
        text += &format!("    var sums = array<vec4<f32>, {count}>({});\n", sums.join(", "));
        text += &format!("    for (var i = 0u; i < {count}u; i += 1u) {{\n");
        text += &format!("        let r = row + i / {vectors}u;\n        let c = col + 4u * (i % {vectors}u);\n");
        return text + "        if r < size.m && c < size.n { tail(r, c, sums[i]); }\n    }\n}\n";
    }
    for (r, v) in each() {
        text += &format!(
            "    if row + {r}u < size.m && col + {offset}u < size.n {{ tail(row + {r}u, col + {offset}u, c{r}_{v}); }}\n",
            offset = 4 * v
        );
    }
    text + "}\n"
}

/// The sums over terms that are staged in workgroup memory.
fn staged_terms(text: &mut String, tile: Tile, threads: u32, a_along_k: bool, b_along_k: bool) {
    let (height, width, depth) = (tile.height(), tile.width(), tile.depth);
    // Neighbouring invocations read neighbours in memory.
    let split = |along_k: bool, across: u32| {
        if along_k {
            (format!("i / {depth}u"), format!("i % {depth}u"))
        } else {
            (format!("i % {across}u"), format!("i / {across}u"))
        }
    };
    let (m, k) = split(a_along_k, height);
    *text += &format!(
        "        for (var start = 0u; start < terms(); start += {depth}u) {{
            for (var i = index; i < {a_size}u; i += {threads}u) {{
                let m = {m};
                let k = {k};
                var value = 0.0;
                if top + m < size.m && start + k < terms() {{
                    value = a_at(phase, (top + m) * size.a_m + (start + k) * size.a_k);
                }}
                tile_a[k * {height}u + m] = value;
            }}
",
        a_size = depth * height,
    );
    let (n, k) = split(b_along_k, width);
    *text += &format!(
        "            for (var i = index; i < {b_size}u; i += {threads}u) {{
                let n = {n};
                let k = {k};
                var value = 0.0;
                if left + n < size.n && start + k < terms() {{
                    value = b_at(phase, (start + k) * size.b_k + (left + n) * size.b_n);
                }}
                tile_b[k * {width}u + n] = value;
            }}
            workgroupBarrier();
            for (var k = 0u; k < {depth}u; k += 1u) {{
",
        b_size = depth * width,
    );
    for v in 0..tile.vectors {
        *text += &format!("                let at{v} = k * {width}u + local.x * {}u + {}u;\n", 4 * tile.vectors, 4 * v);
        *text += &format!(
            "                let b{v} = vec4<f32>(tile_b[at{v}], tile_b[at{v} + 1u], tile_b[at{v} + 2u], tile_b[at{v} + 3u]);\n"
        );
    }
    for r in 0..tile.rows {
        *text += &format!("                let a{r} = tile_a[k * {height}u + local.y * {}u + {r}u];\n", tile.rows);
        multiply_row(text, tile, r);
    }
    *text += "            }\n            workgroupBarrier();\n        }\n";
}

/// The sums over terms that are read from global memory; rows and columns beyond the ends repeat the last ones.
fn direct_terms(text: &mut String, tile: Tile) {
    for r in 0..tile.rows {
        *text += &format!("        let row{r} = min(row + {r}u, size.m - 1u) * size.a_m;\n");
    }
    for c in 0..4 * tile.vectors {
        *text += &format!("        let col{c} = min(col + {c}u, size.n - 1u) * size.b_n;\n");
    }
    *text += "        for (var k = 0u; k < terms(); k += 1u) {\n";
    *text += "            let at_a = k * size.a_k;\n            let at_b = k * size.b_k;\n";
    for v in 0..tile.vectors {
        let elements: Vec<String> = (0..4).map(|i| format!("b_at(phase, at_b + col{})", 4 * v + i)).collect();
        *text += &format!("            let b{v} = vec4<f32>({});\n", elements.join(", "));
    }
    for r in 0..tile.rows {
        *text += &format!("            let a{r} = a_at(phase, at_a + row{r});\n");
        multiply_row(text, tile, r);
    }
    *text += "        }\n";
}

fn multiply_row(text: &mut String, tile: Tile, r: u32) {
    for v in 0..tile.vectors {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "            c{r}_{v} = fma(vec4<f32>(a{r}), b{v}, c{r}_{v});");
    }
}
