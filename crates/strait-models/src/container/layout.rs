//! The bytes of a safetensors file: a header, and the tensors behind it, with a checksum of each.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{Seek, SeekFrom, Write};
use std::ops::Range;

use safetensors::tensor::Dtype;
use serde_json::{Value, json};

/// The metadata key of the checksums: CRC-32C as eight digits each, first that of the header, then those of the tensors as they lie.
pub(crate) const CHECKSUMS: &str = "strait.crc32c";

/// Digits of a checksum.
const DIGITS: usize = 8;

/// Where a file's header begins, behind its length.
const START: usize = 8;

/// What a header says of a tensor.
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<usize>,
}

impl Entry {
    fn bytes(&self) -> usize {
        self.shape.iter().product::<usize>() * self.dtype.bitsize() / 8
    }
}

/// A file that is about to be written.
pub(crate) struct Layout {
    header: Vec<u8>,
    /// The tensors as they lie: by falling size of a number, then by name, as the crate safetensors has them.
    order: Vec<usize>,
    /// Where the checksums' digits begin in the header.
    digits: usize,
}

impl Layout {
    /// The layout of these tensors. Everything is sorted: equal contents are equal files.
    pub(crate) fn new(mut metadata: BTreeMap<String, String>, tensors: &[Entry]) -> Self {
        let mut order: Vec<usize> = (0..tensors.len()).collect();
        order.sort_by(|&i, &j| {
            let (left, right) = (&tensors[i], &tensors[j]);
            right.dtype.bitsize().cmp(&left.dtype.bitsize()).then_with(|| left.name.cmp(&right.name))
        });
        metadata.insert(CHECKSUMS.to_owned(), "0".repeat(DIGITS * (1 + tensors.len())));
        let mut entries = BTreeMap::from([("__metadata__", json!(metadata))]);
        let mut start = 0;
        for &i in &order {
            let entry = &tensors[i];
            let end = start + entry.bytes();
            let described = json!({"data_offsets": [start, end], "dtype": entry.dtype, "shape": entry.shape});
            entries.insert(&entry.name, described);
            start = end;
        }
        let mut header = json!(entries).to_string().into_bytes();
        // Numbers lie where their size allows to use them in place.
        header.resize(header.len().next_multiple_of(8), b' ');
        let Some(digits) = place_of_digits(&header) else { unreachable!("they were just written") };
        Self { header, order, digits }
    }

    /// Writes the file. `tensor` gives the bytes of a tensor by its number, in whatever order the file has them.
    pub(crate) fn write<'b, W: Write + Seek + ?Sized, E: From<std::io::Error>>(
        &self,
        out: &mut W,
        mut tensor: impl FnMut(usize) -> Result<Cow<'b, [u8]>, E>,
    ) -> Result<(), E> {
        let mut header = self.header.clone();
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(&header)?;
        for (place, &number) in self.order.iter().enumerate() {
            let bytes = tensor(number)?;
            put(&mut header, self.digits + DIGITS * (1 + place), crc32c::crc32c(&bytes));
            out.write_all(&bytes)?;
        }
        let own = crc32c::crc32c(&header);
        put(&mut header, self.digits, own);
        out.seek(SeekFrom::Start(START as u64))?;
        out.write_all(&header)?;
        out.flush()?;
        Ok(())
    }
}

fn put(header: &mut [u8], place: usize, sum: u32) {
    header[place..place + DIGITS].copy_from_slice(format!("{sum:08x}").as_bytes());
}

/// Where the digits of the checksums begin: a quotation mark inside a name or value would have a backslash before it.
fn place_of_digits(header: &[u8]) -> Option<usize> {
    let key = format!("\"{CHECKSUMS}\":\"");
    let found = header.windows(key.len()).position(|window| window == key.as_bytes());
    found.map(|start| start + key.len())
}

/// Where the header lies in a file that the crate safetensors has checked.
pub(crate) fn header(bytes: &[u8]) -> Range<usize> {
    let length = bytes[..START].iter().rev().fold(0, |sum, &byte| sum << 8 | usize::from(byte));
    START..START + length
}

/// Compares a file with its checksums, which it must have. The header must have been checked.
///
/// # Errors
/// With what is damaged.
pub(crate) fn verify_present(bytes: &[u8]) -> Result<(), String> {
    place_of_digits(&bytes[header(bytes)]).ok_or_else(|| format!("its metadata have no `{CHECKSUMS}`"))?;
    verify(bytes)
}

/// Compares a file with its checksums, where it has any. The header must have been checked.
///
/// # Errors
/// With what is damaged.
pub(crate) fn verify(bytes: &[u8]) -> Result<(), String> {
    let place = header(bytes);
    let (header, data) = (&bytes[place.clone()], &bytes[place.end..]);
    let Some(digits) = place_of_digits(header) else {
        return Ok(());
    };
    let sum_at = |place: usize| {
        let text = header.get(digits + DIGITS * place..digits + DIGITS * (place + 1));
        text.and_then(|text| std::str::from_utf8(text).ok()).and_then(|text| u32::from_str_radix(text, 16).ok())
    };
    let differs = |what: &str| {
        format!(
            "{what} differs from its checksum: the file is damaged, or another program changed it and kept `{CHECKSUMS}` in \
             its metadata; remove that entry to take it as it is"
        )
    };
    let mut blank = header.to_vec();
    blank[digits..].iter_mut().take(DIGITS).for_each(|digit| *digit = b'0');
    if sum_at(0) != Some(crc32c::crc32c(&blank)) {
        return Err(differs("its header"));
    }
    let entries: BTreeMap<String, Value> = serde_json::from_slice(header).map_err(|error| error.to_string())?;
    let offset = |entry: &Value, end: usize| entry["data_offsets"][end].as_u64().map(|offset| offset as usize);
    let mut tensors: Vec<_> =
        entries.iter().filter_map(|(name, entry)| Some((offset(entry, 0)?, offset(entry, 1)?, name))).collect();
    tensors.sort_unstable();
    for (place, (start, end, name)) in tensors.into_iter().enumerate() {
        if sum_at(1 + place) != data.get(start..end).map(crc32c::crc32c) {
            return Err(differs(&format!("tensor `{name}`")));
        }
    }
    Ok(())
}
