//! Where commands write tables.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use strait::models::AtomicFile;
use strait_data::{OutputColumn, OutputFormat, TableWriter};

/// Bytes that are collected before they are written.
const BUFFER: usize = 1 << 20;

/// Where a command writes its table.
#[derive(Args)]
pub(crate) struct Target {
    /// The file: npy, npz, safetensors, csv or parquet, by its ending; - for the standard output
    #[arg(long, short, default_value = "-")]
    out: PathBuf,
    /// The format, where the ending does not name it: npy, npz, safetensors, csv or parquet; csv for the standard output
    #[arg(long)]
    to: Option<OutputFormat>,
}

impl Target {
    /// Refuses to write over a file that is read.
    pub(crate) fn apart(&self, read: &[PathBuf]) -> Result<()> {
        let Ok(out) = self.out.canonicalize() else { return Ok(()) };
        match read.iter().find(|path| path.canonicalize().is_ok_and(|path| path == out)) {
            Some(path) => bail!("--out {}: this is the file that is read; name another one", path.display()),
            None => Ok(()),
        }
    }

    /// Writes a table with `count` rows, which `fill` pushes. The file appears only when it is complete.
    pub(crate) fn write(
        &self,
        columns: &[OutputColumn],
        count: usize,
        fill: impl FnOnce(&mut TableWriter<'_>) -> Result<()>,
    ) -> Result<()> {
        if self.out == Path::new("-") {
            let stdout = BufWriter::with_capacity(BUFFER, std::io::stdout());
            return match written(stdout, self.to.unwrap_or(OutputFormat::Csv), columns, count, fill) {
                // A reader that has seen enough closes the pipe.
                Err(error) if closed(&error) => Ok(()),
                written => written,
            };
        }
        let format = match self.to.map_or_else(|| OutputFormat::of(&self.out), Ok) {
            Ok(format) => format,
            Err(message) => bail!("--out {message}"),
        };
        let place = || format!("--out {}", self.out.display());
        let mut file = AtomicFile::create(&self.out)?;
        written(BufWriter::with_capacity(BUFFER, file.file_mut()), format, columns, count, fill).with_context(place)?;
        Ok(file.commit()?)
    }
}

fn written(
    to: impl Write + Send,
    format: OutputFormat,
    columns: &[OutputColumn],
    count: usize,
    fill: impl FnOnce(&mut TableWriter<'_>) -> Result<()>,
) -> Result<()> {
    let mut table = TableWriter::new(to, format, columns, count)?;
    fill(&mut table)?;
    Ok(table.finish()?)
}

fn closed(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    })
}
