//! `strait devices`: what can train.

use anyhow::Result;
use clap::Args;
use strait::{Device, say};

/// Lists the devices that can train, by the names that --device takes.
#[derive(Args)]
pub(crate) struct Devices {}

impl Devices {
    #[expect(clippy::unused_self, reason = "the same as every command")]
    pub(crate) fn run(&self) -> Result<()> {
        #[cfg(feature = "gpu")]
        for (number, adapter) in strait::gpu::adapters().iter().enumerate() {
            say!("{number:<5}{adapter}");
        }
        say!("{:<5}{}", "cpu", Device::cpu()?.describe());
        if let Ok(best) = Device::best() {
            say!("\n--device auto is {}", best.describe());
        }
        Ok(())
    }
}
