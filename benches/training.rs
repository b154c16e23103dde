//! Training as a user runs it: epochs of contrastive divergence for each layer of the paper, of fine-tuning, and more.
//!
//!     cargo bench --bench training -- [FILTER] [--device NAME] [--precision f32|mixed|split|auto] [--json FILE]
//!
//! `quick recipe`, which takes minutes on a CPU, has to be asked for by name there.

mod suite;
#[path = "../crates/strait-compute/tests/conformance/table.rs"]
#[expect(dead_code, reason = "only the shapes are of use here")]
mod table;

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use strait::compute::philox::Stream;
use strait::compute::{Cell, Hardware};
use strait::gpu::{Checks, Options, Selector};
use strait::hinton2006::{Recipe, SIZES};
use strait::models::{SequenceAutoencoder, SequenceShape};
use strait::prelude::*;
use strait::train::{Chain, HostCost};
use strait::{Member, Missing};
use suite::{Notes, Suite, Work};
use table::PAPER;

fn main() -> anyhow::Result<()> {
    let mut suite = Suite::open()?;
    let mnist = Mnist::open("data/mnist")?;
    let images = mnist.train.rows().first(suite.options.images);
    for (visible, hidden) in PAPER {
        boltzmann_machine(&mut suite, Chain::Data, images, None, (visible, hidden))?;
    }
    boltzmann_machine(&mut suite, Chain::Data, images, Some(mnist.test.rows()), PAPER[0])?;
    boltzmann_machine(&mut suite, Chain::Persistent, images, None, PAPER[0])?;
    let optimizers = [
        (100, Optimizer::adam(1e-3)),
        (1000, Optimizer::adam(1e-3)),
        (1000, Optimizer::ConjugateGradients { searches: 3 }),
    ];
    for (batch, optimizer) in optimizers {
        let device = suite.device.clone();
        fine_tuning(&mut suite, &device, "fine-tuning", &SIZES, images, batch, optimizer)?;
    }
    family(&mut suite, images)?;
    sequences(&mut suite, images, mnist.train.rows())?;
    dictionaries(&mut suite)?;
    streaming(&mut suite, images)?;
    encoding(&mut suite, mnist.train.rows())?;
    if suite.options.filter.is_some() || suite.device.hardware() == Hardware::Gpu {
        recipe(&mut suite, &mnist)?;
    }
    suite.finish()
}

/// The most memory that the device had in use while it was watched.
struct Memory<'a> {
    device: &'a Device,
    most: u64,
}

impl Memory<'_> {
    fn look(&mut self) -> ControlFlow<()> {
        self.most = self.most.max(self.device.memory_in_use().unwrap_or(0));
        ControlFlow::Continue(())
    }

    /// The time of the measured epochs, with what is to be told of the last one.
    fn noted(&self, seconds: f64, loss: f64, cost: HostCost) -> (Duration, Notes) {
        let notes = Notes {
            loss: Some(loss),
            dispatches_per_step: Some(cost.dispatches_per_step).filter(|&count| count > 0.0),
            host_microseconds_per_step: Some(cost.host_microseconds_per_step).filter(|&time| time > 0.0),
            device_megabytes: (self.most > 0).then_some(self.most as f64 * 1e-6),
            host_megabytes: host_megabytes(),
            ..Notes::default()
        };
        (Duration::from_secs_f64(seconds), notes)
    }
}

/// The most memory that this process has used so far, where the system tells.
fn host_megabytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches("kB").trim().parse::<f64>().ok()? * 1.024e-3)
}

/// Images that are no images, for layers whose data are the activities of others; the peers compute the same.
fn pattern(count: usize, width: usize) -> Vec<u8> {
    (0..count * width).map(|i| ((i / width * 7919 + i % width * 104_729) % 251) as u8).collect()
}

