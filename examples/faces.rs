//! Patches of faces (Hinton & Salakhutdinov, Science 2006): the deep autoencoder 625-2000-1000-500-30 of real-valued
//! pixels, beside PCA with as many components. As there, patches of 25 x 25 pixels are turned by up to 90 degrees, vary
//! in scale and in place, and show other people in the test. The authors' own patches are not public; the published
//! numbers are of those.
//!
//!     cargo run --release --example faces -- --faces olivettifaces.mat
//!     cargo run --release --example faces

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Parser;
use image::imageops::FilterType;
use serde::{Deserialize, Serialize};
use shared::{Learning, Member, Report, draw_filters, lower, train};
use strait::compute::philox::{Stream, uniform};
use strait::data::Table;
use strait::picture::{LabelledRow, labelled_rows};
use strait::prelude::*;
use strait::terminal::{Terminal, stopping};

/// Pixels of an edge of a patch.
const EDGE: usize = 25;

/// Pixels of an edge of a picture, as the Olivetti faces have them.
const SIZE: usize = 64;

/// The most patches that are made: they are all kept in memory.
const MOST: usize = 1_000_000;

#[derive(Parser)]
#[command(about = "Trains the paper's deep autoencoder of patches of faces", allow_negative_numbers = true)]
struct Options {
    #[command(flatten)]
    member: Member,
    /// olivettifaces.mat, or a folder of PNG or PGM pictures of one size (--limit is the number of patches of them)
    #[arg(long, value_name = "PATH")]
    faces: Option<PathBuf>,
    /// Where the results go
    #[arg(long, default_value = "out/faces")]
    out: PathBuf,
}

#[derive(Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
struct Recipe {
    /// The sizes of the hidden layers, the code last.
    hidden: Vec<usize>,
    /// How many patches are made to train on, and how many to test with.
    train_patches: usize,
    test_patches: usize,
    /// By how many degrees a patch is turned at most, to either side.
    turn: f32,
    /// How many times as large a picture is made, least and most, before a square of its former size is cut out of it
    /// and made small.
    scale: [f32; 2],
    /// How far the middle of the square is from the picture's at most, along either axis, as a share of the edge.
    offset: f32,
    pretrain: Pretrain,
    training: FineTune,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            hidden: vec![2000, 1000, 500, 30],
            train_patches: 40_000,
            test_patches: 4000,
            turn: 90.0,
            scale: [1.4, 1.8],
            offset: 0.1,
            // Without offsets, real-valued pixels learn ten times as slowly.
            pretrain: Pretrain {
                epochs: 3,
                initial_epochs: 2,
                gaussian_rate: 0.01,
                centred: true,
                visible: Units::Gaussian,
                ..Pretrain::default()
            },
            training: FineTune {
                epochs: 8,
                optimizer: Optimizer::Adam { rate: 1e-3, beta1: 0.9, beta2: 0.99 },
                schedule: Schedule::Cosine { warmup: 0.5 },
                objective: Objective::SquaredError,
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
        (self.pretrain.precision, self.training.precision) = (precision, precision);
    }
}

impl Recipe {
    fn check(&self) -> Result<()> {
        self.pretrain.check()?;
        strait::models::check_sizes(&self.sizes())?;
        if self.pretrain.visible != Units::Gaussian || self.training.objective != Objective::SquaredError {
            bail!("pixels of faces are real-valued: the recipe needs Gaussian visible units and the squared error");
        }
        if let Some(&code) = self.hidden.last().filter(|code| **code > EDGE * EDGE) {
            bail!("--code {code}: PCA of patches has {} components at most", EDGE * EDGE);
        }
        for patches in [self.train_patches, self.test_patches] {
            if !(1..=MOST).contains(&patches) {
                bail!("{patches} patches: there must be 1 to {MOST}");
            }
        }
        let Self { turn, scale: [least, largest], offset, .. } = *self;
        if !(1.0 <= least && least <= largest && largest <= 100.0) {
            bail!("scale = [{least}, {largest}]: these are numbers from 1 to 100, the lesser first");
        }
        if !(0.0..=180.0).contains(&turn) || !(0.0..=0.5).contains(&offset) {
            bail!("turn = {turn}, offset = {offset}: these are degrees from 0 to 180 and a share from 0 to 0.5");
        }
        Ok(())
    }

