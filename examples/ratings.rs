//! Collaborative filtering (Salakhutdinov, Mnih & Hinton 2007): a restricted Boltzmann machine of what users think of
//! items. Each user is a row, each item a group of units, of which that of the rating is on, and none where it is
//! missing; what the machine expects of a missing one is its prediction. Beside it the means of users and items, and a
//! truncated SVD.
//!
//!     cargo run --release --example ratings -- --ratings ml-100k/u.data
//!     cargo run --release --example ratings

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Parser;
use serde::{Deserialize, Serialize};
use strait::models::{RatingMeans, svd_ratings};
use strait::plot::{Line, Plot};
use strait::prelude::*;
use strait::tastes::{self, STARS};

/// The most units of all rows together: each is a byte.
const MOST: usize = 1 << 30;

#[derive(Parser)]
#[command(about = "Predicts ratings by a restricted Boltzmann machine", allow_negative_numbers = true)]
struct Options {
    #[command(flatten)]
    member: MemberOptions,
    /// A file of ratings as MovieLens, KONECT and RecBole have them (--limit takes its first N users)
    #[arg(long, value_name = "FILE")]
    ratings: Option<PathBuf>,
    #[command(flatten)]
    read: experiment::DataArgs,
}

#[derive(Clone, Serialize, Deserialize)]
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

