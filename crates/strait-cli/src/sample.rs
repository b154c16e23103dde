//! `strait sample`: rows that are drawn from a model.

use anyhow::Result;
use clap::Args;
use strait_data::{ColumnKind, OutputColumn};

use crate::opened::ModelArgs;
use crate::target::Target;

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
        let drawn = opened.model.sample(&device, self.count, self.seed)?;
        let columns = match opened.columns() {
            Some(names) => names.iter().map(|name| OutputColumn::new(name, ColumnKind::Single)).collect(),
            None => OutputColumn::numbered("x", opened.model.inputs()),
        };
        let wide: Vec<f64> = drawn.into_iter().map(f64::from).collect();
        self.target.write(&columns, self.count, |table| Ok(table.push(&wide)?))
    }
}
