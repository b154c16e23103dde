//! Retrieval of documents by codes of ten numbers (Hinton & Salakhutdinov, Science 2006): a deep autoencoder 2000-500-250-125-10
//! of bags of words, whose lowest machine has replicated softmax units, beside latent semantic analysis of ten dimensions. Any
//! bag-of-words file with labels will do; without one, documents are made up.
//!
//!     cargo run --release --example documents
//!     cargo run --release --example documents -- --documents train.data --labels train.label

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Parser;
use serde::{Deserialize, Serialize};
use strait::data;
use strait::models::Retrieved;
use strait::plot::{Line, Plot};
use strait::prelude::*;

#[derive(Parser)]
#[command(about = "Trains the paper's deep autoencoder of documents", allow_negative_numbers = true)]
struct Options {
    #[command(flatten)]
    member: MemberOptions,
    /// A bag of words: lines of document, word and count, as the UCI sets have them, SVMlight, LDA-C, Matrix Market, or a sparse
    /// matrix of MATLAB or SciPy. Without labels retrieval by label is left out
    #[arg(long, value_name = "FILE")]
    documents: Option<PathBuf>,
    /// From what SVMlight numbers words; without it the whole file tells
    #[arg(long, value_name = "0|1", requires = "documents", value_parser = data::word_base)]
    word_base: Option<data::WordBase>,
    /// A file with the label of each document, where these are not in the first one
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// How many words are kept, of those that are in the most documents
    #[arg(long)]
    words: Option<usize>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
struct Recipe {
    /// The words that are in the most documents, which are kept.
    words: usize,
    /// The sizes of the hidden layers, the code last.
    hidden: Vec<usize>,
    /// How many documents are made where none are given.
    made: usize,
    /// Of so many documents one is held out, to be a query.
    every: usize,
    /// Training of the machine of words, and of those above.
    bags: Pretrain,
    pretrain: Pretrain,
    training: FineTune,
}

impl Default for Recipe {
    fn default() -> Self {
        let pretrain = Pretrain { epochs: 20, ..Pretrain::default() };
        Self {
            words: 2000,
            hidden: vec![500, 250, 125, 10],
            made: 10_000,
            every: 5,
            bags: Pretrain { rate: 0.005, code: Units::Bernoulli, ..pretrain.clone() },
            pretrain,
            training: FineTune {
                epochs: 20,
                objective: Objective::SoftmaxCrossEntropy,
                optimizer: Optimizer::adam(3e-4),
                ..FineTune::default()
            },
        }
    }
}

impl experiment::Recipe for Recipe {
    fn trainings(&mut self) -> Vec<&mut dyn Training> {
        vec![&mut self.training]
    }