    fn sizes(&self) -> Vec<usize> {
        [&[EDGE * EDGE], &self.hidden[..]].concat()
    }

    /// That many patches of these pictures, row after row; each depends on the seed and on its number alone.
    fn patches(&self, pictures: &[Vec<f32>], count: usize, seed: u64) -> Vec<f32> {
        let patch = |i: usize| {
            let mut stream = Stream::new(seed, 1000 + i as u32);
            self.patch(&pictures[stream.next_word() as usize % pictures.len()], &mut stream)
        };
        (0..count).flat_map(patch).collect()
    }

    fn patch(&self, picture: &[f32], stream: &mut Stream) -> Vec<f32> {
        /// Points along an edge of a pixel whose mean it is.
        const POINTS: usize = 2;
        let mut between = |low: f32, high: f32| low + (high - low) * uniform(stream.next_word());
        let (sin, cos) = between(-self.turn, self.turn).to_radians().sin_cos();
        let step = SIZE as f32 / (EDGE * POINTS) as f32 / between(self.scale[0], self.scale[1]);
        let [x, y] = [0; 2].map(|_| SIZE as f32 * (0.5 + between(-self.offset, self.offset)));
        let place = |i: usize| (i as f32 + 0.5 - (EDGE * POINTS) as f32 / 2.0) * step;
        let mut pixels = vec![0.0; EDGE * EDGE];
        for row in 0..EDGE * POINTS {
            for col in 0..EDGE * POINTS {
                let (u, v) = (place(col), place(row));
                let grey = between_pixels(picture, x + cos * u - sin * v, y + sin * u + cos * v);
                pixels[row / POINTS * EDGE + col / POINTS] += grey / (POINTS * POINTS) as f32;
            }
        }
        pixels
    }
}

/// The grey value at a point of a picture, linear between the middles of its pixels; beyond the border that of the
/// border.
fn between_pixels(picture: &[f32], x: f32, y: f32) -> f32 {
    let [(left, right, x), (above, below, y)] = [x, y].map(|place| {
        let place = (place - 0.5).clamp(0.0, SIZE as f32 - 1.0);
        let first = place as usize;
        (first, (first + 1).min(SIZE - 1), place.fract())
    });
    let along = |row: usize| picture[row * SIZE + left] * (1.0 - x) + picture[row * SIZE + right] * x;
    along(above) * (1.0 - y) + along(below) * y
}

fn main() -> ExitCode {
    shared::main(|| run(&Options::parse()))
}

