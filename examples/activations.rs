//! A dictionary of the directions that a net's activations are made of: a k-sparse autoencoder (Makhzani & Frey 2013; Gao
//! et al. 2024) on vectors from a file, on a layer of a net that strait has trained, or on vectors made up here.
//!
//!     cargo run --release --example activations
//!     cargo run --release --example activations -- --model out/hinton2006/model.safetensors --layer 2
//!     cargo run --release --example activations -- --rows activations.npy

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Parser;
use strait::data::Preparation;
use strait::experiment::Sets;
use strait::prelude::*;

#[derive(Parser)]
#[command(about = "Finds the directions that vectors are made of", allow_negative_numbers = true)]
struct Options {
    #[command(flatten)]
    member: MemberOptions,
    /// A table of activations in any format that strait reads; a tenth of its rows is drawn for testing
    #[arg(long, value_name = "FILE")]
    rows: Option<PathBuf>,
    #[command(flatten)]
    read: experiment::DataArgs,
    /// A net that strait has saved, whose activations on MNIST are taken
    #[arg(long, value_name = "FILE", conflicts_with = "rows")]
    model: Option<PathBuf>,
    /// The layer of the net whose outputs are taken
    #[arg(long, default_value_t = 2, requires = "model")]
    layer: usize,
    /// How many of them are not 0
    #[arg(long)]
    top_k: Option<usize>,
    /// Rows of a minibatch
    #[arg(long)]
    batch: Option<usize>,
}

/// The vectors, and what they come from.
struct Source {
    width: usize,
    train: Vec<f32>,
    test: Vec<f32>,
    /// The directions that they were made of, where these are known.
    directions: Vec<Vec<f32>>,
    /// How a file's vectors are scaled.
    preparation: Option<Preparation>,
}

fn main() -> ExitCode {
    experiment::main(run)
}

fn run(options: &Options) -> Result<()> {
    let mut recipe: KSparse = options.member.recipe()?;
    let made_up = options.rows.is_none() && options.model.is_none();
    if made_up && options.member.recipe_file.is_none() {
        (recipe.units, recipe.top_k) = (512, 8);
    }
    recipe.units = options.member.code.unwrap_or(recipe.units);
    recipe.top_k = options.top_k.unwrap_or(recipe.top_k);
    recipe.training.batch = options.batch.unwrap_or(recipe.training.batch);
    if recipe.units == 0 {
        bail!("--code 0: the sizes of a net must be positive, none of them 0");
    }
    recipe.check()?;
    let (device, mut run) = options.member.begin(&mut recipe, 0)?;
    let source = source(options, &device, recipe.training.seed)?;
    let train = Rows::numbers(&source.train, source.width)?.first(options.member.common.limit.unwrap_or(usize::MAX));
    let test = Rows::numbers(&source.test, source.width)?;
    say!("{} vectors of {} numbers for training, {} for testing", train.count, train.width, test.count);
    run.train_images = train.count;

    let trained = run.keep("dictionary", recipe.run(&device, train)?).train()?;
    let saved = SaveOptions { preparation: source.preparation.clone(), ..SaveOptions::default() };
    trained.net.save_with(run.path("model.safetensors"), &saved)?;
    run.add_epochs(trained.epochs);
    run.higher("explained variance of the test vectors", trained.net.explained_variance(&device, test)?)
        .because("the test vectors do not vary");
    if trained.far > 0 {
        say!("{} vectors are far from the others; they were drawn in", trained.far);
    }
    for (round, dead) in trained.dead.iter().enumerate() {
        run.lower(format!("units that nothing uses after round {}", round + 1), *dead as f64);
    }
    if !source.directions.is_empty() {
        let found = recovered(&source.directions, &trained.net);
        run.higher("directions that a unit has found, of all, per cent", 100.0 * found);
    }
    run.finish()?;
    draw(&run.path("directions.png"), options, &trained.net, &device)
}

