//! Sparse autoencoders on MNIST with more units than pixels: a penalty on the sum of the outputs (L1), on their means
//! (Ng 2011), or only the k largest of each image (Makhzani & Frey 2013), beside the same net without any of these; and a
//! dictionary with an encoder that foretells its sparse codes (Kavukcuoglu et al. 2008).
//!
//!     cargo run --release --example sparse

use anyhow::Result;
use clap::Parser;
use serde::{Deserialize, Serialize};
use strait::prelude::*;

#[derive(Parser)]
#[command(about = "Trains sparse autoencoders on MNIST", allow_negative_numbers = true)]
struct Options {
    #[command(flatten)]
    member: MemberOptions,
    /// How many units of a k-sparse code are not 0
    #[arg(long)]
    top_k: Option<usize>,
}

#[derive(Clone, Serialize, Deserialize)]
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

impl experiment::Recipe for Recipe {
    fn trainings(&mut self) -> Vec<&mut dyn Training> {
        vec![&mut self.training]
    }
}

fn main() -> ExitCode {
    experiment::main(run)
}

fn run(options: &Options) -> Result<()> {
    let mut recipe: Recipe = options.member.recipe()?;
    recipe.code = options.member.code.unwrap_or(recipe.code);
    recipe.top_k = options.top_k.unwrap_or(recipe.top_k);
    let mnist = options.member.mnist()?;
    let (training, test) = options.member.rows(&mnist);
    let net = |kind: &Kind| -> Result<Autoencoder> {
        let mut net = Autoencoder::glorot(&[training.width, recipe.code], recipe.training.seed)?;
        net.layers[0].activation = kind.units;
        (net.top_k, net.penalty) = (kind.top_k, kind.penalty);
        recipe.training.check_for(&net)?;
        Ok(net)
    };
    let nets = recipe.kinds().into_iter().map(|kind| Ok((net(&kind)?, kind))).collect::<Result<Vec<_>>>()?;
    let mut predictive = PredictiveSparse::new(training.width, recipe.code, recipe.inference, recipe.training.seed)?;
    let by_squares = |recipe: &Recipe| FineTune { objective: Objective::SquaredError, ..recipe.training.clone() };
    by_squares(&recipe).check_for(&predictive)?;
    let (device, mut run) = options.member.begin(&mut recipe, training.count)?;

    for (mut net, kind) in nets {
        if stopping() {
            break;
        }
        say!("\n{}", kind.name);
        run.train(&recipe.training, &mut net, training, test)?;
        measure(&mut run, &device, &recipe, &mnist, kind.name, &net)?;
        picture::decoder_filters(&run.path(kind.file), &net.layers[1], mnist.test.width)?;
        net.save(run.path(format!("{}.safetensors", kind.name)))?;
    }
    if !stopping() {
        say!("\npredictive");
        run.train(&by_squares(&recipe), &mut predictive, training, test)?;
        let net = &predictive.net;
        measure(&mut run, &device, &recipe, &mnist, "predictive", net)?;
        let (codes, foretold) = (predictive.infer(&device, test)?, net.encode(&device, test)?);
        let decoded = net.decode(&device, Rows::numbers(&codes, recipe.code)?)?;
        let error = models::squared_error(&decoded, &test.to_numbers()) / test.count as f64;
        run.lower("squared error per test image, predictive, from codes by inference", error);
        let active = codes.iter().filter(|&&z| z != 0.0).count() as f64 / test.count as f64;
        run.lower("numbers of a code by inference that are not 0, predictive", active);
        let squares = models::squared_error(&codes, &vec![0.0; codes.len()]);
        let share = 100.0 * (1.0 - models::squared_error(&codes, &foretold) / squares);
        run.higher("what the encoder foretells of these codes' squares, per cent", share);
        picture::decoder_filters(&run.path("filters-predictive.png"), &net.layers[1], mnist.test.width)?;
        net.save(run.path("predictive.safetensors"))?;
    }
    Ok(run.finish()?)
}

fn measure(
    run: &mut Experiment<Recipe>,
    device: &Device,
    recipe: &Recipe,
    mnist: &Mnist,
    name: &str,
    net: &Autoencoder,
) -> Result<()> {
    let (training, test) = (mnist.train.rows().first(run.train_images), mnist.test.rows());
    let codes = net.encode(device, test)?;
    run.lower(format!("squared error per test image, {name}"), net.error(device, test)?);
    let wanted = matches!(net.penalty, Some(Penalty::Sparsity { .. })).then_some(f64::from(recipe.target));
    run.lower(format!("mean output of its units, {name}"), models::mean(&codes)).published(wanted);
    let active = codes.iter().filter(|&&y| y.abs() > 0.1).count() as f64 / test.count as f64;
    run.lower(format!("units of a code beyond 0.1, {name}"), active);
    let labels: [&[u32]; 2] = [&mnist.train.labels, &mnist.test.labels];
    let right = net.knn_accuracy(device, [training, test], labels, recipe.neighbours)?;
    let what = format!("test images that {} neighbours' codes name, per cent, {name}", recipe.neighbours);
    run.higher(what, 100.0 * right);
    Ok(())
}
