//! NumPy's arrays, by the crates npyz and zip.

use std::io::Write;

use npyz::WriterBuilder;
use zip::write::{SimpleFileOptions, StreamWriter};

use super::{OutputColumn, Rows, all_single, append};

/// The header and the numbers of an array that is written behind a header.
pub(super) struct Npy<W> {
    to: W,
    single: bool,
    bytes: Vec<u8>,
}

/// The header of an array with `count` rows.
fn header(columns: &[OutputColumn], count: usize) -> std::io::Result<Vec<u8>> {
    let mut header = Vec::new();
    let shape = [count as u64, columns.len() as u64];
    // Given no numbers, the writer has written its header alone; it is dropped before it counts them.
    if all_single(columns) {
        drop(npyz::WriteOptions::<f32>::new().default_dtype().shape(&shape).writer(&mut header).begin_nd()?);
    } else {
        drop(npyz::WriteOptions::<f64>::new().default_dtype().shape(&shape).writer(&mut header).begin_nd()?);
    }
    Ok(header)
}

impl<W: Write> Npy<W> {
    pub(super) fn new(mut to: W, columns: &[OutputColumn], count: usize) -> std::io::Result<Self> {
        to.write_all(&header(columns, count)?)?;
        Ok(Self { to, single: all_single(columns), bytes: Vec::new() })
    }
}

impl<W: Write> Rows for Npy<W> {
    fn push(&mut self, rows: &[f64]) -> std::io::Result<()> {
        append(&mut self.bytes, rows, self.single);
        self.to.write_all(&self.bytes)
    }

    fn finish(mut self: Box<Self>) -> std::io::Result<()> {
        self.to.flush()
    }
}

/// The same as the only array of an archive.
pub(super) struct Npz<W: Write> {
    to: zip::ZipWriter<StreamWriter<W>>,
    single: bool,
    bytes: Vec<u8>,
}

impl<W: Write> Npz<W> {
    pub(super) fn new(to: W, columns: &[OutputColumn], count: usize) -> std::io::Result<Self> {
        let mut to = zip::ZipWriter::new_stream(to);
        // As numpy.savez stores arrays; sizes that are not known beforehand may take 64 bits.
        let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored).large_file(true);
        to.start_file("rows.npy", options)?;
        to.write_all(&header(columns, count)?)?;
        Ok(Self { to, single: all_single(columns), bytes: Vec::new() })
    }
}

impl<W: Write> Rows for Npz<W> {
    fn push(&mut self, rows: &[f64]) -> std::io::Result<()> {
        append(&mut self.bytes, rows, self.single);
        self.to.write_all(&self.bytes)
    }

    fn finish(self: Box<Self>) -> std::io::Result<()> {
        self.to.finish()?.into_inner().flush()
    }
}
