//! Safetensors files, alone or as the shards of an index.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use safetensors::{Dtype, SafeTensors};
use serde::Deserializer;
use serde::de::{IgnoredAny, MapAccess, Visitor};

use crate::array::{Array, Layout};
use crate::element::Element;
use crate::guard::guarded;
use crate::open::Entry;
use crate::packing::{Bytes, Content};
use crate::{Error, Result};

/// Tensors of one or several files.
pub(crate) struct Tensors {
    pub(crate) entries: Vec<Entry>,
    /// The tensors whose numbers can be read, by name.
    arrays: BTreeMap<String, Array>,
}

/// The tensors of a file.
pub(crate) fn one(path: &Path, bytes: &Arc<Bytes>) -> Result<Tensors> {
    let wrong = |message: String| Error::format(path, message);
    // The crate takes blanks before the header, and drops all but the last of tensors that share a name.
    if bytes.get(8) != Some(&b'{') {
        return Err(wrong("this is not a valid safetensors file: its header does not begin with a brace".to_owned()));
    }
    if let Some(name) = repeated_name(bytes) {
        return Err(wrong(format!("it has two tensors `{name}`")));
    }
    let file = SafeTensors::deserialize(bytes)
        .map_err(|error| wrong(format!("this is not a valid safetensors file ({error})")))?;
    let (mut entries, mut arrays) = (Vec::new(), BTreeMap::new());
    let mut views = file.iter().collect::<Vec<_>>();
    views.sort_by_key(|(name, _)| natural(name));
    for (name, view) in views {
        let element = element(view.dtype());
        entries.push(Entry { name: name.to_owned(), element, shape: view.shape().to_vec() });
        let Some(element) = element else { continue };
        // Where the crate found the tensor in the bytes that it was given.
        let start = view.data().as_ptr() as usize - bytes.as_ptr() as usize;
        let layout = Layout { element, big: false, fortran: false, shape: view.shape().to_vec() };
        arrays.insert(name.to_owned(), Array::new(path, bytes.clone(), start, layout)?);
    }
    Ok(Tensors { entries, arrays })
}

