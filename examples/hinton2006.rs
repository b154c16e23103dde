//! Hinton & Salakhutdinov, "Reducing the dimensionality of data with neural networks", Science 313:504 (2006), on the
//! real MNIST: pretrains a stack of RBMs, unrolls it into 784-1000-500-250-30-250-500-1000-784, fine-tunes it, and
//! compares its reconstructions with those of logistic PCA and PCA.
//!
//!     cargo run --release --example hinton2006

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Parser;
use serde::Serialize;
use strait::data::{ByteValues, Format};
use strait::experiment::{Common, DataArgs, Sets, keep_recipe, prepare, write_recipe};
use strait::hinton2006::{PUBLISHED, Recipe};
use strait::metrics::Metrics;
use strait::models::write_atomically;
use strait::picture::{Map, encoder_filters, labelled_rows, maps};
use strait::prelude::*;
use strait::terminal::stop_on_signals;
use strait::train::{Checkpoints, FineTuneEpoch, FineTuned, Plan, PretrainEpoch, Run};

#[derive(Parser)]
#[command(
    about = "Trains the deep autoencoder of Hinton & Salakhutdinov (2006) on MNIST",
    allow_negative_numbers = true
)]
struct Options {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    read: DataArgs,
    /// quick (minutes on a laptop), long (the lowest error, from shifted images), paper (the published schedule, hours),
    /// or a TOML file as --out writes it
    #[arg(long, default_value = "quick")]
    recipe: String,
    /// Size of the code
    #[arg(long)]
    code: Option<usize>,
    /// Epochs of pretraining for each layer
    #[arg(long)]
    pretrain_epochs: Option<usize>,
    /// Fine-tune on images shifted at random by up to that many pixels; 0 for the images as they are
    #[arg(long, value_name = "PIXELS")]
    shift: Option<u32>,
    /// Only print where the time of a training step goes, on the device's own clock
    #[arg(long)]
    profile: bool,
    /// Write the kernels that the device compiled, as WGSL, into this folder
    #[arg(long, value_name = "FOLDER")]
    dump_wgsl: Option<PathBuf>,
    /// Also train a net with a code of two numbers, and draw the map
    #[arg(long)]
    map: bool,
    /// Also train the same net without pretraining
    #[arg(long)]
    ablate: bool,
}

#[derive(Serialize)]
struct Results {
    device: String,
    /// The precision of the products of training, and the numbers that they multiply on this device. Errors are always
    /// evaluated in f32.
    precision: Precision,
    operands: String,
    recipe: Recipe,
    seed: u64,
    train_images: usize,
    seconds_pretrain: f64,
    seconds_finetune: f64,
    train_error: f64,
    test_error: f64,
    test_error_unrolled: Option<f64>,
    /// Whether a signal ended the run early; what it did not come to is null.
    stopped: bool,
    test_error_pca: Option<f64>,
    test_error_logistic_pca: Option<f64>,
    test_error_no_pretraining: Option<f64>,
    pretrain: Vec<Vec<PretrainEpoch>>,
    finetune: Vec<FineTuneEpoch>,
}

fn main() -> ExitCode {
    experiment::main(run)
}

