//! The table of operations, tails and shapes that every back end has to compute like the oracle.

mod class_energies;
mod combine;
mod copy_columns;
mod copy_rows;
mod corrupt;
mod exchange;
mod fold;
mod gather;
mod gradient;
mod linear;
mod loss;
mod penalty;
mod product;
mod recurrence;
mod reparameterize;
mod row_sums;
mod shrink;
mod slope;
mod softmax;
mod sparse;
mod standardize;
mod steps;
mod top_k;
mod truncate;

pub(crate) use linear::{infinite, zeros};
use strait_compute::{
    Activation, Addend, Along, ByColumn, Cell, Draw, Factors, FoldTail, Groups, Kind, LossKind, Missing, Noise, Op,
    PenaltyKind, Replica, Sample, Sampling, Shift, Shrinkage, SparseRows, Start, Step, StraightThrough, Tensor, Trace,
    Update, Window,
};

use super::table::{Builder, Case, PAPER, backprop, by_row, gradient, layer, linear, loss, step};

/// Ragged shapes (batch, inner, columns): ones, primes, tile edges and their neighbours, the paper's layers scaled down. GPUs
/// read rows of multiples of four in other kernels, which software adapters take seconds to compile: both operands
/// are such or neither is, but for [`MIXED`] and the paper's layers.
const PRODUCTS: [(usize, usize, usize); 19] = [
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

/// Rows and columns of vectors, of codes, and the rows, visible and hidden units of chains.
const SHAPES: [(usize, usize); 5] = [(1, 1), (1, 100), (17, 33), (98, 125), (300, 70)];
const CODES: [(usize, usize); 3] = [(1, 1), (7, 17), (20, 70)];
const CHAINS: [(usize, usize, usize); 3] = [(1, 1, 1), (17, 33, 20), (98, 21, 41)];

/// The products, over all shapes, with these layers in full.
pub(crate) fn products(layers: &[(usize, usize)]) -> Vec<Case> {
    let layers = layers.iter().flat_map(|&(inputs, units)| layer(100, inputs, units));
    layers.chain(products_of(&PRODUCTS)).collect()
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
    vec![steps::fine_tuning(20, 48, 32), steps::fine_tuning(130, 260, 320)]
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

/// The whole table.
pub(crate) fn all(layers: &[(usize, usize)]) -> Vec<Case> {
    [products(layers), products_of(&MIXED), tails(), operations(), recurrence::wide(), by_row(100, 784), steps()]
        .concat()
}

/// Every kind of operation, on tensors of 21,000 elements at most.
pub(crate) fn small() -> Vec<Case> {
    [products_of(&[(65, 66, 129)]), tails(), operations(), steps()].concat()
}

/// Products with every activation and every kind of states.
fn tails() -> Vec<Case> {
    let mut cases = Vec::new();
    for activation in Activation::ALL {
        cases.push(linear(9, 20, 21, false, activation, Some(Sampling::Gaussian)));
        cases.push(linear(9, 20, 21, true, activation, Some(Sampling::Bernoulli)));
        cases.extend([false, true].map(|turned| backprop(9, 20, 21, turned, activation)));
    }
    let rectified = |turned| linear(9, 20, 21, turned, Activation::Softplus, Some(Sampling::Rectified));
    cases.extend([false, true].map(rectified));
    cases
}

/// Every operation but for products.
pub(crate) fn operations() -> Vec<Case> {
    let cases = [
        class_energies::cases(),
        combine::cases(),
        copy_columns::cases(),
        copy_rows::cases(),
        corrupt::cases(),
        exchange::cases(),
        gather::cases(),
        loss::cases(),
        penalty::cases(),
        product::cases(),
        recurrence::cases(),
        reparameterize::cases(),
        row_sums::cases(),
        slope::cases(),
        softmax::cases(),
        sparse::cases(),
        standardize::cases(),
        top_k::cases(),
        truncate::cases(),
    ];
    cases.concat()
}

/// Whole steps of training, and parts of them that go together.
pub(crate) fn steps() -> Vec<Case> {
    [steps::cases(), gradient::cases(), shrink::cases(), fold::cases()].concat()
}
