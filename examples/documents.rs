//! Retrieval of documents by codes of ten numbers (Hinton & Salakhutdinov, Science 2006): a deep autoencoder 2000-500-250-125-10
//! of bags of words, whose lowest machine has replicated softmax units, beside latent semantic analysis of ten dimensions. Any
//! bag-of-words file with labels will do; without one, documents are made up.
//!
//!     cargo run --release --example documents
//!     cargo run --release --example documents -- --documents train.data --labels train.label

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Parser;
use plotters::prelude::*;
use serde::{Deserialize, Serialize};
use shared::{Learning, Member, Report, higher, train};
use strait::Groups;
use strait::compute::philox::Stream;
use strait::data::Documents;
use strait::models::{forward, nearest, retrieval};
use strait::prelude::*;
use strait::terminal::{Terminal, stopping};

#[derive(Parser)]
#[command(about = "Trains the paper's deep autoencoder of documents", allow_negative_numbers = true)]
struct Options {
    #[command(flatten)]
    member: Member,
    /// A bag-of-words file: lines of document, word and count, as the UCI sets have them, or SVMlight lines
    #[arg(long, value_name = "FILE")]
    documents: Option<PathBuf>,
    /// A file with the label of each document, where these are not in the first one
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// How many words are kept, of those that are in the most documents
    #[arg(long)]
    words: Option<usize>,
    /// Where the results go
    #[arg(long, default_value = "out/documents")]
    out: PathBuf,
}

#[derive(Serialize, Deserialize)]
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

impl shared::Recipe for Recipe {
    fn training(&mut self) -> Learning<'_> {
        Learning::FineTune(&mut self.training)
    }

    fn set_precision(&mut self, precision: Precision) {
        (self.bags.precision, self.pretrain.precision, self.training.precision) = (precision, precision, precision);
    }
}

fn main() -> ExitCode {
    shared::main(|| run(&Options::parse()))
}

/// Bags of words with labels: those to learn from and to search in, and the queries.
struct Corpus {
    words: usize,
    values: [Vec<f32>; 2],
    labels: [Vec<u8>; 2],
}

impl Corpus {
    fn load(options: &Options, recipe: &Recipe) -> Result<Self> {
        let documents = match (&options.documents, &options.labels) {
            (None, None) => {
                println!("without --documents, {} documents about 20 topics are made up", recipe.made);
                strait::corpus::documents(recipe.made, recipe.training.seed)
            }
            (None, Some(labels)) => bail!("--labels {}: it needs --documents as well", labels.display()),
            (Some(path), None) => Documents::read(path)?,
            (Some(path), Some(labels)) => Documents::read(path)?.with_labels(labels)?,
        };
        let documents = documents.most_frequent(recipe.words);
        let Some(labels) = &documents.labels else {
            bail!("the documents have no labels, by which retrieval could be judged; give their file with --labels");
        };
        if documents.label_names.len() > 256 {
            bail!("there are {} labels, but 256 at most are told apart", documents.label_names.len());
        }
        let (words, mut values) = (documents.words, [Vec::new(), Vec::new()]);
        let mut of_labels = [Vec::new(), Vec::new()];
        let order = Stream::new(recipe.training.seed, 701).permutation(labels.len());
        let dense = documents.to_numbers()?;
        for (number, row) in order.into_iter().map(|row| row as usize).enumerate() {
            let bag = &dense[row * words..][..words];
            // A document without any of the words tells nothing.
            if bag.iter().any(|&count| count > 0.0) {
                let held_out = usize::from(number % recipe.every == 0);
                values[held_out].extend_from_slice(bag);
                of_labels[held_out].push(labels[row] as u8);
            }
        }
        if let Some(limit) = options.member.common.limit {
            values[0].truncate(limit.max(1).saturating_mul(words));
            of_labels[0].truncate(limit.max(1));
        }
        if of_labels.iter().any(|labels| labels.len() < 2) {
            bail!("there are too few documents with any of the words to hold out some as queries");
        }
        Ok(Self { words, values, labels: of_labels })
    }

    fn rows(&self) -> Result<[Rows<'_>; 2]> {
        Ok([Rows::numbers(&self.values[0], self.words)?, Rows::numbers(&self.values[1], self.words)?])
    }
}