fn run(options: &Options) -> Result<()> {
    let mut recipe = recipe(options)?;
    let sets = sets(options, recipe.finetune.seed)?;
    let pixels = options.shift.or(recipe.finetune.shift.map(|shift| shift.pixels)).unwrap_or(0);
    let picture = sets.train.picture_shape();
    recipe.finetune.shift = match (pixels, picture) {
        (0, _) => None,
        (pixels, Some([_, width])) => Some(ImageShift { width, pixels }),
        (_, None) => {
            bail!("rows of {} numbers are no pictures that could be shifted; use --shift 0", sets.train.width())
        }
    };
    let (train, test) = sets.rows(options.common.limit)?;
    recipe.pretrain.check()?;
    recipe.finetune.check()?;
    recipe.logistic_pca.check().context("logistic PCA")?;
    let sizes = [&[train.width], &recipe.hidden[..]].concat();
    recipe.finetune.check_for(&recipe.pretrain.untrained(&sizes)?).context("fine-tuning after pretraining")?;
    let code = recipe.hidden[recipe.hidden.len() - 1];
    if code > train.width {
        bail!("a code of {code} numbers is larger than the images' {} pixels: use a smaller --code", train.width);
    }
    if options.profile {
        let device = Device::named(&options.common.device)?;
        let recipe = in_precision(recipe, options, &device)?;
        profile(&device, &recipe, train)?;
        return dump_wgsl(&device, options.dump_wgsl.as_deref());
    }
    prepare(&options.common.out)?;
    stop_on_signals()?;
    let kept = options.common.keep()?;
    let device = Device::named(&options.common.device)?;
    let recipe = in_precision(recipe, options, &device)?;
    say!("{}, {}", device.describe(), recipe.finetune.precision.name());
    match picture {
        Some([height, width]) => {
            say!("{} training and {} test images of {width} x {height}", train.count, test.count)
        }
        None => say!("{} training and {} test rows of {} numbers", train.count, test.count, train.width),
    }
    keep_recipe(&options.common.out, &recipe, options.common.checkpoints.resume)?;

    let pretrained = options.common.out.join("pretrained.safetensors");
    let deep = Deep { device: &device, recipe: &recipe, train, test, kept: &kept };
    let Trained { net, pretrain, tuned, unrolled_error } = deep.train("", &sizes, Some(&pretrained))?;
    if stopping() {
        // Whoever asked for the end may not wait for what comes below.
        let saved = SaveOptions { preparation: sets.preparation.clone(), ..SaveOptions::default() };
        net.save_with(options.common.out.join("model.safetensors"), &saved)?;
    }
    let train_error = net.error(&device, train)?;
    let test_error = net.error(&device, test)?;
    // Saved at once: nothing that comes later may cost the training.
    let notes = [
        ("strait.recipe", toml::to_string_pretty(&recipe)?),
        ("strait.seed", recipe.finetune.seed.to_string()),
        ("strait.train_error", train_error.to_string()),
        ("strait.test_error", test_error.to_string()),
    ];
    let notes = notes.map(|(name, value)| (name.to_owned(), value)).into();
    let saved = SaveOptions { notes, preparation: sets.preparation.clone(), ..SaveOptions::default() };
    net.save_with(options.common.out.join("model.safetensors"), &saved)?;

    let mut logistic = Autoencoder::logistic_pca(train.width, code, recipe.logistic_pca.seed)?;
    let mut pca = None;
    let mut test_error_no_pretraining = None;
    if !stopping() {
        deep.fine_tune("logistic-pca", &recipe.logistic_pca, &mut logistic)?;
        let heard = |_| if stopping() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        pca = Pca::fit_observed(&device, train, code, heard)?;
    }
    if options.ablate && !stopping() {
        say!("\nthe same net without pretraining");
        let mut glorot = Autoencoder::glorot(&sizes, recipe.finetune.seed)?;
        deep.fine_tune("no-pretraining", &recipe.finetune, &mut glorot)?;
        test_error_no_pretraining = Some(glorot.error(&device, test)?).filter(|_| !stopping());
    }
    let compared = pca.filter(|_| !stopping());

    let seconds = |epochs: &[PretrainEpoch]| epochs.iter().map(|epoch| epoch.seconds).sum::<f64>();
    let results = Results {
        device: device.describe(),
        precision: recipe.finetune.precision,
        operands: format!("{:?}", device.operands(recipe.finetune.precision)).to_lowercase(),
        seed: recipe.finetune.seed,
        train_images: train.count,
        seconds_pretrain: pretrain.iter().map(|layer| seconds(layer)).sum(),
        seconds_finetune: tuned.epochs.iter().map(|epoch| epoch.seconds).sum(),
        train_error,
        test_error,
        test_error_unrolled: unrolled_error,
        stopped: stopping(),
        test_error_pca: compared.as_ref().map(|pca| pca.error(test)).transpose()?,
        test_error_logistic_pca: compared.as_ref().map(|_| logistic.error(&device, test)).transpose()?,
        test_error_no_pretraining,
        pretrain,
        finetune: tuned.epochs,
        recipe,
    };
    // The paper's figures are those of MNIST.
    let of_mnist = sets.train.format == Format::Mnist && train.width == 784;
    print_table(&results, code, of_mnist);

    let out = &options.common.out;
    write_atomically(&out.join("results.json"), serde_json::to_string_pretty(&results)?.as_bytes())?;
    write_recipe(out, &results.recipe)?;
    if let (Some(pca), Some(shape)) = (compared, picture) {
        let examples = sets.examples()?;
        let examples = Rows::numbers(&examples, train.width)?;
        let rows = [
            ("test images", examples.to_numbers()),
            ("autoencoder", net.reconstruct(&device, examples)?),
            ("logistic PCA", logistic.reconstruct(&device, examples)?),
            ("PCA", pca.reconstruct(examples)?),
        ];
        labelled_rows(&out.join("reconstructions.png"), shape, &rows)?;
    }
    if let Some([_, width]) = picture {
        encoder_filters(&out.join("filters.png"), &net.layers[0], width)?;
    }
    let mut metrics = kept.1.run("fine-tuning");
    let events = metrics.event_file()?;
    let epochs = results.finetune.len();
    events.layers("fine-tuning", epochs, &net.layers)?;
    for picture in ["reconstructions", "filters"] {
        let path = out.join(picture).with_extension("png");
        if path.exists() {
            events.picture(&format!("fine-tuning/{picture}"), epochs, &path)?;
        }
    }
    events.flush()?;
    if options.map && !stopping() {
        let deep = Deep { device: &device, recipe: &results.recipe, train, test, kept: &kept };
        draw_map(&out.join("codes2d.png"), &deep, &sizes, &sets)?;
    }
    dump_wgsl(&device, options.dump_wgsl.as_deref())?;
    if stopping() {
        say!(
            "\nstopped by a signal; model.safetensors is the net as it was then, results.json tells how far it came, and \
             --resume goes on"
        );
    }
    say!("\nresults.json, recipe.toml, model.safetensors and the pictures are in {}", out.display());
    Ok(())
}