/// An epoch of contrastive divergence or of persistent chains at batch 100, while the free energies of rows held out are
/// watched where there are some.
fn boltzmann_machine(
    suite: &mut Suite,
    chain: Chain,
    images: Rows<'_>,
    held_out: Option<Rows<'_>>,
    (visible, hidden): (usize, usize),
) -> anyhow::Result<()> {
    let watched = if held_out.is_some() { " watched" } else { "" };
    let kind = if chain == Chain::Data { "CD-1" } else { "PCD-1" };
    let name = format!("{kind} epoch {visible}x{hidden} batch 100{watched}");
    if !suite.wants(&name) {
        return Ok(());
    }
    let made = pattern(images.count, visible);
    let rows = if visible == images.width { images } else { Rows::bytes(&made, visible)? };
    let (count, device) = (rows.count as f64, suite.device.clone());
    let precision = suite.precision;
    // Three products of rows with the weights, and two of statistics; beside chains that persist one more, for the error.
    let products = if chain == Chain::Data { 5.0 } else { 6.0 };
    let flops = 2.0 * products * count * visible as f64 * hidden as f64;
    let work = Work { name, flops, steps: (count / 100.0).ceil(), rows: count, ..Work::default() };
    let mut failure = None;
    suite.measure(&work, |epochs| {
        let recipe = Pretrain {
            epochs: epochs as usize + 1,
            chain,
            rate: if chain == Chain::Data { Pretrain::default().rate } else { 0.01 },
            code: if hidden == SIZES[4] { Units::Gaussian } else { Units::Bernoulli },
            precision,
            ..Pretrain::default()
        };
        let mut memory = Memory { device: &device, most: 0 };
        let trained = recipe.run(&device, &[visible, hidden], rows).and_then(|run| {
            let run = match held_out {
                Some(held_out) => run.held_out(held_out)?,
                None => run,
            };
            run.observe(|_| memory.look()).train()
        });
        match trained {
            Ok(trained) => {
                // The first epoch warms up.
                let epochs = &trained.layers[0][1..];
                let last = epochs[epochs.len() - 1];
                memory.noted(epochs.iter().map(|epoch| epoch.seconds).sum(), last.error, last.cost)
            }
            Err(error) => {
                failure = Some(error);
                (Duration::from_secs(1), Notes::default())
            }
        }
    });
    failure.map_or(Ok(()), |error| Err(error.into()))
}

/// A small net, for which the way of the data weighs most, with data that fit the device and with data four times as
/// large as its largest buffer.
fn streaming(suite: &mut Suite, images: Rows<'_>) -> anyhow::Result<()> {
    if suite.device.hardware() == Hardware::Cpu {
        return Ok(());
    }
    let selector = match suite.options.device.as_str() {
        "auto" | "gpu" => Selector::Hardware,
        name => Selector::parse(name),
    };
    for (name, limit) in [("784-64-16", None), ("784-64-16 streamed", Some((images.count * images.width / 4) as u64))] {
        let options = Options { buffer_limit: limit, checks: Checks::Trusted, ..Options::default() };
        let device = Device::new(strait::compute::Gpu::from_device(strait::gpu::Gpu::open_with(&selector, options)?));
        fine_tuning(suite, &device, name, &[784, 64, 16], images, 100, Optimizer::adam(1e-3))?;
    }
    Ok(())
}

/// An epoch of fine-tuning of a deep autoencoder.
fn fine_tuning(
    suite: &mut Suite,
    device: &Device,
    name: &str,
    sizes: &[usize],
    images: Rows<'_>,
    batch: usize,
    optimizer: Optimizer,
) -> anyhow::Result<()> {
    let (kind, images) = match optimizer {
        // A single minibatch.
        Optimizer::ConjugateGradients { .. } => ("conjugate gradients", images.first(batch)),
        _ => ("Adam epoch", images),
    };
    let net = Autoencoder::glorot(sizes, 2006)?;
    let recipe = FineTune { batch, optimizer, ..FineTune::default() };
    epoch(suite, device, format!("{name} {kind} batch {batch}"), &net, &recipe, images)
}

