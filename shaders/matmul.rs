//! The function of a matrix product, generated for a tile shape.

use std::fmt::Write;

use crate::staging::{self, Operand, Parts, Stage};
use crate::{Shape, fragments};

/// How a product is cut into tiles. An invocation computes `rows` x (4 `vectors`) elements of C; a workgroup is
/// `teams` times `x` x `y` invocations, a multiple of eight.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Tile {
    /// Rows of an invocation; a multiple of four where operands are staged.
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
    /// Teams of x * y invocations, each of which sums a part of the terms.
    pub teams: u32,
}

impl Tile {
    /// For GPUs, where there are enough tiles to keep one busy.
    pub const HUGE: Self = Self { rows: 16, vectors: 2, x: 16, y: 8, depth: 16, teams: 1 };
    /// For GPUs and products of medium size.
    pub const LARGE: Self = Self { rows: 8, vectors: 1, x: 8, y: 16, depth: 16, teams: 2 };
    /// For GPUs and products with so few tiles that most of the chip would be idle if no teams shared their terms.
    pub const SHARED: Self = Self { rows: 4, vectors: 1, x: 8, y: 8, depth: 16, teams: 4 };
    /// For GPUs and products that are smaller yet.
    pub const NARROW: Self = Self { rows: 4, vectors: 1, x: 8, y: 4, depth: 16, teams: 8 };
    /// For GPUs and the smallest products.
    pub const TINY: Self = Self { rows: 4, vectors: 1, x: 4, y: 4, depth: 8, teams: 16 };
    /// For GPUs whose workgroups share too little memory for the others.
    pub const SMALL: Self = Self { rows: 4, vectors: 1, x: 8, y: 8, depth: 32, teams: 1 };
    /// For adapters that are really a CPU.
    pub const SOFTWARE: Self = Self { rows: 8, vectors: 4, x: 8, y: 1, depth: 0, teams: 1 };

    /// Rows of C that a workgroup computes.
    pub fn height(&self) -> u32 {
        self.rows * self.y
    }

    /// Columns of C that a workgroup computes.
    pub fn width(&self) -> u32 {
        4 * self.vectors * self.x
    }

    /// Bytes of memory that a workgroup shares.
    pub fn workgroup_memory(&self) -> u32 {
        16 * self.teams * self.depth * (stride(self.height()) + stride(self.width()))
    }

    /// Invocations of a workgroup.
    pub fn invocations(&self) -> u32 {
        self.x * self.y * self.teams
    }
}

/// The function `product(group, index)` of C = Σ over `phases` of A B, for the invocation `index` of the workgroup of a tile.
/// It reads operands by `a_at(phase, index)` and `b_at(phase, index)`,
/// or four neighbours by `a_four` and `b_four`, the number of terms by `terms()`, and gives four elements at a time to
/// `tail(row, col, sums)`. `operands` are A and B.
pub fn product(shape: Shape, phases: u32, operands: [Operand; 2]) -> String {
    match shape {
        Shape::Tile(tile) => sums(tile, phases, operands),
        Shape::Fragments(fragments) => fragments::sums(fragments, phases, operands),
    }
}

fn sums(tile: Tile, phases: u32, [a, b]: [Operand; 2]) -> String {
    let mut text = String::new();
    let (height, width) = (tile.height(), tile.width());
    let stages = [
        stage("a", tile, height, a, ["size.m", "size.a_m", "size.a_k"]),
        stage("b", tile, width, b, ["size.n", "size.b_n", "size.b_k"]),
    ];
    if tile.depth > 0 {
        text += &staging::staged(&stages);
    }
    text += &staging::place(height, width);
    // Compilers know how large these can be, and so may add constants to addresses made of them.
    text += &format!(
        "    let local = vec3<u32>(index % {x}u, index / {x}u % {y}u, index / {}u);\n",
        tile.x * tile.y,
        x = tile.x,
        y = tile.y
    );
    text += &format!("    let row = top + local.y * {}u;\n", tile.rows);
    // Where operands are staged, neighbouring invocations take neighbouring vectors, in different banks.
    if tile.depth > 0 {
        text += "    let col = left + local.x * 4u;\n";
    } else {
        text += &format!("    let col = left + local.x * {}u;\n", 4 * tile.vectors);
    }
    let each = || (0..tile.rows).flat_map(|r| (0..tile.vectors).map(move |v| (r, v)));
    for (r, v) in each() {
        text += &format!("    var c{r}_{v} = vec4<f32>(0.0);\n");
    }
    if tile.depth > 0 {
        text += &staged_terms(tile, phases, &stages);
    } else {
        text += &format!("    for (var phase = 0u; phase < {phases}u; phase += 1u) {{\n");
        direct_terms(&mut text, tile);
        text += "    }\n";
    }
    if tile.depth == 0 {
        // A loop compiles many times faster than 32 copies of the tail, and costs a CPU nothing.
        let sums: Vec<String> = each().map(|(r, v)| format!("c{r}_{v}")).collect();
        let (count, vectors) = (sums.len(), tile.vectors);
        text += &format!("    var sums = array<vec4<f32>, {count}>({});\n", sums.join(", "));
        text += &format!("    for (var i = 0u; i < {count}u; i += 1u) {{\n");
        text += &format!("        let r = row + i / {vectors}u;\n        let c = col + 4u * (i % {vectors}u);\n");
        return text + "        if r < size.m && c < size.n { tail(r, c, sums[i]); }\n    }\n}\n";
    }
    if tile.teams > 1 {
        return text + &shared_tail(tile, stages.iter().map(Stage::vectors).sum());
    }
    for (r, v) in each() {
        text += &format!(
            "    if row + {r}u < size.m && col + {offset}u < size.n {{ tail(row + {r}u, col + {offset}u, c{r}_{v}); }}\n",
            offset = 4 * v * tile.x
        );
    }
    text + "}\n"
}

