//! Kernels on tensors that lie in several buffers, since they are larger than one that a kernel can bind.

/// A tensor of a kernel that lies in pieces.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pieces {
    /// The binding that the kernel's text knows it by; the first piece takes it.
    pub binding: u32,
    /// The bindings of the other pieces.
    pub others: Vec<u32>,
    /// Words of each piece but the last: a power of two, at least four.
    pub words: u32,
}

/// What the text declares.
struct Declared<'a> {
    line: &'a str,
    access: &'a str,
    name: &'a str,
    element: &'a str,
}

fn declared(text: &str, binding: u32) -> Option<Declared<'_>> {
    let start = format!("@group(0) @binding({binding}) var<storage, ");
    let line = text.lines().find(|line| line.starts_with(&start))?;
    let (access, rest) = line[start.len()..].split_once("> ")?;
    let (name, rest) = rest.split_once(": array<")?;
    Some(Declared { line, access, name, element: rest.strip_suffix(">;")? })
}

/// The length of the text up to the bracket that closes the one before it.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 1;
    text.char_indices().find_map(|(at, letter)| {
        depth += i32::from(letter == '[') - i32::from(letter == ']');
        (depth == 0).then_some(at)
    })
}

impl Pieces {
    /// The text with its accesses to the tensor, `name[i]` and `name[i] = value;`, made to the piece that holds element
    /// `i`. A text that declares nothing there stays as it is.
    ///
    /// ```
    /// let text = "@group(0) @binding(1) var<storage, read_write> out: array<f32>;\n\
    ///             fn set(i: u32) { out[i + 1u] = 2.0 * out[i]; }\n";
    /// let pieces = strait_shaders::Pieces { binding: 1, others: vec![9], words: 16 };
    /// let text = pieces.apply(text);
    /// assert!(text.contains("@binding(9) var<storage, read_write> out_1: array<f32>;"));
    /// assert!(text.contains("fn set(i: u32) { write_out(i + 1u, 2.0 * read_out(i)); }"));
    /// ```
    pub fn apply(&self, text: &str) -> String {
        let Some(Declared { line, access, name, element }) = declared(text, self.binding) else {
            return text.to_owned();
        };
        let (before, after) = text.split_once(line).unwrap_or((text, ""));
        // What stands in comments is no access.
        let call = |part: &str| {
            let lines = part.split_inclusive('\n').map(|line| match line.find("//") {
                Some(at) => calls(&line[..at], name) + &line[at..],
                None => calls(line, name),
            });
            lines.collect::<String>()
        };
        call(before) + &self.declaration(access, name, element) + &call(after)
    }

    fn declaration(&self, access: &str, name: &str, element: &str) -> String {
        let Self { binding, others, words } = self;
        let bindings = || std::iter::once(binding).chain(others).enumerate();
        let mut text = String::new();
        for (piece, binding) in bindings() {
            text +=
                &format!("@group(0) @binding({binding}) var<storage, {access}> {name}_{piece}: array<{element}>;\n");
        }
        let elements = if element == "vec4<f32>" { words / 4 } else { *words };
        let (shift, mask) = (elements.ilog2(), elements - 1);
        let mut choose = |head: String, each: &dyn Fn(usize) -> String| {
            text += &format!("{head} {{\n    let at = i & {mask}u;\n    switch i >> {shift}u {{\n");
            for (piece, _) in bindings().skip(1) {
                text += &format!("        case {piece}u: {{ {} }}\n", each(piece));
            }
            text += &format!("        default: {{ {} }}\n    }}\n}}\n", each(0));
        };
        choose(format!("fn read_{name}(i: u32) -> {element}"), &|piece| format!("return {name}_{piece}[at];"));
        if access == "read_write" {
            let head = format!("fn write_{name}(i: u32, value: {element})");
            choose(head, &|piece| format!("{name}_{piece}[at] = value;"));
        }
        text
    }
}

/// The text with `name[i] = value;` as `write_name(i, value);` and every other `name[i]` as `read_name(i)`.
fn calls(text: &str, name: &str) -> String {
    let (mut done, mut rest) = (String::new(), text);
    let access = format!("{name}[");
    while let Some(at) = rest.find(&access) {
        let (before, found) = rest.split_at(at);
        done += before;
        let inside = &found[access.len()..];
        let other = before.ends_with(|letter: char| letter.is_alphanumeric() || letter == '_' || letter == '.');
        let Some(length) = closing(inside).filter(|_| !other) else {
            done += &access;
            rest = inside;
            continue;
        };
        let (index, behind) = (calls(&inside[..length], name), &inside[length + 1..]);
        match behind.strip_prefix(" = ").and_then(|value| value.split_once(';')) {
            Some((value, behind)) => {
                done += &format!("write_{name}({index}, {});", calls(value, name));
                rest = behind;
            }
            None => {
                done += &format!("read_{name}({index})");
                rest = behind;
            }
        }
    }
    done + rest
}
