//! `strait import`: models that come from elsewhere.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use strait::{Activation, Model, exchange, say};

/// Where a model comes from.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum From {
    /// A safetensors file of PyTorch's linear layers
    Torch,
    /// A folder of a top-k dictionary that SAELens has saved
    Saelens,
    /// A folder of a top-k dictionary that sparsify has saved
    Sparsify,
    /// An npz file of the arrays of scikit-learn's `BernoulliRBM`
    ScikitLearn,
}

/// Makes a model of strait from another program's.
#[derive(Args)]
pub(crate) struct Import {
    /// What wrote it
    from: From,
    /// The file or folder
    path: PathBuf,
    /// Of PyTorch's layers: the activation behind each, as relu,linear,relu,logistic
    #[arg(long, value_delimiter = ',', value_parser = activation)]
    activations: Vec<Activation>,
    /// Of PyTorch's layers: how many of them encode; half of them without it
    #[arg(long)]
    encoder: Option<usize>,
    /// The model's file
    #[arg(long, short, default_value = "model.safetensors")]
    out: PathBuf,
}

fn activation(name: &str) -> Result<Activation, String> {
    let names = Activation::ALL.map(Activation::name).join(", ");
    Activation::from_name(name).ok_or_else(|| format!("no such activation; it is one of {names}"))
}

impl Import {
    pub(crate) fn run(&self) -> Result<()> {
        if self.from != From::Torch && (!self.activations.is_empty() || self.encoder.is_some()) {
            bail!("--activations and --encoder are of PyTorch's layers alone");
        }
        let model: Model = match self.from {
            From::Torch => {
                let encoder = self.encoder.unwrap_or(self.activations.len() / 2);
                exchange::from_torch(&self.path, &self.activations, encoder)?.into()
            }
            From::Saelens => exchange::from_saelens(&self.path)?.into(),
            From::Sparsify => exchange::from_sparsify(&self.path)?.into(),
            From::ScikitLearn => exchange::from_scikit_learn(&self.path)?.into(),
        };
        model.save(&self.out)?;
        say!("{} of {} inputs is in {}", model.kind(), model.inputs(), self.out.display());
        Ok(())
    }
}