/// Epochs of the other members of the family, at batch 500.
fn family(suite: &mut Suite, images: Rows<'_>) -> anyhow::Result<()> {
    let device = suite.device.clone();
    let recipe = FineTune { batch: 500, ..FineTune::default() };
    let net = |units: usize, activation: Activation| -> anyhow::Result<Autoencoder> {
        let mut net = Autoencoder::glorot(&[images.width, units], 2006)?;
        net.layers[0].activation = activation;
        Ok(net)
    };
    let denoising = Autoencoder { corruption: Some(Noise::Masking(0.5)), ..net(500, Activation::Logistic)? };
    epoch(suite, &device, "denoising 784-500 epoch batch 500".to_owned(), &denoising, &recipe, images)?;
    let penalty = Some(Penalty::Sparsity { weight: 1.0, target: 0.05 });
    let sparse = Autoencoder { penalty, ..net(1000, Activation::Logistic)? };
    epoch(suite, &device, "sparse 784-1000 epoch batch 500".to_owned(), &sparse, &recipe, images)?;
    let largest = Autoencoder { top_k: Some(40), ..net(1000, Activation::Relu)? };
    epoch(suite, &device, "k-sparse 784-1000 epoch batch 500".to_owned(), &largest, &recipe, images)?;
    let vae = Vae::glorot(&[images.width, 500, 50], Activation::Relu, 2006)?;
    epoch(suite, &device, "variational 784-500-50 epoch batch 500".to_owned(), &vae, &recipe, images)?;
    let penalty = Some(Penalty::Contractive { weight: 0.1 });
    let contractive = Autoencoder { penalty, ..net(500, Activation::Logistic)? };
    let name = "contractive 784-500 epoch batch 500".to_owned();
    epoch(suite, &device, name, &contractive, &recipe, images)?;
    let mut mirrored = net(500, Activation::Logistic)?;
    mirrored.tie()?;
    epoch(suite, &device, "tied 784-500 epoch batch 500".to_owned(), &mirrored, &recipe, images)?;
    let missing = Noise::Missing(Missing { first: images.width as u32 / 2, share: 0.33 });
    let two = Autoencoder { corruption: Some(missing), ..Autoencoder::glorot(&[images.width, 1000, 500], 2006)? };
    epoch(suite, &device, "multimodal 784-1000-500 epoch batch 500".to_owned(), &two, &recipe, images)?;
    let labels: Vec<u32> = (0..images.count).map(|i| (i % 10) as u32).collect();
    let labelled = Labelled::new(images, &labels, 10)?;
    let classifier = Classifier::glorot(&[images.width, 1000, 1000, 10], Activation::Logistic, 2006)?;
    let name = "classifier 784-1000-1000-10 epoch batch 500".to_owned();
    epoch(suite, &device, name, &classifier, &recipe, labelled.rows())
}

/// Images as sequences of their rows: epochs of autoencoders with one recurrent layer on either side, and the codes of all images.
fn sequences(suite: &mut Suite, images: Rows<'_>, all: Rows<'_>) -> anyhow::Result<()> {
    let device = suite.device.clone();
    let recipe = FineTune { batch: 100, ..FineTune::default() };
    let net = |cell: Cell, units: usize| {
        let shape = SequenceShape { cell, units, outputs: Activation::Logistic, ..SequenceShape::of(28, 28) };
        SequenceAutoencoder::new(shape, 2006)
    };
    for cell in [Cell::Lstm, Cell::Gru] {
        for units in [64, 128, 256] {
            let name = format!("sequences {} {units}", cell.name().to_uppercase());
            epoch(suite, &device, name, &net(cell, units)?, &recipe, images)?;
        }
    }
    let net = net(Cell::Lstm, 128)?;
    // The encoder's steps are two products each.
    let flops = 2.0 * (all.count * 28 * (28 + 128) * 4 * 128) as f64;
    encoded(suite, "sequences encode".to_owned(), flops, all, || net.encode(&device, all))
}