impl experiment::Recipe for Recipe {
    fn trainings(&mut self) -> Vec<&mut dyn Training> {
        vec![&mut self.training]
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
    experiment::main(run)
}

/// A tenth of the ratings, drawn at random, and the rest.
fn tenth(ratings: &Ratings, mut stream: Stream) -> [Ratings; 2] {
    let order = stream.permutation(ratings.entries.len());
    let (first, rest) = order.split_at(order.len() / 10);
    [ratings.select(first), ratings.select(rest)]
}

fn run(options: &Options) -> Result<()> {
    let mut recipe: Recipe = options.member.recipe()?;
    recipe.code = options.member.code.unwrap_or(recipe.code);
    let (limit, seed) = (options.member.common.limit, recipe.training.seed);
    recipe.check()?;
    let ratings = match &options.ratings {
        Some(path) => Ratings::read_with(path, &options.read.options())?.first_users(limit.unwrap_or(usize::MAX)),
        None => {
            recipe.users = limit.unwrap_or(recipe.users);
            check_size([recipe.users, recipe.items, STARS])?;
            tastes::ratings(recipe.users, recipe.items, recipe.factors, seed)
        }
    };
    let (users, items, levels) = (ratings.users, ratings.items, ratings.levels.len());
    check_size([users, items, levels])?;
    let sizes = [items * levels, recipe.code];
    models::check_sizes(&sizes)?;
    let [held_out, train] = tenth(&ratings, Stream::new(seed, 701));
    if levels < 2 {
        bail!("--ratings: all of them are {}, so that there is nothing to predict", ratings.levels[0]);
    }
    if train.entries.len() < 20 {
        bail!("the first {users} users gave too few ratings to hold some out: there must be 22 at least");
    }
    recipe.training.visible = Units::Softmax(Groups { first: 0, classes: levels });
    let (device, mut run) = options.member.begin(&mut recipe, users)?;
    if options.ratings.is_none() {
        say!("no --ratings are given, so they are made up: tastes of {} numbers, and noise", recipe.factors);
    }
    let (given, hidden) = (train.entries.len(), held_out.entries.len());
    say!("{users} users, {items} items: {given} ratings to train on, {hidden} held out\n");

    let [validation, rest] = tenth(&train, Stream::new(seed, 702));
    let mut rbm = |weight_cost: f32, known: &Ratings, wanted: &Ratings| -> Result<Vec<f64>> {
        let units = known.units();
        let rows = Rows::bytes(&units, sizes[0])?;
        let stack = run.pretrain(&recipe.with(weight_cost), &sizes, rows, None)?;
        let rbm = stack.rbms.first().context("no machine was trained")?;
        Ok(rbm.predict_ratings(&device, known, &wanted.entries)?)
    };
    let mut best = (f64::INFINITY, recipe.weight_costs[0]);
    for &weight_cost in recipe.weight_costs.iter().filter(|_| recipe.weight_costs.len() > 1) {
        if stopping() {
            break;
        }
        say!("weight cost {weight_cost}, without a tenth of the training ratings");
        let error = validation.rmse(&rbm(weight_cost, &rest, &validation)?);
        say!("root mean squared error of these {error:.3}\n");
        if error < best.0 {
            best = (error, weight_cost);
        }
    }
    say!("weight cost {}", best.1);
    let predicted = rbm(best.1, &train, &held_out)?;
    let means = RatingMeans::of(&train, recipe.damping);
    let mut ranks: Vec<usize> = recipe.ranks.iter().map(|&rank| rank.min(users).min(items)).collect();
    ranks.sort_unstable();
    ranks.dedup();
    let tried = svd_ratings(&device, &rest, &validation.entries, recipe.damping, &ranks)?;
    let errors = tried.iter().map(|predicted| validation.rmse(predicted));
    let rank = ranks.iter().zip(errors).min_by(|a, b| a.1.total_cmp(&b.1)).map_or(1, |(&rank, _)| rank);
    let methods = [
        (format!("RBM of weight cost {}", best.1), predicted),
        ("means of users and items".to_owned(), held_out.entries.iter().map(|rating| means.predict(rating)).collect()),
        (
            format!("truncated SVD of rank {rank}"),
            svd_ratings(&device, &train, &held_out.entries, recipe.damping, &[rank])?.concat(),
        ),
    ];
    for (name, predicted) in &methods {
        run.lower(format!("root mean squared error of held-out ratings, {name}"), held_out.rmse(predicted));
    }
    run.finish()?;
    draw(&run.path("errors.svg"), [&train, &held_out], methods)
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

/// Draws the errors by how many ratings of a user are known: an eighth of the held-out ratings at each point.
fn draw(path: &Path, [train, held_out]: [&Ratings; 2], methods: [(String, Vec<f64>); 3]) -> Result<()> {
    const POINTS: usize = 8;
    let mut known = vec![0usize; train.users];
    train.entries.iter().for_each(|rating| known[rating.user as usize] += 1);
    let known_of = |i: u32| known[held_out.entries[i as usize].user as usize];
    let mut order: Vec<u32> = (0..held_out.entries.len() as u32).collect();
    order.sort_by_key(|&i| known_of(i));
    let point = |predicted: &[f64], part: &[u32]| {
        let of_part: Vec<f64> = part.iter().map(|&i| predicted[i as usize]).collect();
        let mean = part.iter().map(|&i| known_of(i)).sum::<usize>() as f64 / part.len() as f64;
        [mean, held_out.select(part).rmse(&of_part)]
    };
    let lines = methods.into_iter().zip([plot::RED, plot::GREY, plot::BLUE]).map(|((name, predicted), colour)| {
        let points = order.chunks(order.len().div_ceil(POINTS)).map(|part| point(&predicted, part)).collect();
        Line { name, colour, points, deviations: Vec::new() }
    });
    let lines: Vec<Line> = lines.collect();
    let all = || lines.iter().flat_map(|line| &line.points);
    let most = all().fold(1.0, |most: f64, point| most.max(point[0]));
    let (low, high) = all().fold((f64::INFINITY, 0.0), |(low, high): (f64, f64), p| (low.min(p[1]), high.max(p[1])));
    let margin = 0.1 * (high - low).max(0.01);
    let plot = Plot {
        title: "root mean squared error of held-out ratings",
        labels: ["ratings of the user that are known", ""],
        // The names of the lines stand above them.
        ranges: [0.0..1.05 * most, low - margin..high + 4.0 * margin],
        log: false,
    };
    Ok(plot.save(path, &lines)?)
}