/// Vectors of an operand between two of its terms in workgroup memory: one more than there are, so that invocations that
/// write neighbouring terms use different banks.
fn stride(across: u32) -> u32 {
    across / 4 + 1
}

/// Vectors of an operand's part that an invocation brings.
fn brought(tile: Tile, across: u32) -> u32 {
    tile.depth * across / 4 / (tile.x * tile.y)
}

fn stage<'a>(name: &'a str, tile: Tile, lines: u32, operand: Operand, sizes: [&'a str; 3]) -> Stage<'a> {
    let Tile { depth, teams, .. } = tile;
    let stride = stride(lines);
    Stage { name, operand, lines, depth, along_k: false, stride, teams, element: "f32", sizes }
}

/// The sums over terms that are staged in workgroup memory.
fn staged_terms(tile: Tile, phases: u32, [a, b]: &[Stage<'_>; 2]) -> String {
    let (depth, teams) = (tile.depth, tile.teams);
    let mut text = format!("        for (var k = 0u; k < {depth}u; k += 1u) {{\n");
    let (a_stride, b_stride) = (a.stride, b.stride);
    let team = |size: u32| if teams == 1 { String::new() } else { format!(" + team * {size}u") };
    for v in 0..tile.vectors {
        text += &format!(
            "            let b{v} = tile[{}u + k * {b_stride}u + local.x{}];\n",
            a.vectors() + v * tile.x,
            team(b.of_team())
        );
    }
    for four in 0..tile.rows / 4 {
        text += &format!(
            "            let a_{four} = tile[k * {a_stride}u + local.y * {}u + {four}u{}];\n",
            tile.rows / 4,
            team(a.of_team())
        );
    }
    for r in 0..tile.rows {
        text += &format!("            let a{r} = a_{}.{};\n", r / 4, ["x", "y", "z", "w"][r as usize % 4]);
        multiply_row(&mut text, tile, r);
    }
    text += "        }\n";
    let brought = [tile.height(), tile.width()].map(|across| brought(tile, across));
    let parts = Parts { phases, depth, teams, threads: tile.x * tile.y, brought };
    parts.text("local.z", &format!("local.y * {}u + local.x", tile.x), &text)
}

/// The end of a kernel whose teams have each summed a part of the terms: they lay down as many of their sums as there is room
/// for where the operands were, `memory` vectors, and each adds up and finishes some of these, until all are done.
fn shared_tail(tile: Tile, memory: u32) -> String {
    let Tile { rows, vectors, x, teams, .. } = tile;
    let (threads, all) = (x * tile.y, rows * vectors);
    let fits = |count: &u32| all.is_multiple_of(*count) && teams * threads * count <= memory;
    let count = (1..=all).rev().find(fits).unwrap_or(1);
    let mut text = String::new();
    for first in (0..all).step_by(count as usize) {
        if first > 0 {
            text += "    workgroupBarrier();\n";
        }
        for i in 0..count {
            let (r, v) = ((first + i) / vectors, (first + i) % vectors);
            text += &format!("    tile[(team * {count}u + {i}u) * {threads}u + member] = c{r}_{v};\n");
        }
        text += &format!(
            "    workgroupBarrier();
    for (var i = team; i < {count}u; i += {teams}u) {{
        var sum = tile[i * {threads}u + member];
        for (var other = 1u; other < {teams}u; other += 1u) {{
            sum += tile[(other * {count}u + i) * {threads}u + member];
        }}
        let r = row + ({first}u + i) / {vectors}u;
        let c = col + ({first}u + i) % {vectors}u * {}u;
        if r < size.m && c < size.n {{ tail(r, c, sum); }}
    }}
",
            4 * x,
        );
    }
    text + "}\n"
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
