//! `strait report`: runs side by side on one page.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use strait::{report, say};

/// Writes a report of runs, side by side: one page that needs nothing else.
#[derive(Args)]
pub(crate) struct Report {
    /// Folders of runs, of this program or of the examples
    #[arg(required = true)]
    runs: Vec<PathBuf>,
    /// The page; without it report.html in the folder of the run, or here if there are several
    #[arg(long, short)]
    out: Option<PathBuf>,
}

impl Report {
    pub(crate) fn run(&self) -> Result<()> {
        let out = match (&self.out, &self.runs[..]) {
            (Some(out), _) => out.clone(),
            (None, [only]) => only.join(report::FILE),
            (None, _) => PathBuf::from(report::FILE),
        };
        report::write(&self.runs, &out)?;
        say!("the report is in {}", out.display());
        Ok(())
    }
}
