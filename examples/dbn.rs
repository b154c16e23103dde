//! A deep belief net of MNIST digits (Hinton, Osindero & Teh 2006): 784-500-500-2000, of which the upper two layers, with ten
//! units for the label, are a machine. It is pretrained layer by layer and fine-tuned by the up-down algorithm; then it reads
//! digits by their free energy with each label, and draws digits of each class. Beside it one machine with labels among its
//! visible units, which learns by contrastive divergence, and one that climbs the hybrid objective (Larochelle & Bengio 2008).
//!
//!     cargo run --release --example dbn
//!     cargo run --release --example dbn -- --recipe long

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use serde::{Deserialize, Serialize};
use shared::{Learning, Measured, Member, Report, draw_filters, higher, lower, pictures};
use strait::compute::philox::Stream;
use strait::data::Images;
use strait::models::mistakes;
use strait::picture::{LabelledRow, labelled_rows};
use strait::prelude::*;
use strait::terminal::{Terminal, stopping};
use strait::train::{FineTuned, ImageShift};
use strait::{Dbn, Groups};

/// The digits.
const CLASSES: usize = 10;

/// Drawn digits of a class that are read by another net, and that are shown.
const READ: usize = 100;
const SHOWN: usize = 12;

#[derive(Parser)]
#[command(about = "Trains a deep belief net that reads and draws digits", allow_negative_numbers = true)]
struct Options {
    #[command(flatten)]
    member: Member,
    /// Steps of Gibbs sampling after which a digit is drawn
    #[arg(long)]
    gibbs: Option<usize>,
    /// Where the results go
    #[arg(long, default_value = "out/dbn")]
    out: PathBuf,
}

#[derive(Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
struct Recipe {
    /// The sizes of the hidden layers.
    hidden: Vec<usize>,
    /// Steps of Gibbs sampling after which a digit is drawn.
    gibbs: usize,
    /// Hidden units of the machine that stands alone.
    alone: usize,
    /// Training of the lower machines and of the top one.
    rbms: Pretrain,
    top: Pretrain,
    /// Training of the one that stands alone, generative and hybrid.
    joint: Pretrain,
    hybrid: UpDown,
    training: UpDown,
    /// The same again with chains that persist, which leave the top machine no places far from the data to be caught in.
    refining: UpDown,
    /// Training of the net that has to read the digits that are drawn.
    reader: FineTune,
}

impl Default for Recipe {
    fn default() -> Self {
        let rbms = Pretrain { epochs: 10, code: Units::Bernoulli, ..Pretrain::default() };
        Self {
            hidden: vec![500, 500, 2000],
            gibbs: 1000,
            alone: 1000,
            top: rbms.clone(),
            joint: Pretrain { rate: 0.05, ..rbms.clone() },
            hybrid: UpDown {
                epochs: 20,
                cd_steps: 1,
                rate: 0.3,
                momentum: 0.9,
                generative: 0.1,
                discriminative: 1.0,
                weight_cost: 3e-5,
                ..UpDown::default()
            },
            rbms,
            training: UpDown { epochs: 6, rate: 0.1, momentum: 0.9, discriminative: 1.0, ..UpDown::default() },
            refining: UpDown { epochs: 8, rate: 0.03, persistent: true, discriminative: 1.0, ..UpDown::default() },
            reader: FineTune { epochs: 8, ..FineTune::default() },
        }
    }
}

impl shared::Recipe for Recipe {
    /// With shifted images for the machine that stands alone, which are more data than the published one had.
    fn named(name: &str) -> Option<Self> {
        let quick = Self::default();
        let hybrid = UpDown { shift: Some(ImageShift { width: 28, pixels: 1 }), ..quick.hybrid };
        let training = UpDown { epochs: 25, ..quick.training };
        let refining = UpDown { epochs: 40, ..quick.refining };
        (name == "long").then_some(Self { hybrid, training, refining, ..quick })
    }

