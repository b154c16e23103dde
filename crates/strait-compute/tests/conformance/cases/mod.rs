//! The table of operations, tails and shapes that every back end has to compute like the oracle.

mod single;

pub(crate) use single::infinite;
use single::{
    absolute_values, class_energies, columns, contractive, contrastive_divergence, convolution, copies, corrupt, data,
    dictionary, exchange, fine_tuning, latent, row_sums, rows, shared, shifted, softmax, sparsity, standardize, tied,
    top_k, vectors,
};
use strait_compute::{Activation, Groups, Kind, LossKind, Missing, Noise, Sampling, Window};

use crate::table::{Case, PAPER, backprop, by_row, gradient, layer, linear, loss};

/// Ragged shapes (batch, inner, columns): ones, primes, tile edges and their neighbours, the paper's layers scaled down. GPUs
/// read rows of multiples of four in other kernels, which software adapters take seconds to compile: both operands
/// are such or neither is, but for [`MIXED`] and the paper's layers.
const SHAPES: [(usize, usize, usize); 19] = [
    (1, 1, 1),
    (2, 3, 5),
    (7, 1, 17),
    (13, 31, 1),
    (15, 15, 17),
    (16, 16, 16),
    (17, 17, 31),
    (31, 33, 31),
    (33, 32, 36),
    (64, 64, 64),
    (63, 65, 66),
    (65, 63, 129),
    (100, 98, 125),
    (12, 127, 47),
    (100, 62, 30),
    (251, 41, 33),
    (20, 2100, 72),
    (30, 36, 132),
    (23, 140, 20),
];

/// Shapes with rows of multiples of four in one operand only.
const MIXED: [(usize, usize, usize); 2] = [(17, 20, 30), (30, 33, 40)];

/// Windows that overlap, that leave gaps, that end inside and outside of the map, and one that sees all of it.
const WINDOWS: [Window; 6] = [
    Window { height: 1, width: 1, channels: 1, kernel: 1, stride: 1, padding: 0 },
    Window { height: 7, width: 5, channels: 2, kernel: 3, stride: 2, padding: 1 },
    Window { height: 6, width: 9, channels: 16, kernel: 3, stride: 1, padding: 2 },
    Window { height: 8, width: 8, channels: 1, kernel: 2, stride: 3, padding: 0 },
    Window { height: 5, width: 6, channels: 19, kernel: 4, stride: 2, padding: 1 },
    Window { height: 3, width: 3, channels: 5, kernel: 3, stride: 1, padding: 0 },
];

/// The products, over all shapes, with these layers in full.
pub(crate) fn products(layers: &[(usize, usize)]) -> Vec<Case> {
    let layers = layers.iter().flat_map(|&(inputs, units)| layer(100, inputs, units));
    layers.chain(products_of(&SHAPES)).collect()
}

/// The products over a few shapes with edges of all kinds.
pub(crate) fn some_products() -> Vec<Case> {
    products_of(&[(1, 1, 1), (63, 65, 66), (65, 63, 129), (30, 36, 132), (23, 140, 20)])
}

/// The products, with these layers in full if they are all of the paper's, else over the fewest shapes.
pub(crate) fn fitting_products(layers: &[(usize, usize)]) -> Vec<Case> {
    if layers.len() == PAPER.len() { products(layers) } else { products_of(&[(30, 36, 132), (23, 140, 21)]) }
}

/// The same, and whole steps.
pub(crate) fn products_and_steps(layers: &[(usize, usize)]) -> Vec<Case> {
    [fitting_products(layers), steps()].concat()
}

/// The whole table where these layers are all of the paper's; software adapters, which run it with a tile of their own, take minutes to
/// compile it for another one.
pub(crate) fn fitting(layers: &[(usize, usize)]) -> Vec<Case> {
    if layers.len() == PAPER.len() { all(layers) } else { [products_and_steps(layers), by_row(100, 784)].concat() }
}

/// Steps with pairs of products that read four numbers at a time, in tiles of one shape and of two.
pub(crate) fn wide_steps() -> Vec<Case> {
    vec![fine_tuning(20, 48, 32), fine_tuning(130, 260, 320)]
}

/// A product with tensors of more than 17,000 bytes whose rows are multiples of four.
pub(crate) fn large_products() -> Vec<Case> {
    products_of(&[(40, 132, 136)])
}

fn products_of(shapes: &[(usize, usize, usize)]) -> Vec<Case> {
    let mut cases = Vec::new();
    for &(batch, inner, cols) in shapes {
        for turned in [false, true] {
            cases.push(linear(batch, inner, cols, turned, Activation::Linear, None));
            cases.push(linear(batch, inner, cols, turned, Activation::Logistic, Some(Sampling::Bernoulli)));
        }
        cases.push(backprop(batch, inner, cols, inner > cols, Activation::Logistic));
        for kind in 0..3 {
            cases.push(gradient(batch, inner, cols, kind, false, batch));
            cases.push(gradient(batch, inner, cols, kind, true, batch.div_ceil(2)));
        }
    }
    cases
}