    fn others(&mut self) -> Vec<&mut dyn Training> {
        vec![&mut self.bags, &mut self.pretrain]
    }
}

fn main() -> ExitCode {
    experiment::main(run)
}

/// Bags of words with labels: those to learn from and to search in, and the queries.
struct Corpus {
    words: usize,
    values: [Vec<f32>; 2],
    /// Where the documents have some.
    labels: Option<[Vec<u32>; 2]>,
}

impl Corpus {
    fn load(options: &Options, recipe: &Recipe) -> Result<Self> {
        let read = DataOptions { word_base: options.word_base, ..DataOptions::default() };
        let documents = match (&options.documents, &options.labels) {
            (None, None) => {
                say!("without --documents, {} documents about 20 topics are made up", recipe.made);
                strait::corpus::documents(recipe.made, recipe.training.seed)
            }
            (None, Some(labels)) => bail!("--labels {}: it needs --documents as well", labels.display()),
            (Some(path), None) => Documents::read_with(path, &read)?,
            (Some(path), Some(labels)) => Documents::read_with(path, &read)?.with_labels(labels)?,
        };
        let documents = documents.most_frequent(recipe.words);
        let (words, mut values) = (documents.words, [Vec::new(), Vec::new()]);
        let mut of_labels = [Vec::new(), Vec::new()];
        let order = Stream::new(recipe.training.seed, 701).permutation(documents.counts.len());
        let dense = documents.to_numbers()?;
        for (number, row) in order.into_iter().map(|row| row as usize).enumerate() {
            let bag = &dense[row * words..][..words];
            // A document without any of the words tells nothing.
            if bag.iter().any(|&count| count > 0.0) {
                let held_out = usize::from(number % recipe.every == 0);
                values[held_out].extend_from_slice(bag);
                of_labels[held_out].push(documents.labels.as_ref().map_or(0, |labels| labels[row]));
            }
        }
        if let Some(limit) = options.member.common.limit {
            values[0].truncate(limit.max(1).saturating_mul(words));
            of_labels[0].truncate(limit.max(1));
        }
        if of_labels.iter().any(|labels| labels.len() < 2) {
            bail!("there are too few documents with any of the words to hold out some as queries");
        }
        Ok(Self { words, values, labels: documents.labels.map(|_| of_labels) })
    }
}

fn run(options: &Options) -> Result<()> {
    let mut recipe: Recipe = options.member.recipe()?;
    options.member.set_code(&mut recipe.hidden);
    recipe.words = options.words.unwrap_or(recipe.words);
    if recipe.words < 2 || recipe.every < 2 || recipe.hidden.len() < 2 {
        bail!(
            "the recipe must keep two words or more, hold out one document of two or more, and have two hidden layers"
        );
    }
    models::check_sizes(&[&[recipe.words], &recipe.hidden[..]].concat())?;
    let Corpus { words, values, labels } = Corpus::load(options, &recipe)?;
    let [rows, queries] = [Rows::numbers(&values[0], words)?, Rows::numbers(&values[1], words)?];
    let (device, mut run) = options.member.begin(&mut recipe, rows.count)?;

    let bags = Pretrain { visible: Units::Softmax(Groups::one(words)), ..recipe.bags.clone() };
    let mut stack = run.pretrain(&bags, &[words, recipe.hidden[0]], rows, Some(queries))?;
    if !stopping() {
        let features = models::forward(&device, &[stack.rbms[0].up()], None, &rows)?;
        let features = Rows::numbers(&features, recipe.hidden[0])?;
        stack.rbms.extend(run.pretrain(&recipe.pretrain, &recipe.hidden, features, None)?.rbms);
    }
    let mut net = stack.unroll();
    run.train(&recipe.training, &mut net, rows, queries)?;
    net.save(run.path("model.safetensors"))?;
    let Some(labels) = labels else {
        say!("the documents have no labels, so that retrieval by label is left out; --labels names a file of some");
        return Ok(run.finish()?);
    };
    if !stopping() {
        let size = net.code_size();
        let codes = [net.encode(&device, rows)?, net.encode(&device, queries)?];
        let theirs = models::latent_semantic_analysis(&device, [rows, queries], size)?;
        let names = [format!("autoencoder, {size} numbers"), format!("latent semantic analysis, {size} dimensions")];
        let mut curves = Vec::new();
        for (name, [references, queries]) in names.into_iter().zip([codes, theirs]) {
            let codes = [Rows::numbers(&references, size)?, Rows::numbers(&queries, size)?];
            let curve = models::retrieval_curve(&device, codes, [&labels[0], &labels[1]])?;
            for point in curve.iter().filter(|point| [1, 15, 127].contains(&point.count)) {
                let what = format!("of {} documents found have the query's label, per cent, {name}", point.count);
                run.higher(what, 100.0 * point.precision);
            }
            let precisions: Vec<f64> = curve.iter().map(|point| point.precision).collect();
            run.higher(format!("mean of the curve, per cent, {name}"), 100.0 * models::mean(&precisions));
            curves.push((name, curve));
        }
        let pairs = curves[0].1.iter().zip(&curves[1].1);
        let below = pairs.filter(|(ours, theirs)| ours.precision < theirs.precision).count();
        let what = "points of the curve at which the autoencoder is below latent semantic analysis";
        // The paper's figure, of its own documents.
        run.lower(what, below as f64).published(options.documents.as_ref().map(|_| 0.0));
        draw(&run.path("retrieval.svg"), curves)?;
    }
    Ok(run.finish()?)
}

fn draw(path: &Path, curves: Vec<(String, Vec<Retrieved>)>) -> Result<()> {
    let points = curves.iter().flat_map(|(_, curve)| curve);
    let (least, highest) = points.fold((1.0f64, 0.0f64), |(x, y), point| (x.min(point.recall), y.max(point.precision)));
    let lines = curves.into_iter().zip([plot::RED, plot::BLUE]).map(|((name, curve), colour)| {
        let points = curve.iter().map(|point| [100.0 * point.recall, 100.0 * point.precision]).collect();
        Line { name, colour, points, deviations: Vec::new() }
    });
    let plot = Plot {
        title: "retrieval of documents by codes",
        labels: ["recall, per cent", "precision, per cent"],
        ranges: [100.0 * least.max(1e-6)..100.0, 0.0..105.0 * highest.max(0.01)],
        log: true,
    };
    Ok(plot.save(path, &lines.collect::<Vec<_>>())?)
}
