//! Restricted Boltzmann machines on binary MNIST: one so small that its likelihood can be summed, trained by contrastive
//! divergence (Hinton 2002), with persistent chains (Tieleman 2008), with fast weights on top (Tieleman & Hinton 2009) and with
//! chains at several temperatures (Desjardins et al. 2010), its partition function also estimated by annealed importance
//! sampling (Salakhutdinov & Murray 2008); and a larger one, with its filters and what it believes in. While they learn, the
//! free energies of test images are watched beside those of training images.
//!
//!     cargo run --release --example rbm

use anyhow::{Result, bail};
use clap::Parser;
use serde::{Deserialize, Serialize};
use strait::models::Annealing;
use strait::prelude::*;

/// Fantasies of a kind that are drawn.
const DRAWN: usize = 12;

#[derive(Parser)]
#[command(about = "Trains restricted Boltzmann machines on MNIST", allow_negative_numbers = true)]
struct Options {
    #[command(flatten)]
    member: MemberOptions,
    /// Hidden units of the machine whose likelihood is summed
    #[arg(long)]
    small: Option<usize>,
    /// Temperatures of annealed importance sampling
    #[arg(long)]
    temperatures: Option<usize>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
struct Recipe {
    /// Hidden units of the machine that is summed, at most 25.
    small: usize,
    /// Hidden units of the larger one.
    code: usize,
    /// Temperatures of annealed importance sampling.
    temperatures: usize,
    /// Temperatures of the tempered chains, and the lowest of their inverses.
    temperatures_of_chains: usize,
    hottest: f32,
    /// Training of the small machine, with either kind of chain.
    summed: Pretrain,
    /// Training of the larger one.
    training: Pretrain,
}

impl Default for Recipe {
    fn default() -> Self {
        let binary = Pretrain { code: Units::Bernoulli, weight_cost: 0.0, ..Pretrain::default() };
        let slow = Pretrain { rate: 0.02, final_momentum: 0.5, ..binary.clone() };
        Self {
            small: 20,
            code: 500,
            temperatures: 10_000,
            temperatures_of_chains: 10,
            hottest: 0.5,
            summed: Pretrain { epochs: 20, ..slow.clone() },
            training: Pretrain { epochs: 20, chain: Chain::Persistent, ..slow },
        }
    }
}

impl experiment::Recipe for Recipe {
    fn trainings(&mut self) -> Vec<&mut dyn Training> {
        vec![&mut self.training, &mut self.summed]
    }
}

impl Recipe {
    fn check(&self) -> Result<()> {
        Pretrain { chain: self.tempered(), ..self.summed.clone() }.check()?;
        if self.temperatures == 0 {
            bail!("--temperatures 0: there must be at least one");
        }
        let binary = |of: &Pretrain| (of.visible, of.code) == (Units::Bernoulli, Units::Bernoulli);
        if !binary(&self.summed) || !binary(&self.training) {
            bail!("the recipe has machines of real-valued units, but likelihoods are those of binary ones");
        }
        if !(1..=25).contains(&self.small) {
            bail!("--small {}: a machine of 1 to 25 hidden units can be summed", self.small);
        }
        Ok(())
    }