/// The training and the test rows. Bytes are pixels here, in tables too.
fn sets(options: &Options, seed: u64) -> Result<Sets> {
    let mut read = options.read.options();
    if read.bytes == ByteValues::Guess {
        read.bytes = ByteValues::Pixels;
    }
    Ok(Sets::open(&options.common.data, &read, seed)?.scaled(options.read.scale().unwrap_or_default())?)
}

/// The recipe that the options name, with their changes to it.
fn recipe(options: &Options) -> Result<Recipe> {
    let mut recipe = match options.recipe.as_str() {
        "quick" => Recipe::quick(),
        "long" => Recipe::long(),
        "paper" => Recipe::paper(),
        file => {
            let text = std::fs::read_to_string(file).with_context(|| {
                format!("--recipe {file}: neither `quick`, `long`, `paper` nor a file that can be read")
            })?;
            toml::from_str(&text).with_context(|| format!("--recipe {file}: this is no recipe"))?
        }
    };
    if let Some(code) = options.code {
        recipe.hidden.pop();
        recipe.hidden.push(code);
    }
    if let Some(seed) = options.common.seed {
        recipe = recipe.seeded(seed);
    }
    recipe.finetune.epochs = options.common.epochs.unwrap_or(recipe.finetune.epochs);
    recipe.pretrain.epochs = options.pretrain_epochs.unwrap_or(recipe.pretrain.epochs);
    if recipe.hidden.is_empty() || recipe.hidden.contains(&0) {
        bail!("the hidden layers are {:?}: there must be at least one, and none of size 0", recipe.hidden);
    }
    Ok(recipe)
}

/// The recipe in the precision that the options name, as far as the device has it.
fn in_precision(recipe: Recipe, options: &Options, device: &Device) -> Result<Recipe> {
    let named = ["quick", "long", "paper"].contains(&&*options.recipe);
    let said = Some(recipe.finetune.precision).filter(|_| !named);
    Ok(recipe.in_precision(options.common.precision(device, said)?))
}

/// Prints the operations of the first layer's pretraining and of fine-tuning by their time.
fn profile(device: &Device, recipe: &Recipe, train: Rows<'_>) -> Result<()> {
    say!("{}\n", device.describe());
    let sizes = [&[train.width], &recipe.hidden[..]].concat();
    let pretraining = recipe.pretrain.profile(device, sizes[1], train)?;
    let fine_tuning = recipe.finetune.profile(device, &Autoencoder::glorot(&sizes, 1)?, train)?;
    for profile in [pretraining, fine_tuning] {
        match profile {
            Some(profile) => say!("{profile}"),
            None => say!("this device, or this optimiser, cannot be measured operation by operation\n"),
        }
    }
    Ok(())
}

/// Writes the device's kernels into a folder, so that any compiler can be pointed at them.
fn dump_wgsl(device: &Device, folder: Option<&Path>) -> Result<()> {
    let Some(folder) = folder else {
        return Ok(());
    };
    std::fs::create_dir_all(folder).with_context(|| format!("--dump-wgsl {}", folder.display()))?;
    let kernels = device.kernels();
    for (number, (name, text)) in kernels.iter().enumerate() {
        let file = folder.join(format!("{}-{number}.wgsl", name.replace(' ', "-")));
        write_atomically(&file, text.as_bytes())?;
    }
    say!("{} kernels are in {}", kernels.len(), folder.display());
    Ok(())
}

struct Trained {
    net: Autoencoder,
    pretrain: Vec<Vec<PretrainEpoch>>,
    tuned: FineTuned,
    /// The test error between pretraining and fine-tuning, where pretraining came to its end.
    unrolled_error: Option<f64>,
}

/// What deep nets are trained with.
struct Deep<'a> {
    device: &'a Device,
    recipe: &'a Recipe,
    train: Rows<'a>,
    test: Rows<'a>,
    kept: &'a (Checkpoints, Metrics),
}

