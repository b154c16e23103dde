//! Collaborative filtering (Salakhutdinov, Mnih & Hinton 2007): a restricted Boltzmann machine of what users think of
//! items. Each user is a row, each item a group of units, of which that of the rating is on, and none where it is
//! missing; what the machine expects of a missing one is its prediction. Beside it the means of users and items, and a
//! truncated SVD.
//!
//!     cargo run --release --example ratings -- --ratings ml-100k/u.data
//!     cargo run --release --example ratings

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Parser;
use plotters::prelude::*;
use serde::{Deserialize, Serialize};
use shared::{Learning, Member, Report, lower};
use strait::compute::philox::{Stream, uniform};
use strait::data::{Rating, Ratings};
use strait::prelude::*;
use strait::terminal::{Terminal, stopping};
use strait::train::FineTuned;
use strait::{Groups, Rbm};

/// The most units of all rows together: each is a byte.
const MOST: usize = 1 << 30;

#[derive(Parser)]
#[command(about = "Predicts ratings by a restricted Boltzmann machine", allow_negative_numbers = true)]
struct Options {
    #[command(flatten)]
    member: Member,
    /// A file of ratings as MovieLens has them: user, item and rating on each line (--limit takes its first N users)
    #[arg(long, value_name = "FILE")]
    ratings: Option<PathBuf>,
    /// Where the results go
    #[arg(long, default_value = "out/ratings")]
    out: PathBuf,
}

#[derive(Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
struct Recipe {
    /// Hidden units.
    code: usize,
    /// The weight costs of the machine and the ranks of the truncated SVD, of which a tenth of the training ratings
    /// chooses.
    weight_costs: Vec<f32>,
    ranks: Vec<usize>,
    /// How many ratings of average users and items stand behind each mean, beside its own.
    damping: f64,
    /// What ratings that are made up are of.
    users: usize,
    items: usize,
    /// Of how many numbers a taste is made, there.
    factors: usize,
    /// Training; the visible units are those of the ratings and the weight cost is one of those above, whatever it
    /// says.
    training: Pretrain,
}

impl Default for Recipe {
    fn default() -> Self {
        let training = Pretrain {
            epochs: 30,
            batch: 50,
            rate: 0.05,
            centred: true,
            code: Units::Bernoulli,
            ..Pretrain::default()
        };
        Self {
            code: 100,
            // With so few ratings for each weight, large ones are what keeps them from being learned by heart.
            weight_costs: vec![0.003, 0.01, 0.03],
            ranks: vec![1, 2, 3, 5, 8, 12, 20, 30],
            damping: 10.0,
            users: 2000,
            items: 200,
            factors: 5,
            training,
        }
    }
}

impl shared::Recipe for Recipe {
    fn training(&mut self) -> Learning<'_> {
        Learning::Pretrain(&mut self.training)
    }
}

impl Recipe {
    fn check(&self) -> Result<()> {
        if self.ranks.is_empty() || self.ranks.contains(&0) {
            bail!("ranks = {:?}: the truncated SVD needs at least one to choose from, none of them 0", self.ranks);
        }
        if self.weight_costs.is_empty() {
            bail!("weight-costs = []: the machine needs at least one to choose from");
        }
        for &weight_cost in &self.weight_costs {
            self.with(weight_cost).check()?;
        }
        if self.factors > 1000 {
            bail!("factors = {}: tastes of more than 1000 numbers are not made up", self.factors);
        }
        if !(0.0..f64::INFINITY).contains(&self.damping) {
            bail!("damping = {}: it must be a number of at least 0", self.damping);
        }
        Ok(())
    }

    /// The training with this weight cost.
    fn with(&self, weight_cost: f32) -> Pretrain {
        Pretrain { weight_cost, ..self.training.clone() }
    }
}

fn main() -> ExitCode {
    shared::main(|| run(&Options::parse()))
}

/// Ratings in their training part and the one that is held out, with their size.
struct Split {
    users: usize,
    items: usize,
    levels: Vec<f64>,
    train: Vec<Rating>,
    held_out: Vec<Rating>,
}

