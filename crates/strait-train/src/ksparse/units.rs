//! The units of a dictionary: how they start, which are dead, and how these start anew.

use strait_compute::Activation;
use strait_compute::philox::{Stream, uniform};
use strait_data::{Rows, Standard};
use strait_models::{Affine, Autoencoder, AuxK, SparseCodes, transpose};

use super::KSparse;

/// The share of a row's direction in the direction in which a unit starts, if k is at most [`FEW`]; the rest is random, so that equal rows give no
/// twins. With a larger k each unit is a smaller part of a row, and gets a smaller share. docs/dictionaries.md has what this is worth.
const OF_ROW: f32 = 0.9;
/// The largest k for which units start with all of that share.
const FEW: f32 = 4.0;

/// The net before training: decoder rows of length 1, and an encoder that is their transpose. Each row is drawn once, so that
/// every unit starts among the k largest of some row.
pub(super) fn start(
    recipe: &KSparse,
    (count, width): (usize, usize),
    row: impl Fn(usize) -> Vec<f32>,
    stream: &mut Stream,
) -> Autoencoder {
    let &KSparse { units, top_k, unit_rows, .. } = recipe;
    let mut directions: Vec<f32> = (0..width * units).map(|_| stream.next_normal()).collect();
    let share = (OF_ROW * FEW / top_k as f32).min(OF_ROW);
    let drawn = stream.permutation(count);
    for (direction, number) in directions.chunks_exact_mut(width).zip(drawn) {
        turn_towards(direction, &row(number as usize), share);
    }
    directions.chunks_exact_mut(width).for_each(normalize);
    let layer = |inputs, outputs, activation, weight| {
        let bias = vec![0.0; outputs];
        Affine { inputs, outputs, activation, weight, bias, convolution: None, threshold: None }
    };
    let up = layer(width, units, Activation::Relu, transpose(&directions, width));
    let down = layer(units, width, Activation::Linear, directions);
    let mut net = Autoencoder { unit_rows, ..Autoencoder::new(vec![up, down], 1) };
    net.thresholds = recipe.thresholds(width, None);
    let after = recipe.dead_after.unwrap_or(count);
    net.aux_k = recipe.aux_k.map(|k| AuxK { k, weight: recipe.aux_weight, after });
    match net.thresholds {
        None => net.top_k = Some(top_k),
        // Rows tell where they are once there is a device.
        Some(_) => net.layers[0].threshold = Some(vec![0.0; units]),
    }
    net
}

/// Turns a random direction towards a row: the given share of the row's direction, the rest random.
fn turn_towards(direction: &mut [f32], row: &[f32], share: f32) {
    let (of_row, of_direction) = (length(row), length(direction));
    let mixed = direction.iter_mut().zip(row);
    mixed.for_each(|(d, x)| *d = share * x / of_row + (1.0 - share) * *d / of_direction);
}

fn normalize(direction: &mut [f32]) {
    let length = length(direction);
    direction.iter_mut().for_each(|x| *x /= length);
}

/// The length of a vector, above 0.
pub(super) fn length(direction: &[f32]) -> f32 {
    direction.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE)
}

/// The units that are in none of these codes.
pub(super) fn dead_units(codes: &SparseCodes) -> Vec<usize> {
    let uses = codes.uses();
    (0..uses.len()).filter(|&unit| uses[unit] == 0).collect()
}

/// Directions of length 1 for dead units: those of reconstruction errors. Rows are drawn with the squares of their squared errors as weights (Bricken et al. 2023),
/// but without replacement, so that no two units become twins. Encoders get length 1, too, where the largest units stay: with shorter ones they would not be
/// among these. Where rows run out, the other units stay dead.
pub(super) fn directions(dead: &[usize], rows: Rows<'_>, made: &[f32], stream: &mut Stream) -> Vec<(usize, Vec<f32>)> {
    let errors: Vec<f32> = rows.to_numbers().iter().zip(made).map(|(x, y)| x - y).collect();
    let weight = |row: &[f32]| row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().powi(2);
    let mut weights: Vec<f64> = errors.chunks_exact(rows.width).map(weight).collect();
    let mut directions = Vec::new();
    for &unit in dead {
        let total: f64 = weights.iter().sum();
        let mut rest = f64::from(uniform(stream.next_word())) * total;
        let chosen = weights.iter().position(|weight| {
            rest -= weight;
            rest < 0.0
        });
        let Some(row) = chosen else {
            return directions;
        };
        weights[row] = 0.0;
        let mut direction: Vec<f32> = (0..rows.width).map(|_| stream.next_normal()).collect();
        turn_towards(&mut direction, &errors[row * rows.width..][..rows.width], OF_ROW);
        normalize(&mut direction);
        directions.push((unit, direction));
    }
    directions
}

/// Turns a net for standardised rows into one for the rows themselves.
pub(super) fn fold_into(standard: &Standard, net: &mut Autoencoder) {
    let [encoder, decoder] = &mut net.layers[..] else {
        unreachable!("it was made of two layers");
    };
    // They had length 1 before they were scaled, and thresholds were trained on rows of another scale.
    (net.unit_rows, net.thresholds, net.aux_k) = (false, None, None);
    let Affine { outputs, weight, bias, .. } = encoder;
    weight.iter_mut().for_each(|w| *w /= standard.deviation);
    for (weights, m) in weight.chunks_exact(*outputs).zip(&standard.mean) {
        bias.iter_mut().zip(weights).for_each(|(b, w)| *b -= m * w);
    }
    decoder.weight.iter_mut().for_each(|w| *w *= standard.deviation);
    decoder.bias.iter_mut().zip(&standard.mean).for_each(|(b, m)| *b = *b * standard.deviation + m);
}