impl Deep<'_> {
    /// Pretrains, unrolls and fine-tunes a net of these sizes; the unrolled net is kept in a file where one is named. The names of the
    /// checkpoints begin with `name`.
    fn train(&self, name: &str, sizes: &[usize], keep: Option<&Path>) -> Result<Trained> {
        let Self { device, recipe, train, test, .. } = *self;
        // Drivers take seconds to compile what fine-tuning needs: in that time the machines are trained. Should it fail,
        // fine-tuning compiles for itself, and tells.
        let alike = Autoencoder::glorot(sizes, recipe.finetune.seed)?;
        let pretrained = std::thread::scope(|scope| {
            scope.spawn(|| recipe.finetune.prepare(device, &alike, train, Some(test)));
            self.keep(&format!("{name}pretraining"), recipe.pretrain.run(device, sizes, train)?).train()
        })?;
        let mut net = pretrained.stack.unroll();
        if pretrained.stopped {
            let tuned = FineTuned { stopped: true, ..FineTuned::default() };
            return Ok(Trained { net, pretrain: pretrained.layers, tuned, unrolled_error: None });
        }
        let unrolled_error = net.error(device, test)?;
        say!("unrolled into {:?}, {} parameters: test error {unrolled_error:.3}", net.sizes(), net.parameters());
        if let Some(path) = keep {
            net.save(path)?;
        }
        let tuned = self.fine_tune(&format!("{name}fine-tuning"), &recipe.finetune, &mut net)?;
        Ok(Trained { net, pretrain: pretrained.layers, tuned, unrolled_error: Some(unrolled_error) })
    }

    fn keep<'r, P: Plan<'r>>(&self, name: &str, run: Run<'r, P>) -> Run<'r, P> {
        let (checkpoints, metrics) = self.kept;
        run.observe(metrics.run(name).and(progress())).checkpoints(checkpoints, name)
    }

    fn fine_tune(&self, name: &str, recipe: &FineTune, net: &mut Autoencoder) -> Result<FineTuned> {
        let start = Instant::now();
        let tuned = self.keep(name, recipe.run(self.device, net, self.train)?.test(self.test)?).train()?;
        say!("{:?}: {} epochs in {:.1} s", net.sizes(), tuned.epochs.len(), start.elapsed().as_secs_f64());
        Ok(tuned)
    }
}

fn print_table(results: &Results, code: usize, of_mnist: bool) {
    let measured = [Some(results.test_error), results.test_error_logistic_pca, results.test_error_pca]
        .map(|error| error.map_or("-".to_owned(), |error| format!("{error:.2}")));
    say!("\nsquared error per test image, {code} numbers per code");
    say!("{:<10}{:>16}{:>16}{:>10}", "", PUBLISHED[0].0, PUBLISHED[1].0, PUBLISHED[2].0);
    say!("{:<10}{:>16}{:>16}{:>10}", "this run", measured[0], measured[1], measured[2]);
    if of_mnist {
        say!("{:<10}{:>16.2}{:>16.2}{:>10.2}", "the paper", PUBLISHED[0].1, PUBLISHED[1].1, PUBLISHED[2].1);
    }
    if let Some(error) = results.test_error_no_pretraining {
        say!("without pretraining the autoencoder ends at {error:.2}");
    }
    say!(
        "pretraining {:.1} s, fine-tuning {:.1} s, training error {:.2}",
        results.seconds_pretrain,
        results.seconds_finetune,
        results.train_error
    );
}

/// Trains the same net with a code of two numbers and draws the test set's codes beside its first two principal
/// components.
fn draw_map(path: &Path, deep: &Deep<'_>, sizes: &[usize], sets: &Sets) -> Result<()> {
    let Deep { device, train, test, .. } = *deep;
    let sizes = [&sizes[..sizes.len() - 1], &[2]].concat();
    say!("\na net with a code of two numbers");
    let net = deep.train("map-", &sizes, None)?.net;
    if stopping() {
        return Ok(());
    }
    let pair = |code: &[f32]| [code[0], code[1]];
    let codes = net.encode(device, test)?;
    let principal = Pca::fit(device, train, 2)?.encode(test)?;
    let title = sizes.iter().map(usize::to_string).collect::<Vec<_>>().join("-");
    let drawn = [
        Map { title: &title, points: codes.chunks_exact(2).map(pair).collect() },
        Map { title: "principal components", points: principal.iter().map(|z| [z[0] as f32, z[1] as f32]).collect() },
    ];
    let unlabelled = vec![0; test.count];
    Ok(maps(path, sets.test.labels.as_ref().map_or(&unlabelled, |labels| &labels.classes), &drawn)?)
}