fn source(options: &Options, device: &Device, seed: u64) -> Result<Source> {
    if let Some(file) = &options.rows {
        let sets = Sets::open(file, &options.read.options(), seed)?.scaled(options.read.scale().unwrap_or_default())?;
        let (train, test) = sets.rows(None)?;
        if test.count < 2 {
            let count = train.count + test.count;
            bail!("--rows {}: {count} vectors are too few, of which a tenth is for testing", file.display());
        }
        return Ok(Source {
            width: train.width,
            train: train.to_numbers(),
            test: test.to_numbers(),
            directions: Vec::new(),
            preparation: sets.preparation.clone(),
        });
    }
    let Some(file) = &options.model else {
        say!("without --rows or --model, vectors are made up: sums of few of 256 random directions");
        return Ok(make_up(seed));
    };
    let (net, _) = Autoencoder::load(file)?;
    if options.layer == 0 || options.layer > net.layers.len() {
        bail!("--layer {}: the net of {} has {} layers", options.layer, file.display(), net.layers.len());
    }
    let layers = &net.layers[..options.layer];
    let mnist = options.member.mnist()?;
    let [train, test] = [&mnist.train, &mnist.test].map(|images| models::forward(device, layers, None, &images.rows()));
    let width = layers[layers.len() - 1].outputs;
    Ok(Source {
        width,
        train: train.context("--model")?,
        test: test.context("--model")?,
        directions: Vec::new(),
        preparation: None,
    })
}

/// Sums of a few random directions with positive weights.
fn make_up(seed: u64) -> Source {
    const WIDTH: usize = 128;
    const DIRECTIONS: usize = 256;
    let mut stream = Stream::new(seed, 400);
    let mut direction = || {
        let values: Vec<f32> = (0..WIDTH).map(|_| stream.next_normal()).collect();
        let length = values.iter().map(|x| x * x).sum::<f32>().sqrt();
        values.into_iter().map(|x| x / length).collect::<Vec<_>>()
    };
    let directions: Vec<Vec<f32>> = (0..DIRECTIONS).map(|_| direction()).collect();
    let mut vectors = |count: usize| {
        let mut values = vec![0.0; count * WIDTH];
        for row in values.chunks_exact_mut(WIDTH) {
            for _ in 0..5 {
                let chosen = &directions[stream.next_word() as usize % DIRECTIONS];
                let weight = 1.0 + stream.next_normal().abs();
                row.iter_mut().zip(chosen).for_each(|(x, d)| *x += weight * d);
            }
        }
        values
    };
    let (train, test) = (vectors(20_000), vectors(2_000));
    Source { width: WIDTH, train, test, directions, preparation: None }
}

/// The share of the directions to which some unit decodes at a cosine of at least 0.9.
fn recovered(directions: &[Vec<f32>], net: &Autoencoder) -> f64 {
    let decoder = &net.layers[1];
    let cosine = |direction: &[f32], unit: &[f32]| {
        let dot: f32 = direction.iter().zip(unit).map(|(x, y)| x * y).sum();
        dot / unit.iter().map(|y| y * y).sum::<f32>().sqrt().max(f32::MIN_POSITIVE)
    };
    let units = || decoder.weight.chunks_exact(decoder.outputs);
    let found = directions.iter().filter(|direction| units().any(|unit| cosine(direction, unit) > 0.9)).count();
    found as f64 / directions.len() as f64
}

/// The images, as the net decodes them, that the units of the dictionary stand for, where the vectors are a net's.
fn draw(path: &Path, options: &Options, dictionary: &Autoencoder, device: &Device) -> Result<()> {
    let decoder = &dictionary.layers[1];
    let square = |values: usize| (1..).find(|side| side * side >= values).unwrap_or(1);
    let Some(model) = &options.model else {
        return Ok(picture::decoder_filters(path, decoder, square(decoder.outputs))?);
    };
    let (net, _) = Autoencoder::load(model)?;
    let rest = &net.layers[options.layer..];
    if rest.is_empty() || net.sizes()[0] != net.layers[net.layers.len() - 1].outputs {
        return Ok(());
    }
    // What a direction changes in the reconstruction of the mean vector.
    let mean = &decoder.bias;
    let shown = decoder.weight.chunks_exact(decoder.outputs).take(200);
    let moved: Vec<f32> = shown.flat_map(|direction| direction.iter().zip(mean).map(|(d, m)| m + d)).collect();
    let still = models::forward(device, rest, None, &Rows::numbers(mean, mean.len())?)?;
    let images = models::forward(device, rest, None, &Rows::numbers(&moved, mean.len())?)?;
    let change = |image: &[f32]| image.iter().zip(&still).map(|(x, y)| x - y).collect::<Vec<_>>();
    Ok(picture::filters(path, square(still.len()), images.chunks_exact(still.len()).map(change))?)
}
