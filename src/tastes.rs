//! Ratings that are made up, for collaborative filtering: tastes of a few numbers, and noise.

use crate::compute::philox::{Stream, uniform};
use crate::data::{Rating, Ratings};

/// Ratings run from 1 to that.
pub const STARS: usize = 5;

/// Ratings of low rank: what a user likes and what an item offers are some numbers each, whose product counts beside
/// how kind the user and how good the item is, and beside noise. Some users rate much, and some items are much rated.
///
/// ```
/// let made = strait::tastes::ratings(100, 20, 5, 1);
/// assert_eq!((made.users, made.items, made.levels.len()), (100, 20, strait::tastes::STARS));
/// assert!(made.entries.len() > 100);
/// ```
pub fn ratings(users: usize, items: usize, factors: usize, seed: u64) -> Ratings {
    /// Of all ratings that there could be.
    const SHARE: f32 = 0.15;
    const KINDNESS: f32 = 0.4;
    const GOODNESS: f32 = 0.5;
    const NOISE: f32 = 0.5;
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
                entries.push(Rating { user, item: item as u32, level: stars as u16 - 1 });
            }
        }
    }
    let names = |count: usize| (1..=count).map(|number| number.to_string()).collect();
    let levels = (1..=STARS).map(|star| star as f64).collect();
    Ratings { users, items, levels, entries, user_names: names(users), item_names: names(items) }
}