fn run(options: &Options) -> Result<()> {
    let mut recipe: Recipe = options.member.recipe()?;
    if let (Some(code), Some(last)) = (options.member.code, recipe.hidden.last_mut()) {
        *last = code;
    }
    recipe.pretrain.seed = options.member.common.seed.unwrap_or(recipe.pretrain.seed);
    recipe.train_patches = options.member.common.limit.unwrap_or(recipe.train_patches);
    recipe.check()?;
    let seed = recipe.training.seed;
    let pictures = match &options.faces {
        Some(path) => read(path)?,
        None => made_up(seed),
    };
    // The pictures of a person stand beside each other, so that the last quarter shows other people.
    let (known, unknown) = pictures.split_at(pictures.len() * 3 / 4);
    let device = options.member.begin(&options.out, &mut recipe)?;
    if options.faces.is_none() {
        println!("no --faces are given, so they are made up: ellipses with shades, 10 pictures of each of 40 heads");
    }
    println!("{} pictures to train on, {} to test with\n", known.len(), unknown.len());

    let mut patches = recipe.patches(known, recipe.train_patches, seed);
    let mut test_patches = recipe.patches(unknown, recipe.test_patches, seed.wrapping_add(1));
    let standard = Standard::of(&patches)?;
    standard.apply(&mut patches);
    standard.apply(&mut test_patches);
    let (rows, test) = (Rows::numbers(&patches, EDGE * EDGE)?, Rows::numbers(&test_patches, EDGE * EDGE)?);
    let pca = Pca::fit(&device, rows, recipe.hidden.last().copied().unwrap_or(1))?;
    let mut terminal = Terminal::new();
    let pretrained =
        recipe.pretrain.run(&device, &recipe.sizes(), rows)?.observe(|event| terminal.show(event)).train()?;
    let mut net = pretrained.stack.unroll();
    let tuned = if stopping() { Default::default() } else { train(&device, &recipe.training, &mut net, rows, test)? };
    net.save(options.out.join("model.safetensors"))?;
    let mut report = Report::new(&device, recipe.training.precision, &recipe, rows.count, tuned);
    report.seconds_train += pretrained.layers.iter().flatten().map(|epoch| epoch.seconds).sum::<f64>();
    report.stopped |= stopping();
    let olivetti = options.faces.as_ref().is_some_and(|path| path.is_file());
    let papers = olivetti && recipe.hidden == Recipe::default().hidden && options.member.common.limit.is_none();
    let components = pca.components.len();
    report.measured = vec![
        lower("squared error per test patch, autoencoder", net.error(&device, test)?, papers.then_some(126.0)),
        lower(
            format!("squared error per test patch, PCA, {components} components"),
            pca.error(test)?,
            papers.then_some(135.0),
        ),
        lower("squared error per training patch, autoencoder", net.error(&device, rows)?, None),
        lower(format!("squared error per training patch, PCA, {components} components"), pca.error(rows)?, None),
    ];
    report.finish(&options.out)?;

    draw_filters(&options.out.join("filters.png"), &net.layers[0], EDGE)?;
    let few = test.first(12);
    let decoded: Vec<f32> = pca.encode(few)?.iter().flat_map(|code| pca.decode(code)).collect();
    let rows = [
        LabelledRow { label: "test patches", images: standard.pictures(&few.to_numbers()) },
        LabelledRow { label: "autoencoder", images: standard.pictures(&net.reconstruct(&device, few)?) },
        LabelledRow { label: "PCA", images: standard.pictures(&decoded) },
    ];
    Ok(labelled_rows(&options.out.join("reconstructions.png"), EDGE, &rows)?)
}

/// What standardises patches as in the paper: each pixel has a mean of 0, and one number makes their mean variance 1.
struct Standard {
    mean: Vec<f32>,
    deviation: f32,
}

impl Standard {
    fn of(patches: &[f32]) -> Result<Self> {
        let rows = Rows::numbers(patches, EDGE * EDGE)?;
        let mean = rows.mean().into_iter().map(|mean| mean as f32).collect();
        let variance = rows.variance() / rows.width as f64;
        Ok(Self { mean, deviation: if variance > 0.0 { variance.sqrt() as f32 } else { 1.0 } })
    }

    fn apply(&self, patches: &mut [f32]) {
        for patch in patches.chunks_exact_mut(EDGE * EDGE) {
            patch.iter_mut().zip(&self.mean).for_each(|(x, mean)| *x = (*x - mean) / self.deviation);
        }
    }

    /// Patches as they were, with the light pixels white: pictures are drawn in dark ink.
    fn pictures(&self, patches: &[f32]) -> Vec<Vec<f32>> {
        let ink = |(x, mean): (&f32, &f32)| 1.0 - (x * self.deviation + mean);
        patches.chunks_exact(EDGE * EDGE).map(|patch| patch.iter().zip(&self.mean).map(ink).collect()).collect()
    }
}

