//! Nearest neighbours: what codes are good for, and how good they are.

use std::collections::HashMap;

use strait_compute::{Activation, Device, Kind, Op, Program, Routine, Step, go_on};
use strait_data::Rows;

use crate::network::{declare_rows, minibatches, parts, upload};
use crate::{Autoencoder, Error, Result};

/// Distances that a minibatch of queries may have: 64 MiB of them.
const DISTANCES: usize = 16 << 20;

/// For each query the numbers of the `k` references nearest by Euclidean distance, from the nearest; of references that
/// are equally near the first ones. All distances are computed on the device.
///
/// ```
/// use strait_data::Rows;
/// let references = Rows::numbers(&[0.0, 0.0, 5.0, 5.0, 1.0, 0.0], 2)?;
/// let queries = Rows::numbers(&[0.2, 0.1], 2)?;
/// let found = strait_models::nearest(&strait_compute::Device::cpu()?, references, queries, 2)?;
/// assert_eq!(found, [[0, 2]]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If queries and references differ in width, `k` is 0 or more than there are references, or the device fails.
pub fn nearest(device: &Device, references: Rows<'_>, queries: Rows<'_>, k: usize) -> Result<Vec<Vec<u32>>> {
    if queries.width != references.width {
        return Err(Error::Width { expected: references.width, found: queries.width });
    }
    if k == 0 || k > references.count {
        return Err(Error::Shape(format!("{k} neighbours cannot be found among {} rows", references.count)));
    }
    // |q − r|² = |q|² − 2 (q r − ½ |r|²), of which |q|² is the same for all references. Far from zero both terms would be so
    // large that their difference was lost, so a centre is subtracted from all.
    let mut values = references.to_numbers();
    let centre = centre(&references, &values);
    for row in values.chunks_exact_mut(references.width) {
        row.iter_mut().zip(&centre).for_each(|(x, centre)| *x -= centre);
    }
    let half_square = |row: &[f32]| (-0.5 * row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>()) as f32;
    let biases: Vec<f32> = values.chunks_exact(references.width).map(half_square).collect();
    let batch = (DISTANCES / references.count).clamp(1, queries.count);
    let mut found = Vec::with_capacity(queries.count);
    for part in parts(device, queries, 0) {
        let mut program = Program::default();
        let data = declare_rows(&mut program, "queries", &part);
        let [query, input] = ["q", "q.centred"].map(|name| program.value(name, batch, part.width));
        let shift = program.data("centre", 1, part.width, Kind::Values);
        let weight = program.data("references", references.count, references.width, Kind::Values);
        let bias = program.data("half_squares", 1, references.count, Kind::Values);
        let out = program.value("nearness", batch, references.count);
        let mut routine = Routine::new("distances").with_independent_rows();
        routine.push(Op::Gather { data, index: None, first: 0, shift: None, out: query })?;
        routine.push(Op::Standardize { input: query, shift: Some(shift), scale: None, out: input })?;
        let activation = Activation::Linear;
        routine.push(Op::Linear { input, weight, transposed: true, bias, activation, out, sample: None })?;
        let routine = program.add(routine);
        let mut execution = device.load(program)?;
        upload(&mut *execution, data, &part)?;
        execution.write(weight, &values)?;
        execution.write(bias, &biases)?;
        execution.write(shift, &centre)?;
        for (offset, rows) in minibatches(part.count, batch) {
            execution.run(routine, &[Step { offset, rows, ..Step::default() }], &mut go_on)?;
            let nearness = execution.read(out)?;
            found.extend(nearness.chunks_exact(references.count).take(rows as usize).map(|row| largest(row, k)));
        }
    }
    Ok(found)
}

/// The means of the columns of these rows, which have these values, as multiples of the smallest power of two that is no less than
/// their deviation. Whole numbers stay whole when these are subtracted, so that of those that are equally near none is nearer by
/// rounding; and a mean that is that of a few outliers is 0.
fn centre(rows: &Rows<'_>, values: &[f32]) -> Vec<f32> {
    let mean = rows.mean();
    let mut variance = vec![0.0; rows.width];
    for row in values.chunks_exact(rows.width) {
        let deviations = row.iter().zip(&mean).map(|(&x, mean)| f64::from(x) - mean);
        variance.iter_mut().zip(deviations).for_each(|(sum, deviation)| *sum += deviation.powi(2) / rows.count as f64);
    }
    let rounded = |(mean, variance): (f64, f64)| {
        let unit = if variance > 0.0 { variance.sqrt().log2().ceil().exp2() } else { return mean as f32 };
        ((mean / unit).round() * unit) as f32
    };
    mean.into_iter().zip(variance).map(rounded).collect()
}

/// The places of the `k` largest values, from the largest.
fn largest(values: &[f32], k: usize) -> Vec<u32> {
    let order = |&i: &u32, &j: &u32| values[j as usize].total_cmp(&values[i as usize]).then(i.cmp(&j));
    let mut places: Vec<u32> = (0..values.len() as u32).collect();
    if k < places.len() {
        places.select_nth_unstable_by(k - 1, order);
        places.truncate(k);
    }
    places.sort_unstable_by(order);
    places
}