fn run(options: &Options) -> Result<()> {
    let mut recipe: Recipe = options.member.recipe()?;
    if let (Some(code), Some(last)) = (options.member.code, recipe.hidden.last_mut()) {
        *last = code;
    }
    recipe.words = options.words.unwrap_or(recipe.words);
    if let Some(seed) = options.member.common.seed {
        (recipe.bags.seed, recipe.pretrain.seed) = (seed, seed);
    }
    recipe.bags.check().context("the recipe of the machine of words")?;
    recipe.pretrain.check().context("the recipe of the machines above")?;
    if recipe.words < 2 || recipe.every < 2 || recipe.hidden.len() < 2 {
        bail!(
            "the recipe must keep two words or more, hold out one document of two or more, and have two hidden layers"
        );
    }
    strait::models::check_sizes(&[&[recipe.words], &recipe.hidden[..]].concat())?;
    let corpus = Corpus::load(options, &recipe)?;
    let [rows, queries] = corpus.rows()?;
    let device = options.member.begin(&options.out, &mut recipe)?;

    let mut terminal = Terminal::new();
    let mut show = |event: &Event| terminal.show(event);
    let visible = Units::Softmax(Groups::one(corpus.words));
    let bags = Pretrain { visible, ..recipe.bags.clone() };
    let lowest =
        bags.run(&device, &[corpus.words, recipe.hidden[0]], rows)?.held_out(queries)?.observe(&mut show).train()?;
    let mut seconds: f64 = lowest.layers.iter().flatten().map(|epoch| epoch.seconds).sum();
    let mut stack = lowest.stack;
    if !stopping() {
        let features = forward(&device, &[stack.rbms[0].up()], None, &rows)?;
        let features = Rows::numbers(&features, recipe.hidden[0])?;
        let above = recipe.pretrain.run(&device, &recipe.hidden, features)?.observe(&mut show).train()?;
        seconds += above.layers.iter().flatten().map(|epoch| epoch.seconds).sum::<f64>();
        stack.rbms.extend(above.stack.rbms);
    }
    let mut net = stack.unroll();
    let tuned =
        if stopping() { Default::default() } else { train(&device, &recipe.training, &mut net, rows, queries)? };
    net.save(options.out.join("model.safetensors"))?;
    let mut report = Report::new(&device, recipe.training.precision, &recipe, rows.count, tuned);
    report.seconds_train += seconds;
    report.stopped |= stopping();
    if !stopping() {
        let size = net.code_size();
        let codes = [net.encode(&device, rows)?, net.encode(&device, queries)?];
        let theirs = latent_semantic_analysis(&device, [rows, queries], size)?;
        let names = [format!("autoencoder, {size} numbers"), format!("latent semantic analysis, {size} dimensions")];
        let mut curves = Vec::new();
        for (name, [references, queries]) in names.into_iter().zip([codes, theirs]) {
            let curve = curve(&device, [&references, &queries], size, &corpus.labels)?;
            for (found, precision, _) in curve.iter().filter(|(found, ..)| [1, 15, 127].contains(found)) {
                let what = format!("of {found} documents found have the query's label, per cent, {name}");
                report.measured.push(higher(what, 100.0 * precision, None));
            }
            let mean = curve.iter().map(|(_, precision, _)| precision).sum::<f64>() / curve.len() as f64;
            report.measured.push(higher(format!("mean of the curve, per cent, {name}"), 100.0 * mean, None));
            curves.push((name, curve));
        }
        let lower = curves[0].1.iter().zip(&curves[1].1).filter(|(ours, theirs)| ours.1 < theirs.1).count();
        let what = "points of the curve at which the autoencoder is below latent semantic analysis";
        // The paper's figure, of its own documents.
        report.measured.push(shared::lower(what, lower as f64, options.documents.as_ref().map(|_| 0.0)));
        plot(&options.out.join("retrieval.svg"), &curves)?;
    }
    report.finish(&options.out)
}