impl Split {
    /// Holds out a tenth of the ratings.
    fn new(ratings: Ratings, users: usize, seed: u64) -> Self {
        let of_users: Vec<Rating> =
            ratings.entries.into_iter().filter(|rating| (rating.user as usize) < users).collect();
        let (held_out, train) = tenth(&of_users, &mut Stream::new(seed, 701));
        Self { users, items: ratings.items, levels: ratings.levels, train, held_out }
    }

    fn value(&self, rating: &Rating) -> f64 {
        self.levels[usize::from(rating.level)]
    }

    /// The units of all users, row after row, that are on: those of these ratings.
    fn units(&self, ratings: &[Rating]) -> Vec<u8> {
        let levels = self.levels.len();
        let mut units = vec![0; self.users * self.items * levels];
        for Rating { user, item, level } in ratings {
            units[(*user as usize * self.items + *item as usize) * levels + usize::from(*level)] = 255;
        }
        units
    }

    /// The root mean squared error of predictions.
    fn error(&self, ratings: &[Rating], predicted: &[f64]) -> f64 {
        let squares = ratings.iter().zip(predicted).map(|(rating, predicted)| (self.value(rating) - predicted).powi(2));
        (squares.sum::<f64>() / ratings.len() as f64).sqrt()
    }
}

/// A tenth of the ratings, drawn at random, and the rest.
fn tenth(ratings: &[Rating], stream: &mut Stream) -> (Vec<Rating>, Vec<Rating>) {
    let order = stream.permutation(ratings.len());
    let taken = |order: &[u32]| order.iter().map(|&i| ratings[i as usize]).collect();
    let (first, rest) = order.split_at(ratings.len() / 10);
    (taken(first), taken(rest))
}

fn run(options: &Options) -> Result<()> {
    let mut recipe: Recipe = options.member.recipe()?;
    recipe.code = options.member.code.unwrap_or(recipe.code);
    let (limit, seed) = (options.member.common.limit, recipe.training.seed);
    recipe.check()?;
    let ratings = match &options.ratings {
        Some(path) => Ratings::read(path)?,
        None => {
            recipe.users = limit.unwrap_or(recipe.users);
            check_size([recipe.users, recipe.items, STARS])?;
            made_up(&recipe, seed)
        }
    };
    let users = ratings.users.min(limit.unwrap_or(usize::MAX));
    let (items, levels) = (ratings.items, ratings.levels.len());
    check_size([users, items, levels])?;
    strait::models::check_sizes(&[items * levels, recipe.code])?;
    let split = Split::new(ratings, users, seed);
    if levels < 2 {
        bail!("--ratings: all of them are {}, so that there is nothing to predict", split.levels[0]);
    }
    if split.train.len() < 20 {
        bail!("the first {users} users gave too few ratings to hold some out: there must be 22 at least");
    }
    recipe.training.visible = Units::Softmax(Groups { first: 0, classes: levels });
    let device = options.member.begin(&options.out, &mut recipe)?;
    if options.ratings.is_none() {
        println!("no --ratings are given, so they are made up: tastes of {} numbers, and noise", recipe.factors);
    }
    let (given, hidden) = (split.train.len(), split.held_out.len());
    println!("{users} users, {items} items: {given} ratings to train on, {hidden} held out\n");

    let (validation, rest) = tenth(&split.train, &mut Stream::new(seed, 702));
    let parts = [(&rest[..], &validation[..]), (&split.train, &split.held_out)];
    let mut terminal = Terminal::new();
    let mut seconds = 0.0;
    let mut rbm = |weight_cost: f32, (known, wanted): Part<'_>| -> Result<Vec<f64>> {
        let units = split.units(known);
        let rows = Rows::bytes(&units, items * levels)?;
        let (training, sizes) = (recipe.with(weight_cost), [rows.width, recipe.code]);
        let trained = training.run(&device, &sizes, rows)?.observe(|event| terminal.show(event)).train()?;
        seconds += trained.layers.iter().flatten().map(|epoch| epoch.seconds).sum::<f64>();
        let rbm = trained.stack.rbms.first().context("no machine was trained")?;
        expected(&device, rbm, rows, &split, wanted)
    };
    let mut best = (f64::INFINITY, recipe.weight_costs[0]);
    for &weight_cost in recipe.weight_costs.iter().filter(|_| recipe.weight_costs.len() > 1) {
        if stopping() {
            break;
        }
        println!("weight cost {weight_cost}, without a tenth of the training ratings");
        let error = split.error(&validation, &rbm(weight_cost, parts[0])?);
        println!("root mean squared error of these {error:.3}\n");
        if error < best.0 {
            best = (error, weight_cost);
        }
    }
    println!("weight cost {}", best.1);
    let predicted = rbm(best.1, parts[1])?;
    let means = Means::of(&split, &split.train, recipe.damping);
    let (rank, svd) = best_svd(&device, &split, &recipe, parts)?;
    let methods = [
        (format!("RBM of weight cost {}", best.1), predicted),
        ("means of users and items".to_owned(), split.held_out.iter().map(|rating| means.predict(rating)).collect()),
        (format!("truncated SVD of rank {rank}"), svd),
    ];
    let mut report = Report::new(&device, recipe.training.precision, &recipe, users, FineTuned::default());
    (report.seconds_train, report.stopped) = (seconds, stopping());
    for (name, predicted) in &methods {
        let what = format!("root mean squared error of held-out ratings, {name}");
        report.measured.push(lower(what, split.error(&split.held_out, predicted), None));
    }
    report.finish(&options.out)?;
    plot(&options.out.join("errors.svg"), &split, &methods)
}