/// A name that comes twice in the header.
fn repeated_name(bytes: &[u8]) -> Option<String> {
    struct Names;
    impl<'de> Visitor<'de> for Names {
        type Value = Option<String>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("tensors by name")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Self::Value, A::Error> {
            let (mut seen, mut repeated) = (HashSet::new(), None);
            while let Some((name, IgnoredAny)) = map.next_entry::<String, IgnoredAny>()? {
                if !seen.insert(name.clone()) {
                    repeated = Some(name);
                }
            }
            Ok(repeated)
        }
    }
    let (length, rest) = bytes.split_first_chunk()?;
    let header = rest.get(..usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    serde_json::Deserializer::from_slice(header).deserialize_map(Names).ok().flatten()
}

fn element(kind: Dtype) -> Option<Element> {
    Some(match kind {
        Dtype::BOOL => Element::Bool,
        Dtype::I8 => Element::I8,
        Dtype::U8 => Element::U8,
        Dtype::I16 => Element::I16,
        Dtype::U16 => Element::U16,
        Dtype::I32 => Element::I32,
        Dtype::U32 => Element::U32,
        Dtype::I64 => Element::I64,
        Dtype::U64 => Element::U64,
        Dtype::F16 => Element::F16,
        Dtype::BF16 => Element::Bf16,
        Dtype::F32 => Element::F32,
        Dtype::F64 => Element::F64,
        _ => return None,
    })
}

/// The tensors of all files that an index of Hugging Face's form names.
pub(crate) fn indexed(path: &Path, bytes: &[u8], most: u64) -> Result<Tensors> {
    #[derive(serde::Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let wrong = |message: String| Error::format(path, message);
    let index: Index = serde_json::from_slice(bytes)
        .map_err(|error| wrong(format!("this is not an index of safetensors files ({error})")))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let (mut entries, mut arrays): (Vec<Entry>, _) = (Vec::new(), BTreeMap::new());
    let shards: std::collections::BTreeSet<&String> = index.weight_map.values().collect();
    for shard in shards {
        // A shard lies beside its index: a name that leads elsewhere is refused.
        if Path::new(shard).file_name() != Some(shard.as_ref()) {
            return Err(wrong(format!("it names the file `{shard}`, which does not lie beside it")));
        }
        let file = folder.join(shard);
        let bytes = Arc::new(Content::open(&file, most)?.bytes);
        let tensors = guarded(&file, || one(&file, &bytes))?;
        for entry in &tensors.entries {
            match index.weight_map.get(&entry.name) {
                Some(home) if home == shard => {}
                Some(home) => {
                    return Err(wrong(format!("it says that `{}` is in {home}, but it is in {shard}", entry.name)));
                }
                None => return Err(wrong(format!("it does not name `{}`, which is in {shard}", entry.name))),
            }
        }
        entries.extend(tensors.entries);
        arrays.extend(tensors.arrays);
    }
    let there: HashSet<&String> = entries.iter().map(|entry| &entry.name).collect();
    if let Some((name, file)) = index.weight_map.iter().find(|(name, _)| !there.contains(name)) {
        return Err(wrong(format!("it says that `{name}` is in {file}, which has no such tensor")));
    }
    entries.sort_by_key(|entry| natural(&entry.name));
    Ok(Tensors { entries, arrays })
}

impl Tensors {
    /// The tensor of that name; without a name the only one, or all of them where they are one table in parts: their names differ
    /// only in a number, and their rows have one width.
    pub(crate) fn chosen(&self, path: &Path, wanted: Option<&str>) -> Result<Vec<Array>> {
        let array = |entry: &Entry| {
            self.arrays.get(&entry.name).cloned().ok_or_else(|| {
                Error::format(
                    path,
                    format!("tensor `{}` is of a type other than real numbers and booleans", entry.name),
                )
            })
        };
        if let Some(wanted) = wanted {
            let found = self.entries.iter().find(|entry| entry.name == wanted);
            return Ok(vec![array(found.ok_or_else(|| self.unnamed(path, Some(wanted)))?)?]);
        }
        let parts = self.entries.len() == 1 || self.are_parts();
        if !parts {
            return Err(self.unnamed(path, None));
        }
        self.entries.iter().map(array).collect()
    }

    /// Whether the tensors are the numbered parts of one table.
    fn are_parts(&self) -> bool {
        let Some(first) = self.entries.first() else { return false };
        let stem = without_number(&first.name);
        let mut numbers = HashSet::new();
        stem.is_some()
            && self.entries.iter().all(|entry| {
                let parts = without_number(&entry.name);
                let number = natural(&entry.name);
                parts.as_ref() == stem.as_ref()
                    && numbers.insert(number)
                    && entry.shape.len() > 1
                    && entry.shape[1..] == first.shape[1..]
                    && entry.element == first.element
            })
    }

    fn unnamed(&self, path: &Path, wanted: Option<&str>) -> Error {
        crate::open::unchosen(path, "tensor", wanted, &self.entries)
    }
}

/// A name with its numbers as numbers, so that 2 comes before 10.
fn natural(name: &str) -> Vec<(String, u128)> {
    let mut parts = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (text, tail) = rest.split_at(digits);
        let end = tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len());
        let (number, tail) = tail.split_at(end);
        parts.push((text.to_owned(), number.parse().unwrap_or(0)));
        rest = tail;
    }
    parts
}

/// What stands before and behind the last number of a name.
fn without_number(name: &str) -> Option<(String, String)> {
    let end = name.rfind(|c: char| c.is_ascii_digit())? + 1;
    let start = name[..end].rfind(|c: char| !c.is_ascii_digit()).map_or(0, |i| i + 1);
    Some((name[..start].to_owned(), name[end..].to_owned()))
}
