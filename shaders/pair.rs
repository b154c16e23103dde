//! Two products that do not depend on each other in one kernel: what one of them leaves idle of a GPU, the other uses, and
//! the wait between two dispatches is saved.

use std::collections::{BTreeMap, BTreeSet};

/// By how much the bindings of the second product are higher.
pub const SECOND: u32 = 16;

/// The declaration of the sizes of a product that is alone in its kernel.
pub const SIZE: &str = "@group(0) @binding(0) var<uniform> size: Product;\n";

/// The call of a product, or of `other(number, invocation)` in the workgroups behind it where there is such a function. That
/// one branches here and does not return early from the product keeps control flow uniform for cooperative matrices.
fn call(size: &str, suffix: &str, [x, y]: [&str; 2], others: bool) -> String {
    let product = format!("product{suffix}(vec2<u32>({x}, {y}), index);\n");
    if !others {
        return format!("    {product}");
    }
    format!(
        "    if {x} >= {size}.across {{
        other{suffix}(({x} - {size}.across) * {size}.down + {y}, index);
    }} else {{
        {product}    }}
"
    )
}

/// The end of a kernel of one product: its sizes and the main function. With `others`, workgroups behind those of the product
/// call `other(number, invocation)`.
///
/// ```
/// assert!(strait_shaders::alone(64, false).contains("@workgroup_size(64)"));
/// ```
pub fn alone(invocations: u32, others: bool) -> String {
    let call = call("size", "", ["group.x", "group.y"], others);
    format!(
        "{SIZE}@compute @workgroup_size({invocations})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {{
{call}}}
"
    )
}

/// The text of a kernel that computes two products, given the texts of what each needs beside the prelude, and whether it has
/// others. The workgroups of the second are behind those of the first; its bindings are [`SECOND`] higher. A workgroup
/// computes one of both, so that they have the memory for their operands in common.
///
/// ```
/// let product = "struct Product { grid: u32 }
/// var<workgroup> tile: array<vec4<f32>, 8>;
/// fn product(group: vec2<u32>, index: u32) {}
/// ";
/// let text = strait_shaders::pair([product; 2], [false; 2], 64);
/// assert!(text.contains("fn product_first(group") && text.contains("fn product_second(group"));
/// assert_eq!(text.matches("var<workgroup> tile: array<vec4<f32>, 8>;").count(), 1);
/// ```
pub fn pair(texts: [&str; 2], others: [bool; 2], invocations: u32) -> String {
    let mut shared: BTreeMap<&str, u32> = BTreeMap::new();
    for (array, length) in texts.iter().flat_map(|text| text.lines().filter_map(memory)) {
        let longest = shared.entry(array).or_default();
        *longest = length.max(*longest);
    }
    let declarations: String = shared.iter().map(|(array, length)| format!("{array}{length}>;\n")).collect();
    let (first, second) = (renamed(texts[0], "first", 0), renamed(texts[1], "second", SECOND));
    let call_first = call("sizes.first", "_first", ["x", "y"], others[0]);
    let call_second = call("sizes.second", "_second", ["x", "y"], others[1]);
    format!(
        "{declarations}{first}{second}struct Sizes {{
    @align(16) first: Product_first,
    @align(16) second: Product_second,
}}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@compute @workgroup_size({invocations})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {{
    let count = sizes.first.grid * sizes.first.down;
    if group.x < count {{
        let x = group.x % sizes.first.grid;
        let y = group.x / sizes.first.grid;
    {call_first}    }} else {{
        let x = (group.x - count) % sizes.second.grid;
        let y = (group.x - count) / sizes.second.grid;
    {call_second}    }}
}}
"
    )
}

/// The declaration of memory of a workgroup up to its length, and that, where it is a number.
fn memory(line: &str) -> Option<(&str, u32)> {
    let (array, length) = line.strip_prefix("var<workgroup> ").and(line.strip_suffix(">;"))?.rsplit_once(' ')?;
    Some((&line[..=array.len()], length.parse().ok()?))
}

/// A word of WGSL or what is between two words.
enum Token<'a> {
    Word(&'a str),
    Other(&'a str),
}

fn tokens(text: &str) -> Vec<Token<'_>> {
    let in_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let (mut found, mut rest) = (Vec::new(), text);
    while let Some(c) = rest.chars().next() {
        let word = in_word(c);
        let end = rest.find(|c| in_word(c) != word).unwrap_or(rest.len());
        let (token, behind) = rest.split_at(end);
        found.push(if word { Token::Word(token) } else { Token::Other(token) });
        rest = behind;
    }
    found
}

/// The names that a text declares outside of functions.
fn declared(text: &str) -> BTreeSet<&str> {
    text.lines()
        .filter(|line| memory(line).is_none())
        .filter_map(|line| {
            // Everything inside of a function or a structure is indented; attributes come before what they describe.
            let start = ["fn ", "const ", "struct ", "var<"].iter().filter_map(|word| line.find(word)).min()?;
            if line.starts_with([' ', '/', '}']) {
                return None;
            }
            let behind = line[start..].split_once(if line[start..].starts_with("var<") { "> " } else { " " })?.1;
            behind.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).next()
        })
        .collect()
}

/// The text with `_suffix` behind all names that it declares, its sizes in the structure of both, and its own bindings so
/// much higher.
fn renamed(text: &str, suffix: &str, higher: u32) -> String {
    let names = declared(text);
    let own: String = text.lines().filter(|line| memory(line).is_none()).map(|line| format!("{line}\n")).collect();
    let mut out = String::with_capacity(2 * text.len());
    let (mut before, mut binding) = ("", false);
    let tokens = tokens(&own);
    for (i, token) in tokens.iter().enumerate() {
        match *token {
            Token::Other(other) => {
                out += other;
                before = other;
            }
            Token::Word(word) => {
                let member = before.ends_with('.');
                // A field where a structure declares it.
                let field = before.ends_with("    ") && matches!(tokens.get(i + 1), Some(Token::Other(": ")));
                if binding && before == "(" {
                    binding = false;
                    out += &word.parse::<u32>().map_or(word.to_owned(), |number| (number + higher).to_string());
                } else if word == "size" && !member && !field {
                    out += &format!("sizes.{suffix}");
                } else if names.contains(word) && !member && !field {
                    out += &format!("{word}_{suffix}");
                } else {
                    out += word;
                }
                // Group 1 is that of the step, which both share.
                if word == "binding" && out.ends_with("@group(0) @binding") {
                    binding = true;
                }
            }
        }
    }
    out
}
