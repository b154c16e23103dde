//! Sparse autoencoders on MNIST with more units than pixels: a penalty on the sum of the outputs (L1), on their means
//! (Ng 2011), or only the k largest of each image (Makhzani & Frey 2013), beside the same net without any of these; and a
//! dictionary with an encoder that foretells its sparse codes (Kavukcuoglu et al. 2008).
//!
//!     cargo run --release --example sparse

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use serde::{Deserialize, Serialize};
use shared::{Learning, Measured, Member, Report, higher, lower, train};
use strait::models::{nearest, vote};
use strait::picture::filters;
use strait::prelude::*;
use strait::terminal::stopping;
use strait::train::FineTuned;
use strait::{Inference, PredictiveSparse};

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
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
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
    /// How the codes of the dictionary are found.
    inference: Inference,
    /// Neighbours that vote on the label of a code.
    neighbours: usize,
    training: FineTune,
}

impl Default for Recipe {
    fn default() -> Self {
        let training = FineTune { epochs: 6, optimizer: Optimizer::adam(1e-3), ..FineTune::default() };
        let inference = Inference::default();
        Self { code: 1000, top_k: 40, l1: 0.1, weight: 1.0, target: 0.05, inference, neighbours: 5, training }
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
    fn training(&mut self) -> Learning<'_> {
        Learning::FineTune(&mut self.training)
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
        net.penalty = kind.penalty;
        recipe.training.check_for(&net)?;
        Ok(net)
    };
    let nets = recipe.kinds().into_iter().map(|kind| Ok((net(&kind)?, kind))).collect::<Result<Vec<_>>>()?;
    let mut predictive = PredictiveSparse::new(training.width, recipe.code, recipe.inference, recipe.training.seed)?;
    let learn = |recipe: &Recipe| FineTune { objective: Objective::SquaredError, ..recipe.training.clone() };
    learn(&recipe).check_for(&predictive)?;
    let device = options.member.begin(&options.out, &mut recipe)?;

    let (mut all, mut measured) = (FineTuned::default(), Vec::new());
    let mut keep = |tuned: FineTuned| {
        all.stopped |= tuned.stopped;
        all.epochs.extend(tuned.epochs);
    };
    for (mut net, kind) in nets {
        if stopping() {
            break;
        }
        println!("\n{}", kind.name);
        keep(train(&device, &recipe.training, &mut net, training, test)?);
        let wanted = matches!(kind.penalty, Some(Penalty::Sparsity { .. })).then_some(recipe.target);
        measured.extend(Trained { name: kind.name, net: &net, wanted }.measure(&device, &mnist, training, &recipe)?);
        draw_atoms(&options.out.join(kind.file), &net, mnist.test.width)?;
        net.save(options.out.join(format!("{}.safetensors", kind.name)))?;
    }
    if !stopping() {
        let name = "predictive";
        println!("\n{name}");
        keep(train(&device, &learn(&recipe), &mut predictive, training, test)?);
        let net = &predictive.net;
        measured.extend(Trained { name, net, wanted: None }.measure(&device, &mnist, training, &recipe)?);
        let (codes, foretold) = (predictive.infer(&device, test)?, net.encode(&device, test)?);
        let decoded = net.decode(&device, Rows::numbers(&codes, recipe.code)?)?;
        let squares = |xs: &[f32], ys: &[f32]| xs.iter().zip(ys).map(|(x, y)| f64::from(x - y).powi(2)).sum::<f64>();
        let error = squares(&decoded, &test.to_numbers()) / test.count as f64;
        measured.push(lower("squared error per test image, predictive, from codes by inference", error, None));
        let active = codes.iter().filter(|&&z| z != 0.0).count() as f64 / test.count as f64;
        measured.push(lower("numbers of a code by inference that are not 0, predictive", active, None));
        let share = 100.0 * (1.0 - squares(&codes, &foretold) / squares(&codes, &vec![0.0; codes.len()]));
        measured.push(higher("what the encoder foretells of these codes' squares, per cent", share, None));
        draw_atoms(&options.out.join("filters-predictive.png"), net, mnist.test.width)?;
        net.save(options.out.join("predictive.safetensors"))?;
    }
    let mut report = Report::new(&device, recipe.training.precision, &recipe, training.count, all);
    report.measured = measured;
    report.finish(&options.out)
}

/// A net that was trained.
struct Trained<'a> {
    name: &'a str,
    net: &'a Autoencoder,
    /// The mean output that its units shall have.
    wanted: Option<f32>,
}

impl Trained<'_> {
    fn measure(&self, device: &Device, mnist: &Mnist, training: Rows<'_>, recipe: &Recipe) -> Result<Vec<Measured>> {
        let Self { name, net, wanted } = *self;
        let test = mnist.test.rows();
        let [references, queries] = [training, test].map(|rows| net.encode(device, rows));
        let (references, queries) = (references?, queries?);
        let mean = queries.iter().map(|&y| f64::from(y)).sum::<f64>() / queries.len() as f64;
        let active = queries.iter().filter(|&&y| y.abs() > 0.1).count() as f64 / test.count as f64;
        let [references, queries] = [&references, &queries].map(|codes| Rows::numbers(codes, recipe.code));
        let found = nearest(device, references?, queries?, recipe.neighbours)?;
        let right = 100.0 * vote(&found, &mnist.train.labels, &mnist.test.labels)?;
        let voted = format!("test images that {} neighbours' codes name, per cent, {name}", recipe.neighbours);
        Ok(vec![
            lower(format!("squared error per test image, {name}"), net.error(device, test)?, None),
            lower(format!("mean output of its units, {name}"), mean, wanted.map(f64::from)),
            lower(format!("units of a code beyond 0.1, {name}"), active, None),
            higher(voted, right, None),
        ])
    }
}

/// What the units decode to, at most 200 of them.
fn draw_atoms(path: &Path, net: &Autoencoder, width: usize) -> Result<()> {
    let decoder = &net.layers[1];
    let drawn: Vec<_> = decoder.weight.chunks_exact(decoder.outputs).take(200).map(<[f32]>::to_vec).collect();
    Ok(filters(path, width, &drawn)?)
}