/// Whether so many users, items and different ratings are not too many.
fn check_size([users, items, levels]: [usize; 3]) -> Result<()> {
    match users.checked_mul(items).and_then(|all| all.checked_mul(levels)) {
        Some(0) => bail!("{users} users and {items} items: there must be some of both"),
        Some(all) if all <= MOST => Ok(()),
        _ => bail!(
            "{users} users, {items} items and {levels} different ratings are more than {MOST} units; take fewer users \
             by --limit"
        ),
    }
}

/// Ratings that are made up run from 1 to that.
const STARS: usize = 5;

/// Ratings of low rank: what a user likes and what an item offers are some numbers each, whose product counts beside
/// how kind the user and how good the item is, and beside noise. Some users rate much, and some items are much rated.
fn made_up(recipe: &Recipe, seed: u64) -> Ratings {
    /// Of all ratings that there could be.
    const SHARE: f32 = 0.15;
    const KINDNESS: f32 = 0.4;
    const GOODNESS: f32 = 0.5;
    const NOISE: f32 = 0.5;
    let Recipe { users, items, factors, .. } = *recipe;
    let normals = |stream: &mut Stream| (0..factors).map(|_| stream.next_normal()).collect::<Vec<f32>>();
    // Lognormal numbers with a mean of 1.
    let popularity = |stream: &mut Stream| (0.6 * stream.next_normal() - 0.18).exp();
    let mut stream = Stream::new(seed, 700);
    let offers: Vec<(Vec<f32>, f32, f32)> =
        (0..items).map(|_| (normals(&mut stream), GOODNESS * stream.next_normal(), popularity(&mut stream))).collect();
    let mut entries = Vec::new();
    for user in 0..users as u32 {
        let mut stream = Stream::new(seed, 1000 + user);
        let (taste, kindness, zeal) =
            (normals(&mut stream), KINDNESS * stream.next_normal(), SHARE * popularity(&mut stream));
        for (item, (offer, goodness, popular)) in offers.iter().enumerate() {
            let seen = uniform(stream.next_word()) < zeal * popular;
            let noise = NOISE * stream.next_normal();
            if seen {
                let liking =
                    taste.iter().zip(offer).map(|(x, y)| x * y).sum::<f32>() / (factors as f32).sqrt().max(1.0);
                let stars = (3.0 + kindness + goodness + liking + noise).round().clamp(1.0, STARS as f32);
                entries.push(Rating { user, item: item as u32, level: stars as u8 - 1 });
            }
        }
    }
    let names = |count: usize| (1..=count).map(|number| number.to_string()).collect();
    let levels = (1..=STARS).map(|star| star as f64).collect();
    Ratings { users, items, levels, entries, user_names: names(users), item_names: names(items) }
}