/// The pictures of a MATLAB file or of a folder, each row by row with values from 0 to 1.
fn read(path: &Path) -> Result<Vec<Vec<f32>>> {
    let shown = path.display();
    let pictures = if path.is_dir() { folder(path)? } else { olivetti(path)? };
    if pictures.len() < 4 {
        bail!("--faces {shown}: it holds {} pictures, but at least 4 are needed", pictures.len());
    }
    Ok(pictures)
}

/// The Olivetti faces: each column is a picture, column by column.
fn olivetti(path: &Path) -> Result<Vec<Vec<f32>>> {
    let shown = path.display();
    let table = Table::read(path, Some("faces"))
        .with_context(|| format!("--faces {shown}: this is neither a folder of pictures nor the Olivetti faces"))?;
    let height = table.values.len() / table.width;
    if height != SIZE * SIZE {
        bail!(
            "--faces {shown}: `faces` has {height} rows, but pictures of {SIZE} x {SIZE} pixels have {}",
            SIZE * SIZE
        );
    }
    let pixel = |i: usize, picture: usize| table.values[(i % SIZE * SIZE + i / SIZE) * table.width + picture] / 255.0;
    Ok((0..table.width).map(|picture| (0..SIZE * SIZE).map(|i| pixel(i, picture)).collect()).collect())
}

/// The pictures of a folder by their names; of each the square in its middle, made as small as the Olivetti faces.
fn folder(path: &Path) -> Result<Vec<Vec<f32>>> {
    let shown = path.display();
    let unreadable = || format!("--faces {shown}: the folder cannot be read");
    let entries: Vec<PathBuf> = std::fs::read_dir(path)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
        .with_context(unreadable)?;
    let ending = |file: &PathBuf| file.extension().and_then(|ending| ending.to_str()).map(str::to_lowercase);
    let picture = |file: &PathBuf| ending(file).is_some_and(|ending| ["png", "pgm"].contains(&ending.as_str()));
    let mut files: Vec<PathBuf> = entries.into_iter().filter(picture).collect();
    if files.is_empty() {
        bail!("--faces {shown}: there are no PNG or PGM pictures in this folder");
    }
    files.sort_unstable();
    let mut size = None;
    let mut open = |file: &PathBuf| -> Result<Vec<f32>> {
        let shown = file.display();
        let image = image::open(file).with_context(|| format!("--faces {shown}: this is no PNG or PGM picture"))?;
        let found = format!("{} x {}", image.width(), image.height());
        let expected = size.get_or_insert_with(|| found.clone());
        if found != *expected {
            bail!("--faces {shown}: it has {found} pixels, but the first picture has {expected}; all must be alike");
        }
        if image.width().min(image.height()) < EDGE as u32 {
            bail!("--faces {shown}: it has fewer than {EDGE} x {EDGE} pixels");
        }
        let square = image.resize_to_fill(SIZE as u32, SIZE as u32, FilterType::Triangle);
        Ok(square.to_luma32f().into_raw())
    };
    files.iter().map(&mut open).collect()
}

/// Pictures like the Olivetti faces: 10 of each of 40 heads, which turn, nod, tilt, open their mouths and are lit from
/// elsewhere.
fn made_up(seed: u64) -> Vec<Vec<f32>> {
    const HEADS: usize = 40;
    const PICTURES: usize = 10;
    let pictures_of = |head: usize| {
        let mut stream = Stream::new(seed, 800 + head as u32);
        let head = Head::new(&mut stream);
        (0..PICTURES).map(|_| head.picture(&mut stream)).collect::<Vec<_>>()
    };
    (0..HEADS).flat_map(pictures_of).collect()
}

/// What is the same in all pictures of a head: lengths as shares of the picture's edge, and grey values.
struct Head {
    width: f32,
    height: f32,
    eyes_apart: f32,
    eye: f32,
    nose: f32,
    mouth: f32,
    fringe: f32,
    skin: f32,
    hair: f32,
}