/// Directions of the largest singular values of ln(1 + count), weighted by how few documents have a word (Deerwester et al. 1990).
fn latent_semantic_analysis(device: &Device, rows: [Rows<'_>; 2], size: usize) -> Result<[Vec<f32>; 2]> {
    let [references, _] = rows;
    let counts = references.to_numbers();
    let having = |word: usize| counts.iter().skip(word).step_by(references.width).filter(|&&count| count > 0.0).count();
    let weights: Vec<f32> =
        (0..references.width).map(|word| (references.count as f32 / having(word).max(1) as f32).ln()).collect();
    let weighted = rows.map(|rows| {
        let values = rows.to_numbers();
        let row =
            |row: &[f32]| row.iter().zip(&weights).map(|(count, weight)| count.ln_1p() * weight).collect::<Vec<_>>();
        values.chunks_exact(rows.width).flat_map(row).collect::<Vec<f32>>()
    });
    // With their negatives the rows have the mean 0, so that none is subtracted.
    let both: Vec<f32> = weighted[0].iter().copied().chain(weighted[0].iter().map(|x| -x)).collect();
    let components = Pca::fit(device, Rows::numbers(&both, references.width)?, size.min(references.width))?.components;
    let along = |values: &[f32]| -> Vec<f32> {
        let code = |row: &[f32]| {
            let dot =
                |component: &Vec<f64>| component.iter().zip(row).map(|(p, &x)| p * f64::from(x)).sum::<f64>() as f32;
            components.iter().map(dot).collect::<Vec<f32>>()
        };
        values.chunks_exact(references.width).flat_map(code).collect()
    };
    Ok([along(&weighted[0]), along(&weighted[1])])
}

/// Precision and recall where so many documents are found by the cosine of their codes.
type Curve = Vec<(usize, f64, f64)>;

fn curve(device: &Device, codes: [&[f32]; 2], size: usize, labels: &[Vec<u8>; 2]) -> Result<Curve> {
    // Of vectors of length 1 those with the largest cosine are the nearest.
    let unit = |codes: &[f32]| -> Vec<f32> {
        let scaled = |code: &[f32]| {
            let length = code.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
            code.iter().map(|x| x / length).collect::<Vec<f32>>()
        };
        codes.chunks_exact(size).flat_map(scaled).collect()
    };
    let [references, queries] = codes.map(unit);
    let (references, queries) = (Rows::numbers(&references, size)?, Rows::numbers(&queries, size)?);
    // 1, 3, 7, 15, ...: the points of the paper's figure.
    let counts = (1..).map(|power| (1usize << power) - 1).take_while(|count| *count <= references.count);
    let mut curve: Curve = counts.map(|count| (count, 0.0, 0.0)).collect();
    // As many queries at once as have some hundred megabytes of neighbours.
    let batch = ((1 << 25) / references.count).max(1);
    for start in (0..queries.count).step_by(batch) {
        let part = start..(start + batch).min(queries.count);
        let share = part.len() as f64 / queries.count as f64;
        let found = nearest(device, references, queries.range(part.clone()), references.count)?;
        for (count, precision, recall) in &mut curve {
            let first: Vec<Vec<u32>> = found.iter().map(|found| found[..*count].to_vec()).collect();
            let of_part = retrieval(&first, &labels[0], &labels[1][part.clone()])?;
            (*precision, *recall) = (*precision + share * of_part.0, *recall + share * of_part.1);
        }
    }
    Ok(curve)
}

fn plot(path: &Path, curves: &[(String, Curve)]) -> Result<()> {
    let area = SVGBackend::new(path, (640, 420)).into_drawing_area();
    area.fill(&WHITE)?;
    let points = curves.iter().flat_map(|(_, curve)| curve);
    let (least, highest) =
        points.fold((1.0f64, 0.0f64), |(x, y), (_, precision, recall)| (x.min(*recall), y.max(*precision)));
    let mut chart = ChartBuilder::on(&area)
        .caption("retrieval of documents by codes", ("sans-serif", 16))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(48)
        .build_cartesian_2d((100.0 * least.max(1e-6)..100.0).log_scale(), 0.0..105.0 * highest.max(0.01))?;
    chart.configure_mesh().x_desc("recall, per cent").y_desc("precision, per cent").draw()?;
    for ((name, curve), colour) in curves.iter().zip([RGBColor(214, 39, 40), BLUE]) {
        let line = curve.iter().map(|(_, precision, recall)| (100.0 * recall, 100.0 * precision));
        chart
            .draw_series(LineSeries::new(line, colour.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerLeft)
        .border_style(BLACK)
        .background_style(WHITE)
        .draw()?;
    Ok(area.present()?)
}