/// Dictionaries of vectors of 768 numbers, sums of 20 of many random directions as activations are: epochs of 4,096 rows in batches of 1,024,
/// and the codes of all rows as lists.
fn dictionaries(suite: &mut Suite) -> anyhow::Result<()> {
    const COUNT: usize = 4096;
    const WIDTH: usize = 768;
    const TOP_K: usize = 32;
    let sizes = [16_384, 32_768];
    let wanted = sizes
        .iter()
        .any(|units| suite.wants(&format!("dictionary {units}")) || suite.wants(&format!("dictionary encode {units}")));
    if !wanted {
        return Ok(());
    }
    let device = suite.device.clone();
    let values = directions(COUNT, WIDTH);
    let rows = Rows::numbers(&values, WIDTH)?;
    let recipe = FineTune { batch: 1024, objective: Objective::SquaredError, ..FineTune::default() };
    for units in sizes {
        let net = KSparse { units, top_k: TOP_K, training: recipe.clone(), ..KSparse::default() }.untrained(rows)?;
        let model = Model::from(net.clone());
        let loaded = std::cell::RefCell::new(model.on(&device)?);
        // The encoder is all that goes through all units.
        let flops = 2.0 * (COUNT * WIDTH * units) as f64;
        epoch_of(suite, &device, format!("dictionary {units}"), &net, &recipe, (rows, flops))?;
        encoded(suite, format!("dictionary encode {units}"), flops, rows, || {
            loaded.borrow_mut().encode_largest(rows).map(|codes| codes.values)
        })?;
    }
    Ok(())
}

/// Sums of 20 of 3,000 random directions, shifted to mean 0 and scaled so that the median row has variance 1.
fn directions(count: usize, width: usize) -> Vec<f32> {
    const DIRECTIONS: usize = 3000;
    let mut stream = Stream::new(2006, 2);
    let mut known: Vec<f32> = (0..DIRECTIONS * width).map(|_| stream.next_normal()).collect();
    for direction in known.chunks_exact_mut(width) {
        let length = direction.iter().map(|x| x * x).sum::<f32>().sqrt();
        direction.iter_mut().for_each(|x| *x /= length);
    }
    let mut values = vec![0.0; count * width];
    for row in values.chunks_exact_mut(width) {
        for _ in 0..20 {
            let (chosen, weight) = (stream.next_word() as usize % DIRECTIONS, 1.0 + stream.next_normal().abs());
            row.iter_mut().zip(&known[chosen * width..]).for_each(|(x, direction)| *x += weight * direction);
        }
    }
    let (standard, _) = strait::data::Standard::of_most(
        Rows { count, width, values: strait::data::Values::Numbers(&values) },
        10.0,
        Default::default(),
    );
    standard.apply(&mut values);
    values
}

/// An epoch of training of a model by back-propagation.
fn epoch(
    suite: &mut Suite,
    device: &Device,
    name: String,
    model: &(impl Member + Clone),
    recipe: &FineTune,
    images: Rows<'_>,
) -> anyhow::Result<()> {
    let (count, layers) = (images.count as f64, model.layers());
    let weights: f64 = layers.iter().map(|layer| layer.weight.len() as f64).sum();
    // Forward, backward and the gradient; nothing is passed back behind the first layer.
    let flops = match recipe.optimizer {
        // How often a line search evaluates the loss depends on the data.
        Optimizer::ConjugateGradients { .. } => 0.0,
        _ => count * (6.0 * weights - 2.0 * layers[0].weight.len() as f64),
    };
    epoch_of(suite, device, name, model, recipe, (images, flops))
}