    fn training(&mut self) -> Learning<'_> {
        Learning::UpDown(&mut self.training)
    }

    fn set_precision(&mut self, precision: Precision) {
        for recipe in [&mut self.rbms, &mut self.top, &mut self.joint] {
            recipe.precision = precision;
        }
        for recipe in [&mut self.hybrid, &mut self.training, &mut self.refining] {
            recipe.precision = precision;
        }
        self.reader.precision = precision;
    }
}

fn main() -> ExitCode {
    shared::main(|| run(&Options::parse()))
}

/// A machine's visible units: so many binary ones, and the label.
fn with_label(units: usize) -> Units {
    Units::Softmax(Groups { first: units, classes: CLASSES })
}

fn run(options: &Options) -> Result<()> {
    let mut recipe: Recipe = options.member.recipe()?;
    if let (Some(code), Some(last)) = (options.member.code, recipe.hidden.last_mut()) {
        *last = code;
    }
    recipe.gibbs = options.gibbs.unwrap_or(recipe.gibbs);
    for recipe in [&mut recipe.hybrid, &mut recipe.refining] {
        recipe.epochs = options.member.common.epochs.unwrap_or(recipe.epochs);
    }
    if let Some(seed) = options.member.common.seed {
        for recipe in [&mut recipe.rbms, &mut recipe.top, &mut recipe.joint] {
            recipe.seed = seed;
        }
        (recipe.hybrid.seed, recipe.refining.seed, recipe.reader.seed) = (seed, seed, seed);
    }
    recipe.rbms.check().context("the recipe of the lower machines")?;
    recipe.top.check().context("the recipe of the top machine")?;
    recipe.joint.check().context("the recipe of the machine that stands alone")?;
    recipe.hybrid.check().context("the hybrid recipe of the machine that stands alone")?;
    recipe.refining.check().context("the recipe of the refining")?;
    recipe.reader.check().context("the recipe of the reader")?;
    if recipe.hidden.len() < 2 || recipe.gibbs == 0 {
        anyhow::bail!("the recipe needs two hidden layers or more, and a step of Gibbs sampling or more");
    }
    let mnist = Mnist::open(&options.member.common.data)?;
    if let Some(shift) = &mut recipe.hybrid.shift {
        shift.width = mnist.train.width;
    }
    let (images, test) = options.member.common.rows(&mnist);
    let (labels, test_labels) = (&mnist.train.labels[..images.count], &mnist.test.labels);
    let sizes = [&[images.width], &recipe.hidden[..]].concat();
    strait::models::check_sizes(&[&sizes[..], &[recipe.alone]].concat())?;
    let labelled = Labelled::new(images, labels, CLASSES)?;
    let device = options.member.begin(&options.out, &mut recipe)?;

    let mut terminal = Terminal::new();
    let mut show = |event: &Event| terminal.show(event);
    let whole = options.member.common.limit.is_none();
    let read_wrongly = |who: &str, found: &[usize], published: f64| -> Result<Measured> {
        let what = format!("test images read wrongly, per cent, {who}");
        Ok(lower(what, 100.0 * mistakes(found, test_labels)?, whole.then_some(published)))
    };
    let mut measured = Vec::new();
    let mut seconds = 0.0;
    println!("one machine of {} hidden units", recipe.alone);
    let joint = Pretrain { visible: with_label(images.width), ..recipe.joint.clone() };
    let joint =
        joint.run(&device, &[images.width + CLASSES, recipe.alone], labelled.rows())?.observe(&mut show).train()?;
    seconds += joint.layers.iter().flatten().map(|epoch| epoch.seconds).sum::<f64>();
    if let (Some(rbm), false) = (joint.stack.rbms.first(), stopping()) {
        measured.push(read_wrongly("one machine of images and labels", &rbm.classify(&device, test)?, 3.39)?);
        let stream = &mut Stream::new(recipe.hybrid.seed, 601);
        let mut alone = Dbn::alone(images.width, CLASSES, recipe.alone, stream)?;
        let tuned = recipe.hybrid.run(&device, &mut alone, labelled.rows())?.observe(&mut show).train()?;
        seconds += tuned.epochs.iter().map(|epoch| epoch.seconds).sum::<f64>();
        if !stopping() {
            measured.push(read_wrongly("one machine, hybrid objective", &alone.predict(&device, test)?, 1.28)?);
        }
    }
    let mut learn = |training: &Pretrain, sizes: &[usize], rows: Rows<'_>| -> Result<Stack> {
        let trained = training.run(&device, sizes, rows)?.observe(&mut show).train()?;
        seconds += trained.layers.iter().flatten().map(|epoch| epoch.seconds).sum::<f64>();
        Ok(trained.stack)
    };
    println!("\nthe deep belief net");
    let below = learn(&recipe.rbms, &sizes[..sizes.len() - 1], images)?;
    let mut report = Report::new(&device, recipe.training.precision, &recipe, images.count, FineTuned::default());
    if stopping() {
        (report.stopped, report.measured) = (true, measured);
        return report.finish(&options.out);
    }
    let (features, top) = (sizes[sizes.len() - 2], sizes[sizes.len() - 1]);
    let mut net = Dbn::on(&below, CLASSES, top, &mut Stream::new(recipe.top.seed, 600))?;
    let values = net.features(&device, images)?;
    let rows = Labelled::new(Rows::numbers(&values, features)?, labels, CLASSES)?;
    let greedy = Pretrain { visible: with_label(features), ..recipe.top.clone() };
    net.top = learn(&greedy, &[features + CLASSES, top], rows.rows())?.rbms.swap_remove(0);
    drop(values);
    if !stopping() {
        measured.push(read_wrongly("before the up-down algorithm", &net.predict(&device, test)?, 2.49)?);
        for (who, training) in [("after it", &recipe.training), ("after it with persistent chains", &recipe.refining)] {
            let tuned = training.run(&device, &mut net, labelled.rows())?.observe(&mut show).train()?;
            seconds += tuned.epochs.iter().map(|epoch| epoch.seconds).sum::<f64>();
            if stopping() {
                break;
            }
            measured.push(read_wrongly(who, &net.predict(&device, test)?, 1.25)?);
        }
    }
    net.save(options.out.join("model.safetensors"))?;
    draw_filters(&options.out.join("filters.png"), &net.recognition[0], mnist.test.width)?;
    if !stopping() {
        println!("\na net that reads the digits that are drawn");
        let mut reader = Classifier::glorot(&[images.width, 500, CLASSES], Activation::Relu, recipe.reader.seed)?;
        recipe.reader.run(&device, &mut reader, labelled.rows())?.observe(&mut show).train()?;
        let (mut right, mut drawn_digits, mut rows) = (0, 0, Vec::new());
        for (digit, label) in ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"].into_iter().enumerate() {
            let seed = recipe.training.seed.wrapping_add(digit as u64);
            let starts = others(&mnist.test, digit as u8);
            let drawn = net.generate(&device, digit, Rows::bytes(&starts, images.width)?, recipe.gibbs, seed)?;
            let read = reader.predict(&device, Rows::numbers(&drawn, images.width)?)?;
            drawn_digits += read.len();
            right += read.iter().filter(|read| **read == digit).count();
            rows.push(LabelledRow {
                label,
                images: pictures(&drawn[..drawn.len().min(SHOWN * images.width)], images.width),
            });
        }
        let share = 100.0 * right as f64 / drawn_digits as f64;
        let what = "drawn digits that a net trained on real ones reads as their label, per cent";
        measured.push(higher(what, share, None));
        let known = 100.0 * (1.0 - reader.error_rate(&device, test, test_labels)?);
        measured.push(higher("test images that this net reads rightly, per cent", known, None));
        labelled_rows(&options.out.join("digits.png"), mnist.test.width, &rows)?;
    }
    (report.seconds_train, report.stopped, report.measured) = (seconds, stopping(), measured);
    report.finish(&options.out)
}

/// Images to start from when a digit is drawn: of the others, so that none is there from the start.
fn others(images: &Images, digit: u8) -> Vec<u8> {
    let size = images.width * images.height;
    let others = images.pixels.chunks_exact(size).zip(&images.labels).filter(|(_, label)| **label != digit);
    others.take(READ).flat_map(|(image, _)| image).copied().collect()
}
