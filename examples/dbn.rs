//! A deep belief net of MNIST digits (Hinton, Osindero & Teh 2006): 784-500-500-2000, of which the upper two layers, with ten
//! units for the label, are a machine. It is pretrained layer by layer and fine-tuned by the up-down algorithm; then it reads
//! digits by their free energy with each label, and draws digits of each class. Beside it one machine with labels among its
//! visible units, which learns by contrastive divergence, and one that climbs the hybrid objective (Larochelle & Bengio 2008).
//!
//!     cargo run --release --example dbn
//!     cargo run --release --example dbn -- --recipe long

use anyhow::{Result, bail};
use clap::Parser;
use serde::{Deserialize, Serialize};
use strait::prelude::*;

/// The digits.
const CLASSES: usize = 10;

/// Drawn digits of a class that are read by another net, and that are shown.
const READ: usize = 100;
const SHOWN: usize = 12;

#[derive(Parser)]
#[command(about = "Trains a deep belief net that reads and draws digits", allow_negative_numbers = true)]
struct Options {
    #[command(flatten)]
    member: MemberOptions,
    /// Steps of Gibbs sampling after which a digit is drawn
    #[arg(long)]
    gibbs: Option<usize>,
}

#[derive(Clone, Serialize, Deserialize)]
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

impl experiment::Recipe for Recipe {
    /// With shifted images for the machine that stands alone, which are more data than the published one had.
    fn named(name: &str) -> Option<Self> {
        let quick = Self::default();
        let hybrid = UpDown { shift: Some(ImageShift { width: 28, pixels: 1 }), ..quick.hybrid };
        let training = UpDown { epochs: 25, ..quick.training };
        let refining = UpDown { epochs: 40, ..quick.refining };
        (name == "long").then_some(Self { hybrid, training, refining, ..quick })
    }

    fn trainings(&mut self) -> Vec<&mut dyn Training> {
        vec![&mut self.training, &mut self.hybrid, &mut self.refining]
    }

    fn others(&mut self) -> Vec<&mut dyn Training> {
        vec![&mut self.rbms, &mut self.top, &mut self.joint, &mut self.reader]
    }
}

fn main() -> ExitCode {
    experiment::main(run)
}

/// A machine's visible units: so many binary ones, and the label.
fn with_label(units: usize) -> Units {
    Units::Softmax(Groups { first: units, classes: CLASSES })
}

