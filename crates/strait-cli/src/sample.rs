//! `strait sample`: rows that are drawn from a model.

use crate::opened::ModelArgs;
use crate::target::Target;
use anyhow::Result;
use clap::Args;

/// Writes rows that are drawn from a model: variational autoencoders, machines and belief nets can.
#[derive(Args)]
pub(crate) struct Sample {
    #[command(flatten)]
    model: ModelArgs,
    /// How many rows
    #[arg(short = 'n', long = "rows", default_value_t = 100)]
    count: usize,
    /// Seed of what is drawn
    #[arg(long, default_value_t = 2006)]
    seed: u64,
    #[command(flatten)]
    target: Target,
}

impl Sample {
    pub(crate) fn run(&self) -> Result<()> {
        let (opened, device) = self.model.open()?;
        let drawn = opened.model.on(&device)?.sample_wide(self.count, self.seed)?;
        let columns = opened.row_columns();
        self.target.write(&columns, self.count, |table| Ok(table.push(&drawn)?))
    }
}
