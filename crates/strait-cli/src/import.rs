//! `strait import`: models that come from elsewhere.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use strait::{Activation, Model, exchange, say};

/// Where a model comes from.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum From {
    /// A safetensors file of PyTorch's linear layers and convolutions, or of LSTMs or GRUs
    Torch,
    /// An npz file of `numpy.savez(path, *model.get_weights())`: Dense layers, or LSTMs or GRUs
    Keras,
    /// A folder of a dictionary that SAELens has saved: top-k, BatchTopK or JumpReLU
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
    /// Of PyTorch's and Keras' layers: the activation behind each, as relu,linear,relu,logistic; of sequences that of the outputs alone
    #[arg(long, value_delimiter = ',', value_parser = activation)]
    activations: Vec<Activation>,
    /// Of PyTorch's and Keras' layers: how many of them encode; half of them without it
    #[arg(long)]
    encoder: Option<usize>,
    /// Of PyTorch's convolutions: height and width of the images, as 28x28
    #[arg(long, value_name = "HEIGHTxWIDTH", value_parser = image)]
    image: Option<[usize; 2]>,
    /// Of the same: the stride of each, or one for all
    #[arg(long, value_delimiter = ',', requires = "image", default_value = "1")]
    strides: Vec<usize>,
    /// Of the same: the padding of each, or one for all
    #[arg(long, value_delimiter = ',', requires = "image", default_value = "0")]
    paddings: Vec<usize>,
    /// Of the same: the output padding of each, 0 for those that are not transposed; or one for all
    #[arg(long, value_delimiter = ',', requires = "image", default_value = "0")]
    output_paddings: Vec<usize>,
    /// Of the same: whether each is a ConvTranspose2d, as false,false,true,true, where the shapes do not tell
    #[arg(long, value_delimiter = ',', requires = "image")]
    transposed: Vec<bool>,
    /// Of LSTMs and GRUs: the steps of a row
    #[arg(long)]
    steps: Option<usize>,
    /// The model's file
    #[arg(long, short, default_value = "model.safetensors")]
    out: PathBuf,
}

fn activation(name: &str) -> Result<Activation, String> {
    let names = Activation::ALL.map(Activation::name).join(", ");
    Activation::from_name(name).ok_or_else(|| format!("no such activation; it is one of {names}"))
}

fn image(text: &str) -> Result<[usize; 2], String> {
    let sizes = text.split_once('x').and_then(|(height, width)| Some([height.parse().ok()?, width.parse().ok()?]));
    sizes.filter(|sizes| !sizes.contains(&0)).ok_or_else(|| "expected HEIGHTxWIDTH, as 28x28".to_owned())
}

impl Import {
    pub(crate) fn run(&self) -> Result<()> {
        if self.image.is_some() && self.from != From::Torch {
            bail!("--image is of PyTorch's convolutions alone");
        }
        let layers = matches!(self.from, From::Torch | From::Keras);
        if !layers && (!self.activations.is_empty() || self.encoder.is_some() || self.steps.is_some()) {
            bail!("--activations, --encoder and --steps are of PyTorch's and Keras' layers alone");
        }
        let model: Model = match self.from {
            From::Torch if exchange::is_torch_sequence(&self.path)? => {
                let (steps, outputs) = self.sequence()?;
                exchange::sequence_from_torch(&self.path, steps, outputs)?.into()
            }
            From::Torch if self.image.is_some() => {
                let convolutions = exchange::TorchConvolutions {
                    image: self.image.unwrap_or_default(),
                    strides: self.strides.clone(),
                    paddings: self.paddings.clone(),
                    output_paddings: self.output_paddings.clone(),
                    transposed: self.transposed.clone(),
                };
                let encoder = self.encoder()?;
                exchange::from_torch_convolutions(&self.path, &self.activations, encoder, &convolutions)?.into()
            }
            From::Torch => exchange::from_torch(&self.path, &self.activations, self.encoder()?)?.into(),
            From::Keras if exchange::is_keras_sequence(&self.path)? => {
                let (steps, outputs) = self.sequence()?;
                exchange::sequence_from_keras(&self.path, steps, outputs)?.into()
            }
            From::Keras => exchange::from_keras(&self.path, &self.activations, self.encoder()?)?.into(),
            From::Saelens => exchange::from_saelens(&self.path)?.into(),
            From::Sparsify => exchange::from_sparsify(&self.path)?.into(),
            From::ScikitLearn => exchange::from_scikit_learn(&self.path)?.into(),
        };
        model.save(&self.out)?;
        say!("{} of {} inputs is in {}", model.kind(), model.inputs(), self.out.display());
        Ok(())
    }

    /// How many of the fully connected layers encode.
    fn encoder(&self) -> Result<usize> {
        if self.steps.is_some() {
            bail!("{} holds no recurrent layers: leave --steps out", self.path.display());
        }
        Ok(self.encoder.unwrap_or(self.activations.len() / 2))
    }

    /// The steps of a row, and the activation of the outputs.
    fn sequence(&self) -> Result<(usize, Activation)> {
        let Some(steps) = self.steps else {
            bail!("{} holds recurrent layers: say by --steps how many steps a row has", self.path.display());
        };
        if self.encoder.is_some() {
            bail!(
                "{} holds recurrent layers, which say themselves which of them encode: leave --encoder out",
                self.path.display()
            );
        }
        match self.activations[..] {
            [] => Ok((steps, Activation::Linear)),
            [outputs] => Ok((steps, outputs)),
            _ => bail!(
                "name one activation for {}, that of the outputs: recurrent layers have their own",
                self.path.display()
            ),
        }
    }
}
