//! `strait init`: a commented job to begin with.

use anyhow::{Result, bail};
use clap::Args;
use strait::job::{TEMPLATES, template};
use strait::say;

/// Prints a commented job to begin with.
#[derive(Args)]
pub(crate) struct Init {
    /// autoencoder, deep-autoencoder, denoising, sparse, contractive, vae, convolutional, dictionary, predictive-sparse,
    /// sequence, pca, rbm, stack, dbn, classifier or stacked-denoising; all of them are listed without it
    kind: Option<String>,
}

impl Init {
    pub(crate) fn run(&self) -> Result<()> {
        let Some(kind) = &self.kind else {
            for template in &TEMPLATES {
                say!("{:<18}{}", template.name, template.about);
            }
            return Ok(());
        };
        let Some(text) = template(kind) else {
            let names: Vec<&str> = TEMPLATES.iter().map(|template| template.name).collect();
            bail!("strait init {kind}: no such job; there are {}", names.join(", "));
        };
        say!("{}", text.trim_end());
        Ok(())
    }
}