/// The mean of all ratings, and how far users and items are from it.
struct Means {
    all: f64,
    users: Vec<f64>,
    items: Vec<f64>,
}

impl Means {
    /// The ridge regression of the ratings on who gave them and to what, by turns.
    fn of(split: &Split, ratings: &[Rating], damping: f64) -> Self {
        const TURNS: usize = 10;
        let all = ratings.iter().map(|rating| split.value(rating)).sum::<f64>() / ratings.len() as f64;
        let mut means = Self { all, users: vec![0.0; split.users], items: vec![0.0; split.items] };
        let deviations = |rest: &dyn Fn(&Rating) -> (usize, f64), count: usize| {
            let mut sums = vec![(0.0, damping); count];
            for (place, rest) in ratings.iter().map(rest) {
                sums[place] = (sums[place].0 + rest, sums[place].1 + 1.0);
            }
            sums.into_iter().map(|(sum, weight)| if weight > 0.0 { sum / weight } else { 0.0 }).collect()
        };
        for _ in 0..TURNS {
            let rest = |r: &Rating| (r.item as usize, split.value(r) - all - means.users[r.user as usize]);
            means.items = deviations(&rest, split.items);
            let rest = |r: &Rating| (r.user as usize, split.value(r) - all - means.items[r.item as usize]);
            means.users = deviations(&rest, split.users);
        }
        means
    }

    fn predict(&self, rating: &Rating) -> f64 {
        self.all + self.users[rating.user as usize] + self.items[rating.item as usize]
    }
}

/// What the machine expects of the wanted ratings, given the rows of the known ones.
fn expected(device: &Device, rbm: &Rbm, rows: Rows<'_>, split: &Split, wanted: &[Rating]) -> Result<Vec<f64>> {
    /// Users at a time: the machine expects something of all items.
    const PART: usize = 500;
    let levels = split.levels.len();
    let mut predicted = vec![0.0; wanted.len()];
    for first in (0..rows.count).step_by(PART) {
        let users = first..(first + PART).min(rows.count);
        let probabilities = rbm.expected(device, rows.range(users.clone()))?;
        for (predicted, Rating { user, item, .. }) in predicted.iter_mut().zip(wanted) {
            if users.contains(&(*user as usize)) {
                let place = (*user as usize - first) * rows.width + *item as usize * levels;
                let group = split.levels.iter().zip(&probabilities[place..]);
                *predicted = group.map(|(level, &probability)| level * f64::from(probability)).sum();
            }
        }
    }
    Ok(predicted)
}

/// Known ratings and wanted ones.
type Part<'a> = (&'a [Rating], &'a [Rating]);

