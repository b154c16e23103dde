//! Text separated by commas, by the crate csv.

use std::fmt::Write as _;
use std::io::Write;

use super::{ColumnKind, OutputColumn, Rows};

pub(super) struct Text<W: Write> {
    to: csv::Writer<W>,
    kinds: Vec<ColumnKind>,
    cell: String,
}

impl<W: Write> Text<W> {
    pub(super) fn new(to: W, columns: &[OutputColumn]) -> std::io::Result<Self> {
        let mut to = csv::Writer::from_writer(to);
        to.write_record(columns.iter().map(|column| &column.name))?;
        Ok(Self { to, kinds: columns.iter().map(|column| column.kind.clone()).collect(), cell: String::new() })
    }
}

impl<W: Write> Rows for Text<W> {
    fn push(&mut self, rows: &[f64]) -> std::io::Result<()> {
        for row in rows.chunks_exact(self.kinds.len()) {
            for (&x, kind) in row.iter().zip(&self.kinds) {
                self.cell.clear();
                // The shortest digits that give the same number when they are read.
                let written = match kind {
                    ColumnKind::Single => write!(self.cell, "{}", x as f32),
                    ColumnKind::Double => write!(self.cell, "{x}"),
                    ColumnKind::Whole => write!(self.cell, "{}", x as i64),
                    ColumnKind::Boolean => write!(self.cell, "{}", x != 0.0),
                    ColumnKind::Named(names) => {
                        self.cell.push_str(names.get(x as usize).map_or("", String::as_str));
                        Ok(())
                    }
                };
                written.map_err(std::io::Error::other)?;
                self.to.write_field(&self.cell)?;
            }
            self.to.write_record(None::<&[u8]>)?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> std::io::Result<()> {
        self.to.flush()
    }
}
