//! Writes every kernel, for every tile shape, as WGSL into a folder, so that any compiler can be pointed at it.
//!
//!     cargo run -p strait-compute --example dump_wgsl -- FOLDER [whole]
//!
//! With `whole` those of Metal and DX12, where vectors of a workgroup's memory are written as a whole; else those of Vulkan.

mod every_kernel;

use std::collections::BTreeMap;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: dump_wgsl FOLDER [whole]")?;
    let whole_vectors = std::env::args().nth(2).is_some_and(|word| word == "whole");
    std::fs::create_dir_all(&folder)?;
    let texts = every_kernel::texts(whole_vectors)?;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (text, name) in &texts {
        let count = counts.entry(name).or_default();
        *count += 1;
        std::fs::write(format!("{folder}/{name}-{count}.wgsl"), text)?;
    }
    println!("{} kernels are in {folder}", texts.len());
    Ok(())
}