/// The share of queries that most of their neighbours have the label of; where two labels are equally frequent, that of
/// the nearest one counts.
///
/// ```
/// let right = strait_models::vote(&[vec![0, 1, 2], vec![2, 0, 1]], &[7, 7, 9], &[7, 9])?;
/// assert_eq!(right, 0.5);
/// # Ok::<(), strait_models::Error>(())
/// ```
///
/// # Errors
/// If there is not a label for each query and each neighbour.
pub fn vote(neighbours: &[Vec<u32>], labels: &[u32], of_queries: &[u32]) -> Result<f64> {
    labelled(neighbours, labels, of_queries)?;
    let elected = |neighbours: &Vec<u32>| {
        let of = |&i: &u32| labels[i as usize];
        let votes = |label: u32| neighbours.iter().filter(|i| of(i) == label).count();
        // The first of the largest: `max_by_key` would take the last.
        neighbours.iter().rev().map(of).max_by_key(|&label| votes(label))
    };
    let right = neighbours.iter().zip(of_queries).filter(|(neighbours, label)| elected(neighbours) == Some(**label));
    Ok(right.count() as f64 / of_queries.len() as f64)
}

/// k-NN accuracy: the share of queries whose label most of the `k` nearest references have, see [`nearest`] and [`vote`]. Both the
/// rows and the labels are those of the references, then those of the queries.
///
/// ```
/// use strait_data::Rows;
/// let references = Rows::numbers(&[0.0, 0.2, 5.0, 5.1], 1)?;
/// let queries = Rows::numbers(&[0.1, 4.0], 1)?;
/// let device = strait_compute::Device::cpu()?;
/// let accuracy = strait_models::knn_accuracy(&device, [references, queries], [&[7, 7, 9, 9], &[7, 7]], 2)?;
/// assert_eq!(accuracy, 0.5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Those of [`nearest`] and [`vote`].
pub fn knn_accuracy(device: &Device, rows: [Rows<'_>; 2], labels: [&[u32]; 2], k: usize) -> Result<f64> {
    vote(&nearest(device, rows[0], rows[1], k)?, labels[0], labels[1])
}

/// Whether there is a label for each query and each neighbour.
fn labelled(neighbours: &[Vec<u32>], labels: &[u32], of_queries: &[u32]) -> Result<()> {
    if neighbours.len() != of_queries.len() || neighbours.iter().flatten().any(|&i| i as usize >= labels.len()) {
        let (queries, labels, given) = (neighbours.len(), labels.len(), of_queries.len());
        let message =
            format!("{labels} labels of references and {given} of queries do not name the neighbours of {queries}");
        return Err(Error::Shape(message));
    }
    Ok(())
}

/// How many of the neighbours have their query's label: the share of all neighbours (precision), and the share that these
/// are of all references with that label (recall), means over the queries.
///
/// ```
/// let (precision, recall) = strait_models::retrieval(&[vec![0, 1]], &[7, 9, 7], &[7])?;
/// assert_eq!((precision, recall), (0.5, 0.5));
/// assert!(strait_models::retrieval(&[vec![3]], &[7, 9, 7], &[7]).is_err());
/// # Ok::<(), strait_models::Error>(())
/// ```
///
/// # Errors
/// If there is not a label for each query and each neighbour.
pub fn retrieval(neighbours: &[Vec<u32>], labels: &[u32], of_queries: &[u32]) -> Result<(f64, f64)> {
    labelled(neighbours, labels, of_queries)?;
    let mut counts: HashMap<u32, usize> = HashMap::new();
    labels.iter().for_each(|&label| *counts.entry(label).or_default() += 1);
    let (mut precision, mut recall) = (0.0, 0.0);
    for (neighbours, &label) in neighbours.iter().zip(of_queries) {
        let right = neighbours.iter().filter(|&&i| labels[i as usize] == label).count() as f64;
        precision += right / neighbours.len() as f64;
        recall += right / counts.get(&label).copied().unwrap_or(1) as f64;
    }
    let queries = neighbours.len() as f64;
    Ok((precision / queries, recall / queries))
}

impl Autoencoder {
    /// k-NN accuracy of the codes of these rows, as [`knn_accuracy`].
    ///
    /// # Errors
    /// If the rows do not fit, and those of [`knn_accuracy`].
    pub fn knn_accuracy(&self, device: &Device, rows: [Rows<'_>; 2], labels: [&[u32]; 2], k: usize) -> Result<f64> {
        let (references, queries) = (self.encode(device, rows[0])?, self.encode(device, rows[1])?);
        let codes = [Rows::numbers(&references, self.code_size())?, Rows::numbers(&queries, self.code_size())?];
        knn_accuracy(device, codes, labels, k)
    }
}
