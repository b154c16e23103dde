//! `strait nearest`: search by codes.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use strait::data::DataArgs;
use strait::models::nearest;
use strait_data::{ColumnKind, OutputColumn};

use crate::opened::{ModelArgs, codes, rows};
use crate::target::Target;

/// Writes, for each query, the rows whose codes are nearest to that of the query: row, neighbour, distance.
#[derive(Args)]
pub(crate) struct Nearest {
    #[command(flatten)]
    model: ModelArgs,
    /// The queries: a file or folder of any format
    queries: PathBuf,
    /// The rows that are searched
    #[arg(long, value_name = "DATA")]
    against: PathBuf,
    /// How many neighbours of each query
    #[arg(short = 'n', long = "neighbours", default_value_t = 5)]
    count: usize,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    read: DataArgs,
}

impl Nearest {
    pub(crate) fn run(&self) -> Result<()> {
        let (opened, device) = self.model.open()?;
        let [queries, against] = [&self.queries, &self.against].map(|path| opened.data(path, &self.read));
        let (queries, against) = (queries?, against?);
        if self.count == 0 || self.count > against.count() {
            bail!("-n {}: {} has {} rows", self.count, self.against.display(), against.count());
        }
        let mut loaded = opened.model.on(&device)?;
        let size = opened.model.code_size();
        let [of_queries, of_rows] = [codes(&mut loaded, &queries)?, codes(&mut loaded, &against)?];
        let found = nearest(&device, rows(&of_rows, size)?, rows(&of_queries, size)?, self.count)?;
        let columns = [
            OutputColumn::new("row", ColumnKind::Whole),
            OutputColumn::new("neighbour", ColumnKind::Whole),
            OutputColumn::new("distance", ColumnKind::Double),
        ];
        self.target.write(&columns, queries.count() * self.count, |table| {
            for (row, (query, neighbours)) in of_queries.chunks_exact(size).zip(&found).enumerate() {
                for &neighbour in neighbours {
                    let other = &of_rows[neighbour as usize * size..][..size];
                    let square = |(x, y): (&f32, &f32)| (f64::from(*x) - f64::from(*y)).powi(2);
                    let distance = query.iter().zip(other).map(square).sum::<f64>().sqrt();
                    table.push(&[row as f64, f64::from(neighbour), distance])?;
                }
            }
            Ok(())
        })
    }
}