    fn tempered(&self) -> Chain {
        Chain::Tempered { chains: self.temperatures_of_chains, hottest: self.hottest }
    }
}

fn main() -> ExitCode {
    experiment::main(run)
}

/// Pixels that are on or off.
fn binary(images: &Images, count: usize) -> Vec<u8> {
    let size = images.width * images.height;
    images.pixels[..count * size].iter().map(|&pixel| if pixel > 127 { 255 } else { 0 }).collect()
}

fn run(options: &Options) -> Result<()> {
    let mut recipe: Recipe = options.member.recipe()?;
    recipe.code = options.member.code.unwrap_or(recipe.code);
    recipe.small = options.small.unwrap_or(recipe.small);
    recipe.temperatures = options.temperatures.unwrap_or(recipe.temperatures);
    recipe.check()?;
    let mnist = options.member.mnist()?;
    let (images, test) = options.member.rows(&mnist);
    models::check_sizes(&[images.width, recipe.code])?;
    let [pixels, test_pixels] = [binary(&mnist.train, images.count), binary(&mnist.test, test.count)];
    let (rows, test) = (Rows::bytes(&pixels, images.width)?, Rows::bytes(&test_pixels, images.width)?);
    let (device, mut run) = options.member.begin(&mut recipe, rows.count)?;

    let (temperatures, seed) = (recipe.temperatures, recipe.training.seed);
    let annealing = Annealing { temperatures, seed, ..Annealing::default() };
    for (name, chain) in [
        ("CD-1", Chain::Data),
        ("PCD-1", Chain::Persistent),
        ("FPCD-1", Chain::FastPersistent { rate: recipe.summed.rate }),
        ("tempered", recipe.tempered()),
    ] {
        if stopping() {
            break;
        }
        say!("\n{name}, {} hidden units", recipe.small);
        let training = Pretrain { chain, ..recipe.summed.clone() };
        let stack = run.pretrain(&training, &[rows.width, recipe.small], rows, Some(test))?;
        let Some(rbm) = stack.rbms.first().filter(|_| !stopping()) else { break };
        let exact = rbm.log_partition(&device, None)?;
        // So small a machine leaves time for more and longer chains.
        let more = Annealing { temperatures: temperatures.saturating_mul(3), chains: 300, ..annealing };
        let estimate = rbm.annealed_partition(&device, rows, None, &more)?;
        let of_machine = format!("{} hidden units, {name}", recipe.small);
        let likelihood = -models::mean(&rbm.free_energies(&device, test)?) - exact;
        run.higher(format!("log-likelihood of a test image in nats, {of_machine}"), likelihood);
        run.lower(format!("ln Z, {of_machine}"), exact);
        let off = (estimate.log - exact).abs();
        run.lower(format!("how far annealed importance sampling is off, {of_machine}"), off);
        let error = estimate.high - estimate.log;
        run.lower(format!("three standard errors of that, upwards, {of_machine}"), error);
    }
    if !stopping() {
        say!("\n{} hidden units", recipe.code);
        let stack = run.pretrain(&recipe.training, &[rows.width, recipe.code], rows, Some(test))?;
        if let Some(rbm) = stack.rbms.first().filter(|_| !stopping()) {
            let of_machine = format!("{} hidden units", recipe.code);
            let estimate = rbm.annealed_partition(&device, rows, None, &annealing)?;
            let known = models::mean(&rbm.free_energies(&device, rows.first(test.count))?);
            let unknown = models::mean(&rbm.free_energies(&device, test)?);
            let what = format!("log-likelihood of a test image in nats, estimated, {of_machine}");
            run.higher(what, -unknown - estimate.log);
            let error = estimate.high - estimate.log;
            run.lower(format!("three standard errors of ln Z, upwards, {of_machine}"), error);
            let what = format!("free energy of test images over that of training images, {of_machine}");
            run.lower(what, unknown - known);
            let pseudo = rbm.pseudo_log_likelihood(&device, test, seed)?;
            run.higher(format!("pseudo-log-likelihood of a test image in nats, {of_machine}"), pseudo);
            rbm.save(run.path("model.safetensors"))?;
            picture::encoder_filters(&run.path("filters.png"), &rbm.up(), mnist.test.width)?;
            // What becomes of test images in chains of Gibbs sampling.
            let starts = test.first(DRAWN);
            let mut drawn = vec![("test images".to_owned(), starts.to_numbers())];
            for steps in [1, 10, 100, 1000, 10_000] {
                let label = if steps == 1 { "1 step".to_owned() } else { format!("{steps} steps") };
                drawn.push((label, rbm.fantasies(&device, starts, steps, seed)?));
            }
            picture::labelled_rows(&run.path("fantasies.png"), mnist.test.shape(), &drawn)?;
        }
    }
    Ok(run.finish()?)
}
