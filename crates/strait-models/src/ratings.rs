//! Predictions of ratings: by a machine, and the baselines to compare with.

use strait_compute::Device;
use strait_data::{Rating, Ratings, Rows};

use crate::{Pca, Rbm, Result};

/// The mean of all ratings, and how far users and items are from it.
///
/// ```
/// use strait_data::{Rating, Ratings};
/// use strait_models::RatingMeans;
/// let entries = vec![Rating { user: 0, item: 0, level: 0 }, Rating { user: 1, item: 0, level: 1 }];
/// let (user_names, item_names) = (vec!["a".into(), "b".into()], vec!["c".into()]);
/// let ratings = Ratings { users: 2, items: 1, levels: vec![1.0, 5.0], entries, user_names, item_names };
/// let means = RatingMeans::of(&ratings, 0.0);
/// assert_eq!(means.predict(&ratings.entries[1]), 5.0);
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct RatingMeans {
    /// The mean of all ratings.
    pub all: f64,
    /// For each user how far the ratings are above it.
    pub users: Vec<f64>,
    /// For each item the same.
    pub items: Vec<f64>,
}

impl RatingMeans {
    /// The ridge regression of the ratings on who gave them and to what, by turns. `damping` average ratings stand behind each mean,
    /// beside its own.
    pub fn of(ratings: &Ratings, damping: f64) -> Self {
        const TURNS: usize = 10;
        let values = ratings.entries.iter().map(|rating| ratings.value(rating));
        let all = values.sum::<f64>() / ratings.entries.len() as f64;
        let mut means = Self { all, users: vec![0.0; ratings.users], items: vec![0.0; ratings.items] };
        let deviations = |rest: &dyn Fn(&Rating) -> (usize, f64), count: usize| {
            let mut sums = vec![(0.0, damping); count];
            for (place, rest) in ratings.entries.iter().map(rest) {
                sums[place] = (sums[place].0 + rest, sums[place].1 + 1.0);
            }
            sums.into_iter().map(|(sum, weight)| if weight > 0.0 { sum / weight } else { 0.0 }).collect()
        };
        for _ in 0..TURNS {
            let rest = |r: &Rating| (r.item as usize, ratings.value(r) - all - means.users[r.user as usize]);
            means.items = deviations(&rest, ratings.items);
            let rest = |r: &Rating| (r.user as usize, ratings.value(r) - all - means.items[r.item as usize]);
            means.users = deviations(&rest, ratings.users);
        }
        means
    }

    /// The rating that is expected of this user for this item.
    pub fn predict(&self, rating: &Rating) -> f64 {
        self.all + self.users[rating.user as usize] + self.items[rating.item as usize]
    }
}

impl Rbm {
    /// What the machine, trained on [`Ratings::units`], expects of the wanted ratings, given the known ones (Salakhutdinov, Mnih &
    /// Hinton 2007).
    ///
    /// # Errors
    /// If the machine does not fit the ratings, or the device fails.
    pub fn predict_ratings(&self, device: &Device, known: &Ratings, wanted: &[Rating]) -> Result<Vec<f64>> {
        /// Users at a time: the machine expects something of all items.
        const PART: usize = 500;
        let (units, levels) = (known.units(), known.levels.len());
        let rows = Rows::bytes(&units, known.items * levels)?;
        let mut predicted = vec![0.0; wanted.len()];
        for first in (0..rows.count).step_by(PART) {
            let users = first..(first + PART).min(rows.count);
            let probabilities = self.expected(device, rows.range(users.clone()))?;
            for (predicted, Rating { user, item, .. }) in predicted.iter_mut().zip(wanted) {
                if users.contains(&(*user as usize)) {
                    let place = (*user as usize - first) * rows.width + *item as usize * levels;
                    let group = known.levels.iter().zip(&probabilities[place..]);
                    *predicted = group.map(|(level, &probability)| level * f64::from(probability)).sum();
                }
            }
        }
        Ok(predicted)
    }
}

/// What the truncated SVD of the known ratings less their [`RatingMeans`], where missing ones are 0, predicts of the wanted ones: for each
/// rank, the last of which is the largest.
///
/// # Errors
/// If a rank is larger than there are users or items, or the device fails.
pub fn svd_ratings(
    device: &Device,
    known: &Ratings,
    wanted: &[Rating],
    damping: f64,
    ranks: &[usize],
) -> Result<Vec<Vec<f64>>> {
    let means = RatingMeans::of(known, damping);
    // The components are those of the side that has fewer of them.
    let by_users = known.users >= known.items;
    let place = |r: &Rating| {
        let [user, item] = [r.user, r.item].map(|place| place as usize);
        if by_users { (user, item) } else { (item, user) }
    };
    let width = known.users.min(known.items);
    let mut matrix = vec![0.0; known.users * known.items];
    for rating in &known.entries {
        let (row, column) = place(rating);
        matrix[row * width + column] = (known.value(rating) - means.predict(rating)) as f32;
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