impl Head {
    fn new(stream: &mut Stream) -> Self {
        let mut between = |low: f32, high: f32| low + (high - low) * uniform(stream.next_word());
        Self {
            width: between(0.3, 0.38),
            height: between(0.4, 0.48),
            eyes_apart: between(0.12, 0.17),
            eye: between(0.045, 0.065),
            nose: between(0.12, 0.2),
            mouth: between(0.09, 0.15),
            fringe: between(-0.42, -0.22),
            skin: between(0.55, 0.85),
            hair: between(0.08, 0.5),
        }
    }

    /// One picture of it.
    fn picture(&self, stream: &mut Stream) -> Vec<f32> {
        let mut around = |deviation: f32| deviation * stream.next_normal().clamp(-2.0, 2.0);
        let [turned, nodded, tilted] = [around(0.05), around(0.03), around(0.08)];
        let (open, smile, gaze) = (0.02 + around(0.015).abs(), around(0.03), around(0.015));
        let (from_left, from_above, ground) = (around(0.5), 0.3 + around(0.2), 0.45 + around(0.15));
        let (sin, cos) = tilted.sin_cos();
        let paint = |i: usize| {
            let [x, y] = [i % SIZE, i / SIZE].map(|place| (place as f32 + 0.5) / SIZE as f32 - 0.5);
            let (x, y) = (cos * x + sin * y, cos * y - sin * x);
            // Features move with the turn of the head, its outline does not.
            let (u, v) = (x - turned, y - nodded);
            let (across, down) = (x / self.width, y / self.height);
            let depth = (1.0 - across * across - down * down).max(0.0).sqrt();
            let light = 0.55 + 0.4 * depth + 0.35 * (from_left * across - from_above * down);
            let mut grey = ground + 0.2 * y;
            let mut lay = |value: f32, share: f32| grey += (value - grey) * share;
            lay(self.hair, ellipse(x, y + 0.05, self.width + 0.05, self.height + 0.02));
            lay(self.skin * light, ellipse(x, y, self.width, self.height));
            let fringe = 1.0 / (1.0 + ((v - self.fringe) * 60.0).exp());
            lay(self.hair, fringe * ellipse(x, y, self.width + 0.02, self.height + 0.02));
            let face = ellipse(x, y, self.width, self.height);
            let mut lay = |value: f32, share: f32| lay(value, face * share);
            for side in [-1.0, 1.0] {
                let eye = u - side * self.eyes_apart;
                lay(0.5 * self.skin * light, 0.6 * ellipse(eye, v + 0.08, 1.7 * self.eye, 1.3 * self.eye));
                lay(0.6 * self.hair, ellipse(eye, v + 0.16 - 0.4 * eye * eye, 1.6 * self.eye, 0.018));
                lay(0.95 * light.min(1.0), ellipse(eye, v + 0.07, self.eye, 0.5 * self.eye));
                lay(0.1, ellipse(eye - gaze, v + 0.07, 0.45 * self.eye, 0.45 * self.eye));
            }
            lay(1.1 * self.skin * light, 0.7 * ellipse(u, v - 0.3 * self.nose, 0.025, 0.6 * self.nose));
            lay(0.4 * self.skin, 0.7 * ellipse(u, v - self.nose, 0.05, 0.016));
            let bent = v - 0.26 + smile * (u / self.mouth).powi(2);
            lay(0.5 * self.skin, ellipse(u, bent, self.mouth, open + 0.018));
            lay(0.15, ellipse(u, bent, 0.8 * self.mouth, open));
            grey.clamp(0.0, 1.0)
        };
        (0..SIZE * SIZE).map(paint).collect()
    }
}

/// How much an ellipse with these half axes covers a point, from 0 to 1, with a soft border.
fn ellipse(x: f32, y: f32, width: f32, height: f32) -> f32 {
    /// The width of the border, as a share of the picture's edge.
    const SOFT: f32 = 0.012;
    let distance = ((x / width).hypot(y / height) - 1.0) * width.min(height);
    1.0 / (1.0 + (distance / SOFT * 2.0).exp())
}
