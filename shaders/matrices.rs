//! The buffers of the matrices that products work with, which are read and written four numbers at a time where they are
//! `wide`: where all their rows start at multiples of four.

/// The type of a wide matrix' elements, or of another's.
pub(crate) fn element(wide: bool) -> &'static str {
    if wide { "vec4<f32>" } else { "f32" }
}

/// A buffer of a kernel.
fn buffer(name: &str, binding: u32, access: &str, wide: bool) -> String {
    format!("@group(0) @binding({binding}) var<storage, {access}> {name}: array<{}>;\n", element(wide))
}

/// The buffer of an operand at a binding, with functions that give its element `i`, `element_of_NAME(i)`, and the four from
/// there on, `four_of_NAME(i)`. In a `wide` one, these may start at multiples of four only.
///
/// ```
/// let text = strait_shaders::operand("a", 1, true);
/// assert!(text.starts_with("@group(0) @binding(1) var<storage, read> a: array<vec4<f32>>;"));
/// ```
pub fn operand(name: &str, binding: u32, wide: bool) -> String {
    let (one, four) = if wide {
        (format!("{name}[i / 4u][i % 4u]"), format!("{name}[i / 4u]"))
    } else {
        let four = format!("vec4<f32>({name}[i], {name}[i + 1u], {name}[i + 2u], {name}[i + 3u])");
        (format!("{name}[i]"), four)
    };
    let functions = format!(
        "fn element_of_{name}(i: u32) -> f32 {{ return {one}; }}
fn four_of_{name}(i: u32) -> vec4<f32> {{ return {four}; }}
"
    );
    buffer(name, binding, "read", wide) + &functions
}

/// The buffer of a matrix that the tail of a product reads, as wide as the result, with the function `get_NAME(row, col)` that
/// gives four neighbours of a row, of which those behind its end repeat the last.
///
/// ```
/// assert!(strait_shaders::given("y", 3, true).contains("fn get_y(row: u32, col: u32) -> vec4<f32> {"));
/// ```
pub fn given(name: &str, binding: u32, wide: bool) -> String {
    let body = if wide {
        format!("    return {name}[(row * size.n + col) / 4u];\n")
    } else {
        let element = |i: u32| format!("{name}[start + min(col + {i}u, last)]");
        format!(
            "    let start = row * size.n;
    let last = size.n - 1u;
    return vec4<f32>({}, {}, {}, {});
",
            element(0),
            element(1),
            element(2),
            element(3)
        )
    };
    buffer(name, binding, "read", wide) + &format!("fn get_{name}(row: u32, col: u32) -> vec4<f32> {{\n{body}}}\n")
}

/// The buffer of a result of a product, with the function `put_NAME(row, col, value)` that writes four neighbours of a row,
/// or as many as it has.
///
/// ```
/// let text = strait_shaders::result("out", 4, false);
/// assert!(text.contains("fn put_out(row: u32, col: u32, value: vec4<f32>) {"));
/// ```
pub fn result(name: &str, binding: u32, wide: bool) -> String {
    let body = if wide {
        format!("    {name}[(row * size.n + col) / 4u] = value;\n")
    } else {
        format!(
            "    let start = row * size.n + col;
    for (var i = 0u; i < min(4u, size.n - col); i += 1u) {{
        {name}[start + i] = value[i];
    }}
"
        )
    };
    let head = format!("fn put_{name}(row: u32, col: u32, value: vec4<f32>) {{\n");
    buffer(name, binding, "read_write", wide) + &head + &body + "}\n"
}