/// The same with the number of floating-point operations given.
fn epoch_of(
    suite: &mut Suite,
    device: &Device,
    name: String,
    model: &(impl Member + Clone),
    recipe: &FineTune,
    (images, flops): (Rows<'_>, f64),
) -> anyhow::Result<()> {
    if !suite.wants(&name) {
        return Ok(());
    }
    let count = images.count as f64;
    let work = Work { name, flops, steps: (count / recipe.batch as f64).ceil(), rows: count, ..Work::default() };
    let precision = suite.precision;
    let mut failure = None;
    suite.measure(&work, |epochs| {
        let recipe =
            FineTune { epochs: epochs as usize + 1, schedule: Schedule::Constant, precision, ..recipe.clone() };
        let mut memory = Memory { device, most: 0 };
        let mut model = model.clone();
        let tuned = recipe.run(device, &mut model, images).and_then(|run| run.observe(|_| memory.look()).train());
        match tuned {
            Ok(tuned) => {
                let epochs = &tuned.epochs[1..];
                let last = epochs[epochs.len() - 1];
                memory.noted(epochs.iter().map(|epoch| epoch.seconds).sum(), last.train_loss, last.cost)
            }
            Err(error) => {
                failure = Some(error);
                (Duration::from_secs(1), Notes::default())
            }
        }
    });
    failure.map_or(Ok(()), |error| Err(error.into()))
}

/// The codes of 60,000 images, with the way to the device and back.
fn encoding(suite: &mut Suite, images: Rows<'_>) -> anyhow::Result<()> {
    let net = Autoencoder::glorot(&SIZES, 2006)?;
    let weights: f64 = net.layers[..net.encoder].iter().map(|layer| layer.weight.len() as f64).sum();
    let flops = 2.0 * images.count as f64 * weights;
    let device = suite.device.clone();
    encoded(suite, format!("encode {} images", images.count), flops, images, || net.encode(&device, images))
}

fn encoded(
    suite: &mut Suite,
    name: String,
    flops: f64,
    images: Rows<'_>,
    encode: impl Fn() -> strait::models::Result<Vec<f32>>,
) -> anyhow::Result<()> {
    let work = Work { name, flops, rows: images.count as f64, ..Work::default() };
    let mut failure = None;
    suite.measure(&work, |times| {
        let start = Instant::now();
        (0..times).for_each(|_| failure = encode().err().or(failure.take()));
        (start.elapsed(), Notes::default())
    });
    failure.map_or(Ok(()), |error| Err(error.into()))
}

/// The whole quick recipe, once.
fn recipe(suite: &mut Suite, mnist: &Mnist) -> anyhow::Result<()> {
    let name = "quick recipe".to_owned();
    if !suite.wants(&name) {
        return Ok(());
    }
    let recipe = Recipe::quick().in_precision(suite.precision);
    let (train, test) = (mnist.train.rows(), mnist.test.rows());
    let count = train.count as f64;
    let flops = |sizes: &[usize], factor: f64| {
        factor * count * sizes.windows(2).map(|pair| (pair[0] * pair[1]) as f64).sum::<f64>()
    };
    // As for the single epochs; nothing is propagated back to the images.
    let unrolled: Vec<usize> = SIZES.iter().chain(SIZES[..4].iter().rev()).copied().collect();
    let pretraining = recipe.pretrain.epochs as f64 * flops(&SIZES, 10.0);
    let fine_tuning = recipe.finetune.epochs as f64 * (flops(&unrolled, 6.0) - flops(&SIZES[..2], 2.0));
    let work = Work { name, flops: pretraining + fine_tuning, ..Work::default() };
    let start = Instant::now();
    let pretrained = recipe.pretrain.fit(&suite.device, &SIZES, train)?;
    let mut net = pretrained.stack.unroll();
    recipe.finetune.fit(&suite.device, &mut net, train)?;
    let seconds = start.elapsed();
    let error = net.error(&suite.device, test)?;
    let notes = Notes { loss: Some(error), host_megabytes: host_megabytes(), ..Notes::default() };
    suite.add(&work, vec![seconds.as_secs_f64()], notes);
    Ok(())
}