/// The rank that predicts best what is wanted in the first part, and what the truncated SVD with this rank predicts of
/// what is wanted in the second.
fn best_svd(device: &Device, split: &Split, recipe: &Recipe, parts: [Part<'_>; 2]) -> Result<(usize, Vec<f64>)> {
    let smaller = split.users.min(split.items);
    let mut ranks: Vec<usize> = recipe.ranks.iter().map(|&rank| rank.min(smaller)).collect();
    ranks.sort_unstable();
    ranks.dedup();
    let tried = svd(device, split, recipe.damping, parts[0], &ranks)?;
    let errors = tried.iter().map(|predicted| split.error(parts[0].1, predicted));
    let best = ranks.iter().zip(errors).min_by(|a, b| a.1.total_cmp(&b.1)).map_or(1, |(&rank, _)| rank);
    Ok((best, svd(device, split, recipe.damping, parts[1], &[best])?.concat()))
}

/// For each rank, the last of which is the largest, what the SVD of the known ratings less their means, where missing
/// ones are 0, predicts of the wanted ones.
fn svd(
    device: &Device,
    split: &Split,
    damping: f64,
    (known, wanted): Part<'_>,
    ranks: &[usize],
) -> Result<Vec<Vec<f64>>> {
    let means = Means::of(split, known, damping);
    // The components are those of the side that has fewer of them.
    let by_users = split.users >= split.items;
    let place =
        |r: &Rating| if by_users { (r.user as usize, r.item as usize) } else { (r.item as usize, r.user as usize) };
    let width = split.users.min(split.items);
    let mut matrix = vec![0.0; split.users * split.items];
    for rating in known {
        let (row, column) = place(rating);
        matrix[row * width + column] = (split.value(rating) - means.predict(rating)) as f32;
    }
    let rows = Rows::numbers(&matrix, width)?;
    let pca = Pca::fit(device, rows, ranks.last().copied().unwrap_or(1))?;
    let codes = pca.encode(rows)?;
    let predict = |rating: &Rating, rank: usize| {
        let (row, column) = place(rating);
        let along = codes[row].iter().zip(&pca.components).take(rank).map(|(z, component)| z * component[column]);
        means.predict(rating) + pca.mean[column] + along.sum::<f64>()
    };
    Ok(ranks.iter().map(|&rank| wanted.iter().map(|rating| predict(rating, rank)).collect()).collect())
}

/// Draws the errors by how many ratings of a user are known: an eighth of the held-out ratings at each point.
fn plot(path: &Path, split: &Split, methods: &[(String, Vec<f64>)]) -> Result<()> {
    const POINTS: usize = 8;
    let mut known = vec![0usize; split.users];
    split.train.iter().for_each(|rating| known[rating.user as usize] += 1);
    let known_of = |i: usize| known[split.held_out[i].user as usize];
    let mut order: Vec<usize> = (0..split.held_out.len()).collect();
    order.sort_by_key(|&i| known_of(i));
    let point = |predicted: &[f64], part: &[usize]| {
        let (ratings, of_part): (Vec<Rating>, Vec<f64>) =
            part.iter().map(|&i| (split.held_out[i], predicted[i])).unzip();
        let mean = part.iter().map(|&i| known_of(i)).sum::<usize>() as f64 / part.len() as f64;
        (mean, split.error(&ratings, &of_part))
    };
    let lines: Vec<Vec<(f64, f64)>> = methods
        .iter()
        .map(|(_, predicted)| order.chunks(order.len().div_ceil(POINTS)).map(|part| point(predicted, part)).collect())
        .collect();
    let all = || lines.iter().flatten();
    let most = all().fold(1.0, |most: f64, point| most.max(point.0));
    let (low, high) = all().fold((f64::INFINITY, 0.0), |(low, high): (f64, f64), p| (low.min(p.1), high.max(p.1)));
    let margin = 0.1 * (high - low).max(0.01);
    let area = SVGBackend::new(path, (640, 420)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption("root mean squared error of held-out ratings", ("sans-serif", 16))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(48)
        // The names of the lines stand above them.
        .build_cartesian_2d(0.0..1.05 * most, low - margin..high + 4.0 * margin)?;
    let label = |x: &f64| format!("{x:.0}");
    chart.configure_mesh().x_desc("ratings of the user that are known").x_label_formatter(&label).draw()?;
    let colours = [RGBColor(214, 39, 40), RGBColor(110, 110, 110), BLUE];
    for (((name, _), line), colour) in methods.iter().zip(&lines).zip(colours) {
        chart
            .draw_series(LineSeries::new(line.iter().copied(), colour.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    let labels = &mut chart.configure_series_labels();
    labels.position(SeriesLabelPosition::UpperRight).border_style(BLACK).background_style(WHITE).draw()?;
    Ok(area.present()?)
}
