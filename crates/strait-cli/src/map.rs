//! `strait map`: codes in two dimensions.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use strait::data::DataArgs;
use strait::picture::{Map as Drawn, maps};
use strait::{Pca, say};

use crate::opened::{ModelArgs, codes, rows};

/// Draws the codes of a data set as a map: codes of two numbers as they are, longer ones by their first two principal components.
#[derive(Args)]
pub(crate) struct Map {
    #[command(flatten)]
    model: ModelArgs,
    /// A file or folder of rows of any format
    data: PathBuf,
    /// The picture, a PNG file
    #[arg(long, short, default_value = "map.png")]
    out: PathBuf,
    #[command(flatten)]
    read: DataArgs,
}

impl Map {
    pub(crate) fn run(&self) -> Result<()> {
        if self.out.extension().is_none_or(|ending| ending != "png") {
            bail!("--out {}: maps are PNG files; the ending must be png", self.out.display());
        }
        let (opened, device) = self.model.open()?;
        let data = opened.data(&self.data, &self.read)?;
        let mut loaded = opened.model.on(&device)?;
        let codes = codes(&mut loaded, &data)?;
        let size = opened.model.code_size();
        let points: Vec<[f32; 2]> = match size {
            1 => codes.iter().map(|&x| [x, 0.0]).collect(),
            2 => codes.chunks_exact(2).map(|code| [code[0], code[1]]).collect(),
            _ => {
                let principal = Pca::fit(&device, rows(&codes, size)?, 2)?;
                principal.encode(rows(&codes, size)?)?.iter().map(|z| [z[0] as f32, z[1] as f32]).collect()
            }
        };
        let title = if size > 2 { "codes, by their principal components" } else { "codes" };
        let unlabelled = vec![0; data.count()];
        let classes = data.labels.as_ref().map_or(&unlabelled, |labels| &labels.classes);
        maps(&self.out, classes, &[Drawn { title, points }])?;
        say!("{} codes are drawn in {}", data.count(), self.out.display());
        Ok(())
    }
}
