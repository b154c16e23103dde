//! One tensor of the name `rows`. The crate safetensors writes tensors that are in memory as a whole, so the header, which is a length and a
//! line of JSON, is written here.

use std::io::Write;

use super::{OutputColumn, Rows, all_single, append};

pub(super) struct Safetensors<W> {
    to: W,
    single: bool,
    bytes: Vec<u8>,
}

impl<W: Write> Safetensors<W> {
    pub(super) fn new(mut to: W, columns: &[OutputColumn], count: usize) -> std::io::Result<Self> {
        let single = all_single(columns);
        let (dtype, size) = if single { ("F32", 4) } else { ("F64", 8) };
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        let header = serde_json::json!({
            "__metadata__": {"columns": serde_json::to_string(&names)?},
            "rows": {"dtype": dtype, "shape": [count, columns.len()], "data_offsets": [0, size * count * columns.len()]},
        });
        let mut header = header.to_string();
        // Numbers begin at a multiple of 8 bytes.
        while !header.len().is_multiple_of(8) {
            header.push(' ');
        }
        to.write_all(&(header.len() as u64).to_le_bytes())?;
        to.write_all(header.as_bytes())?;
        Ok(Self { to, single, bytes: Vec::new() })
    }
}

impl<W: Write> Rows for Safetensors<W> {
    fn push(&mut self, rows: &[f64]) -> std::io::Result<()> {
        append(&mut self.bytes, rows, self.single);
        self.to.write_all(&self.bytes)
    }

    fn finish(mut self: Box<Self>) -> std::io::Result<()> {
        self.to.flush()
    }
}
