//! Sparse autoencoders on MNIST with more units than pixels: a penalty on the sum of the outputs (L1), on their means
//! (Ng 2011), or only the k largest of each image (Makhzani & Frey 2013), beside the same net without any of these.
//!
//!     cargo run --release --example sparse

#[allow(dead_code, reason = "no example uses all of it")]
mod shared;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use serde::{Deserialize, Serialize};
use shared::{Member, Report, higher, lower, train};
use strait::models::{nearest, vote};
use strait::picture::filters;
use strait::prelude::*;
use strait::terminal::stopping;
use strait::train::FineTuned;

#[derive(Parser)]
#[command(about = "Trains sparse autoencoders on MNIST", allow_negative_numbers = true)]
struct Options {
    #[command(flatten)]
    member: Member,
    /// How many units of a k-sparse code are not 0
    #[arg(long)]
    top_k: Option<usize>,
    /// Where the results go
    #[arg(long, default_value = "out/sparse")]
    out: PathBuf,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Recipe {
    /// The size of the code.
    code: usize,
    /// How many units of a k-sparse code are not 0.
    top_k: usize,
    /// λ, the weight of the sum of the outputs of rectified units.
    l1: f32,
    /// β, the weight of the divergence of logistic units' mean outputs from the target.
    weight: f32,
    /// ρ, the mean output that they shall have.
    target: f32,
    /// Neighbours that vote on the label of a code.
    neighbours: usize,
    training: FineTune,
}

impl Default for Recipe {
    fn default() -> Self {
        let training = FineTune { epochs: 6, optimizer: Optimizer::adam(1e-3), ..FineTune::default() };
        Self { code: 1000, top_k: 40, l1: 0.1, weight: 1.0, target: 0.05, neighbours: 5, training }
    }
}

/// One of the nets that are compared.
struct Kind {
    name: &'static str,
    file: &'static str,
    units: Activation,
    penalty: Option<Penalty>,
    top_k: Option<usize>,
}

impl Recipe {
    fn kinds(&self) -> [Kind; 4] {
        let kind = |name, file, units| Kind { name, file, units, penalty: None, top_k: None };
        let target = Penalty::Sparsity { weight: self.weight, target: self.target };
        [
            Kind { top_k: Some(self.top_k), ..kind("k-sparse", "filters-k-sparse.png", Activation::Relu) },
            Kind { penalty: Some(Penalty::L1 { weight: self.l1 }), ..kind("L1", "filters-l1.png", Activation::Relu) },
            Kind { penalty: Some(target), ..kind("target", "filters-target.png", Activation::Logistic) },
            kind("plain", "filters-plain.png", Activation::Logistic),
        ]
    }
}

impl shared::Recipe for Recipe {
    fn training(&mut self) -> &mut FineTune {
        &mut self.training
    }
}

fn main() -> ExitCode {
    shared::main(|| run(&Options::parse()))
}

fn run(options: &Options) -> Result<()> {
    let mut recipe: Recipe = options.member.recipe()?;
    recipe.code = options.member.code.unwrap_or(recipe.code);
    recipe.top_k = options.top_k.unwrap_or(recipe.top_k);
    let mnist = Mnist::open(&options.member.common.data)?;
    let (training, test) = options.member.common.rows(&mnist);
    let net = |kind: &Kind| -> Result<Autoencoder> {
        let mut net = Autoencoder::glorot(&[training.width, recipe.code], recipe.training.seed)?;
        net.layers[0].activation = kind.units;
        net.top_k = kind.top_k;
        net.check()?;
        FineTune { penalty: kind.penalty, ..recipe.training.clone() }.check()?;
        Ok(net)
    };
    let nets = recipe.kinds().into_iter().map(|kind| Ok((net(&kind)?, kind))).collect::<Result<Vec<_>>>()?;
    let device = options.member.begin(&options.out, &mut recipe)?;

    let (mut all, mut measured) = (FineTuned::default(), Vec::new());
    for (mut net, kind) in nets {
        if stopping() {
            break;
        }
        let name = kind.name;
        println!("\n{name}");
        let with_penalty = FineTune { penalty: kind.penalty, ..recipe.training.clone() };
        let tuned = train(&device, &with_penalty, &mut net, training, test)?;
        net.save(options.out.join(format!("{name}.safetensors")), Dtype::F32, &Default::default())?;
        all.stopped |= tuned.stopped;
        all.epochs.extend(tuned.epochs);
        let [references, queries] = [training, test].map(|rows| net.encode(&device, rows));
        let (references, queries) = (references?, queries?);
        measured.push(lower(format!("squared error per test image, {name}"), net.error(&device, test)?, None));
        let mean = queries.iter().map(|&y| f64::from(y)).sum::<f64>() / queries.len() as f64;
        let wanted = matches!(kind.penalty, Some(Penalty::Sparsity { .. })).then_some(f64::from(recipe.target));
        measured.push(lower(format!("mean output of its units, {name}"), mean, wanted));
        let active = queries.iter().filter(|&&y| y > 0.1).count() as f64 / test.count as f64;
        measured.push(lower(format!("units of a code above 0.1, {name}"), active, None));
        let [references, queries] = [&references, &queries].map(|codes| Rows::numbers(codes, recipe.code));
        let found = nearest(&device, references?, queries?, recipe.neighbours)?;
        let right = 100.0 * vote(&found, &mnist.train.labels, &mnist.test.labels)?;
        let what = format!("test images that {} neighbours' codes name, per cent, {name}", recipe.neighbours);
        measured.push(higher(what, right, None));
        let decoder = &net.layers[1];
        let drawn: Vec<_> = decoder.weight.chunks_exact(decoder.outputs).take(200).map(<[f32]>::to_vec).collect();
        filters(&options.out.join(kind.file), mnist.test.width, &drawn)?;
    }
    let mut report = Report::new(&device, recipe.training.precision, &recipe, training.count, all);
    report.measured = measured;
    report.finish(&options.out)
}