fn run(options: &Options) -> Result<()> {
    let mut recipe: Recipe = options.member.recipe()?;
    options.member.set_code(&mut recipe.hidden);
    recipe.gibbs = options.gibbs.unwrap_or(recipe.gibbs);
    if recipe.hidden.len() < 2 || recipe.gibbs == 0 {
        bail!("the recipe needs two hidden layers or more, and a step of Gibbs sampling or more");
    }
    let mnist = options.member.mnist()?;
    if let Some(shift) = &mut recipe.hybrid.shift {
        shift.width = mnist.train.width;
    }
    let (images, test) = options.member.rows(&mnist);
    let (labels, test_labels) = (&mnist.train.labels[..images.count], &mnist.test.labels);
    let sizes = [&[images.width], &recipe.hidden[..]].concat();
    models::check_sizes(&[&sizes[..], &[recipe.alone]].concat())?;
    let labelled = Labelled::new(images, labels, CLASSES)?;
    let (device, mut run) = options.member.begin(&mut recipe, images.count)?;

    let whole = options.member.common.limit.is_none();
    let report = |run: &mut Experiment<Recipe>, who: &str, found: &[usize], published: f64| -> Result<()> {
        let error = 100.0 * models::mistakes(found, test_labels)?;
        let what = format!("test images read wrongly, per cent, {who}");
        run.lower(what, error).published(whole.then_some(published));
        Ok(())
    };
    let fit = |run: &mut Experiment<Recipe>, training: &UpDown, net: &mut Dbn| -> Result<()> {
        let tuned = run.keep("up-down", training.run(&device, net, labelled.rows())?).train()?;
        run.seconds_train += tuned.epochs.iter().map(|epoch| epoch.seconds).sum::<f64>();
        Ok(())
    };
    say!("one machine of {} hidden units", recipe.alone);
    let joint = Pretrain { visible: with_label(images.width), ..recipe.joint.clone() };
    let joint = run.pretrain(&joint, &[images.width + CLASSES, recipe.alone], labelled.rows(), None)?;
    if let (Some(rbm), false) = (joint.rbms.first(), stopping()) {
        report(&mut run, "one machine of images and labels", &rbm.classify(&device, test)?, 3.39)?;
        let stream = &mut Stream::new(recipe.hybrid.seed, 601);
        let mut alone = Dbn::alone(images.width, CLASSES, recipe.alone, stream)?;
        fit(&mut run, &recipe.hybrid, &mut alone)?;
        if !stopping() {
            report(&mut run, "one machine, hybrid objective", &alone.predict(&device, test)?, 1.28)?;
        }
    }
    say!("\nthe deep belief net");
    let below = run.pretrain(&recipe.rbms, &sizes[..sizes.len() - 1], images, None)?;
    if stopping() {
        return Ok(run.finish()?);
    }
    let (features, top) = (sizes[sizes.len() - 2], sizes[sizes.len() - 1]);
    let mut net = Dbn::on(&below, CLASSES, top, &mut Stream::new(recipe.top.seed, 600))?;
    let values = net.features(&device, images)?;
    let rows = Labelled::new(Rows::numbers(&values, features)?, labels, CLASSES)?;
    let greedy = Pretrain { visible: with_label(features), ..recipe.top.clone() };
    net.top = run.pretrain(&greedy, &[features + CLASSES, top], rows.rows(), None)?.rbms.swap_remove(0);
    drop(values);
    if !stopping() {
        report(&mut run, "before the up-down algorithm", &net.predict(&device, test)?, 2.49)?;
        for (who, training) in [("after it", &recipe.training), ("after it with persistent chains", &recipe.refining)] {
            fit(&mut run, training, &mut net)?;
            if stopping() {
                break;
            }
            report(&mut run, who, &net.predict(&device, test)?, 1.25)?;
        }
    }
    net.save(run.path("model.safetensors"))?;
    picture::encoder_filters(&run.path("filters.png"), &net.recognition[0], mnist.test.width)?;
    if !stopping() {
        say!("\na net that reads the digits that are drawn");
        let mut reader = Classifier::glorot(&[images.width, 500, CLASSES], Activation::Relu, recipe.reader.seed)?;
        run.keep("reader", recipe.reader.run(&device, &mut reader, labelled.rows())?).train()?;
        let (mut right, mut drawn_digits, mut rows) = (0, 0, Vec::new());
        for digit in 0..CLASSES {
            let seed = recipe.training.seed.wrapping_add(digit as u64);
            // From images of other digits, so that none is there from the start.
            let others = (0..test.count).filter(|&i| test_labels[i] as usize != digit).take(READ);
            let starts = mnist.test.select(others);
            let drawn = net.generate(&device, digit, starts.rows(), recipe.gibbs, seed)?;
            let read = reader.predict(&device, Rows::numbers(&drawn, images.width)?)?;
            drawn_digits += read.len();
            right += read.iter().filter(|read| **read == digit).count();
            rows.push((digit.to_string(), drawn[..drawn.len().min(SHOWN * images.width)].to_vec()));
        }
        let share = 100.0 * right as f64 / drawn_digits as f64;
        run.higher("drawn digits that a net trained on real ones reads as their label, per cent", share);
        let known = 100.0 * (1.0 - reader.error_rate(&device, test, test_labels)?);
        run.higher("test images that this net reads rightly, per cent", known);
        picture::labelled_rows(&run.path("digits.png"), mnist.test.shape(), &rows)?;
    }
    Ok(run.finish()?)
}