/// Products of numbers of which many are zero, or all are zero or one, of sizes at which the CPU makes use of that.
pub(crate) fn zeros() -> Vec<Case> {
    let mut cases = Vec::new();
    for name in ["images", "bits", "bits and a half"] {
        cases.extend(
            [(33, 30, 20, 33), (70, 130, 600, 64), (131, 65, 145, 7), (300, 1100, 70, 299)]
                .map(|(batch, inputs, units, active)| data(name, batch, inputs, units, active)),
        );
    }
    cases
}

/// The whole table.
pub(crate) fn all(layers: &[(usize, usize)]) -> Vec<Case> {
    [products(layers), products_of(&MIXED), others(), by_row(100, 784), steps()].concat()
}

/// Every kind of operation, on tensors of 21,000 elements at most.
pub(crate) fn small() -> Vec<Case> {
    [products_of(&[(65, 66, 129)]), others(), steps()].concat()
}

fn others() -> Vec<Case> {
    let mut cases = Vec::new();
    for activation in Activation::ALL {
        cases.push(linear(9, 20, 21, false, activation, Some(Sampling::Gaussian)));
        cases.push(linear(9, 20, 21, true, activation, Some(Sampling::Bernoulli)));
        cases.push(backprop(9, 20, 21, false, activation));
        cases.push(backprop(9, 20, 21, true, activation));
        cases.push(loss(6, 35, LossKind::SquaredError { activation }, 4, true));
    }
    for kind in [
        LossKind::CrossEntropy,
        LossKind::SoftmaxCrossEntropy,
        LossKind::SquaredError { activation: Activation::Linear },
    ] {
        for (batch, cols) in [(1, 1), (3, 10), (17, 33), (20, 784), (5, 300)] {
            cases.push(loss(batch, cols, kind, batch, true));
            cases.push(loss(batch, cols, kind, batch.div_ceil(2), false));
        }
    }
    for kind in [Kind::Bytes, Kind::Rows] {
        for indexed in [false, true] {
            cases.push(rows(kind, indexed));
        }
        cases.push(columns(kind));
    }
    for (rows, cols) in [(1, 1), (1, 100), (17, 33), (98, 125), (300, 70)] {
        cases.push(vectors(rows, cols));
        cases.push(softmax(rows, Groups::one(cols), cols));
        cases.push(softmax(rows, Groups::none(cols), cols));
        cases.push(standardize(rows, cols));
    }
    for (rows, visible, hidden) in [(1, 1, 1), (17, 33, 20), (98, 21, 41)] {
        cases.push(exchange(rows, visible, hidden));
        cases.push(copies(rows, visible, hidden));
        cases.push(class_energies(rows, hidden, visible, visible.div_ceil(2)));
    }
    for (rows, first, classes, count) in [(7, 5, 10, 1), (9, 0, 5, 37), (4, 33, 3, 9), (5, 30, 70, 2)] {
        cases.push(softmax(rows, Groups { first, classes }, first + classes * count));
    }
    for turned in [false, true] {
        cases.push(linear(9, 20, 21, turned, Activation::Softplus, Some(Sampling::Rectified)));
    }
    cases.extend([1, 3].map(shifted));
    for (batch, cols) in [(1, 1), (7, 17), (20, 70)] {
        let noises = [Noise::Masking(0.25), Noise::SaltAndPepper(0.4), Noise::Gaussian(0.3)];
        cases.extend(noises.map(|noise| corrupt(batch, cols, noise)));
        if cols > 1 {
            let missing = Missing { first: cols as u32 / 3, share: 0.3 };
            cases.push(corrupt(2 * batch, cols, Noise::Missing(missing)));
        }
        cases.extend([1, cols.div_ceil(2), cols].map(|k| top_k(batch, cols, k)));
        cases.extend(Activation::ALL.map(|activation| absolute_values(batch, cols, activation)));
        cases.push(sparsity(batch, cols));
        for activation in [Activation::Linear, Activation::Logistic, Activation::Tanh, Activation::Relu] {
            cases.extend([0, 1, 2].map(|update| contractive(batch, cols + 1, cols, activation, update)));
        }
        cases.push(latent(batch, cols));
        cases.push(row_sums(batch, cols));
    }
    cases
}

/// Whole steps of training.
pub(crate) fn steps() -> Vec<Case> {
    let mut cases =
        vec![contrastive_divergence(10, 49, 40), contrastive_divergence(33, 17, 70), fine_tuning(21, 49, 30)];
    for kind in 0..3 {
        cases.extend([(1, 1, 1), (21, 49, 30)].map(|(batch, inputs, units)| tied(batch, inputs, units, kind)));
    }
    for kind in [1, 2] {
        cases.extend(
            [(1, 1, 1), (21, 49, 30), (20, 40, 36)].map(|(batch, inputs, units)| shared(batch, inputs, units, kind)),
        );
    }
    for (batch, codes, inputs) in [(1, 1, 1), (7, 33, 20), (20, 16, 70)] {
        cases.extend([false, true].map(|rows| dictionary(batch, codes, inputs, rows)));
    }
    for (i, window) in WINDOWS.into_iter().enumerate() {
        cases.push(convolution(5, window, 1 + 9 * i, i % 3));
    }
    cases
}
