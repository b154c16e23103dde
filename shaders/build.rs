//! Makes the enum `Part` of the WGSL files beside this one: `copy_columns.wgsl` is `Part::CopyColumns`.

use std::{env, fs, io, path::Path};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=.");
    let mut files = Vec::new();
    for entry in fs::read_dir(env::current_dir()?)? {
        let path = entry?.path();
        if let (Some(name), Some("wgsl")) = (path.file_stem(), path.extension().and_then(|ending| ending.to_str())) {
            files.push(name.to_string_lossy().into_owned());
        }
    }
    files.sort();
    let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
    let (mut variants, mut texts) = (String::new(), String::new());
    for name in files {
        let variant: String = name.split('_').map(capital).collect();
        variants += &format!("/// `{name}.wgsl`.\n{variant},\n");
        // Found when the crate is compiled: a checkout may have moved since its target folder was filled.
        let path = format!("concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/{name}.wgsl\")");
        texts += &format!("Self::{variant} => include_str!({path}),\n");
    }
    let text = format!(
        "/// A part of a kernel: one WGSL file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {{ {variants} }}

impl Part {{
/// The WGSL text.
pub fn text(self) -> &'static str {{ match self {{ {texts} }} }}
}}"
    );
    fs::write(Path::new(&env::var("OUT_DIR").unwrap_or_default()).join("parts.rs"), text)
}
