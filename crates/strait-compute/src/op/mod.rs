//! The vocabulary: every kind of operation, each with the tails that are fused into it. The file named after one says what it does
//! with its tensors.
//!
//! B is the number of rows of a minibatch. "Active rows" are the first [`Step::rows`](crate::Step::rows) of them.

pub(crate) mod access;
mod backprop;
mod batch_largest;
mod by_column;
mod class_energies;
mod column_means;
mod combine;
mod contraction;
mod copy_columns;
mod copy_rows;
mod corrupt;
mod dispatch;
mod dot;
mod exchange;
mod fold;
mod gather;
mod gradient;
mod jump_relu;
mod largest;
mod linear;
mod loss;
mod max_norm;
mod operands;
mod penalty;
mod per_row;
mod product;
mod recurrence;
mod recurrence_backward;
mod reparameterize;
mod reparameterize_backward;
mod row_sums;
mod scatter;
mod shared_bias;
mod shrink;
mod slope;
mod softmax;
mod sparse_backprop;
mod sparse_gradient;
mod sparse_linear;
mod standardize;
mod sums;
mod threshold;
mod top_k;
mod truncate;
mod unfold;
mod unused_bias;
mod update;

pub use by_column::ByColumn;
pub use combine::Factors;
pub use copy_rows::EveryRow;
pub use exchange::Replica;
pub use fold::FoldTail;
pub use gradient::Addend;
pub use jump_relu::StraightThrough;
pub use largest::SparseRows;
pub use linear::Sample;
pub use loss::LossKind;
pub use penalty::PenaltyKind;
pub use recurrence::{Cell, Start, Trace};
pub use shrink::Shrinkage;
pub use softmax::Draw;
pub use sparse_gradient::Along;
pub use update::Update;

pub(crate) use access::DOT_PARTS;
use access::{Access, Fits, Matmul, Report, Rows, Work, Write, computed, in_place, reads, same, updated};

use crate::{Activation, Groups, Kind, Missing, Noise, Sampling, Shift, Tensor, Window};

/// One operation.
#[derive(Clone, PartialEq, Debug)]
pub enum Op {
    /// out\[r] = data\[index\[offset + r]], or data\[offset + r] without an index, of which it takes as many columns as
    /// the minibatch has, from `first` on; rows behind the active ones become 0.
    Gather {
        /// The data set, [n, D], as bytes or numbers.
        data: Tensor,
        /// The order of its rows.
        index: Option<Tensor>,
        /// The first column that is taken.
        first: usize,
        /// Random shifts of what is taken of the rows, which are images.
        shift: Option<Shift>,
        /// The minibatch, [B, M].
        out: Tensor,
    },
    /// data\[offset + r] = input\[r] for the active rows.
    Scatter {
        /// A minibatch, [B, D].
        input: Tensor,
        /// The data set, [n, D], of kind [`Rows`](crate::Kind::Rows).
        data: Tensor,
    },
    /// out\[:, to + c] = input\[:, first + c] for so many columns; the others stay.
    CopyColumns {
        /// [B, M]
        input: Tensor,
        /// The first column that is read.
        first: usize,
        /// [B, N]
        out: Tensor,
        /// The first column that is written.
        to: usize,
        /// How many.
        columns: usize,
    },
    /// Some rows of one matrix into rows of another, which are as many; the others stay. A sequence of T steps stacked over time has
    /// step t of row b in row b T + t.
    CopyRows {
        /// What is read.
        input: EveryRow,
        /// What is written.
        out: EveryRow,
    },
    /// out = act(X W + b), or act(X Wᵀ + b) when transposed; optionally random states with that mean.
    Linear {
        /// X, [B, K].
        input: Tensor,
        /// W, [K, N], or [N, K] when transposed.
        weight: Tensor,
        /// Whether W is used transposed.
        transposed: bool,
        /// b, [1, N].
        bias: Tensor,
        /// act
        activation: Activation,
        /// The means, [B, N].
        out: Tensor,
        /// The random states.
        sample: Option<Sample>,
    },
    /// out = (δ Wᵀ) ⊙ act′(y), or (δ W) ⊙ act′(y) below a layer that uses W transposed: the derivative of the loss with
    /// respect to the total input of the layer below.
    Backprop {
        /// δ, [B, N].
        delta: Tensor,
        /// W, [K, N], or [N, K] when transposed.
        weight: Tensor,
        /// Whether the layer uses W transposed.
        transposed: bool,
        /// y, the outputs of the layer below, [B, K].
        output: Tensor,
        /// act
        activation: Activation,
        /// [B, K]
        out: Tensor,
    },
    /// The gradient of a layer's parameters, and what becomes of it.
    ///
    /// With `positive` = (X, D) and no `negative`, the descent direction of a loss: g = Xᵀ D / rows for the weights
    /// and the column means of D for the bias. With `negative` = (V₁, H₁), contrastive divergence (Hinton 2002):
    /// the updates *ascend* V₀ᵀ H₀ − V₁ᵀ H₁, that is g = −(V₀ᵀ H₀ − V₁ᵀ H₁) / rows, the biases alike.
    Gradient {
        /// X [B, K] and D [B, N], or the statistics V₀ and H₀ of the positive phase.
        positive: (Tensor, Tensor),
        /// V₁ [B, K] and H₁ [B, N], the statistics of the negative phase.
        negative: Option<(Tensor, Tensor)>,
        /// W, [K, N].
        weight: Update,
        /// The bias of the N units, [1, N].
        bias: Option<Update>,
        /// The bias of the K units, [1, K], which an RBM's visible units have.
        input_bias: Option<Update>,
        /// What is added to the gradient of the weights.
        plus: Option<Addend>,
        /// Rows of X and D for each row of the minibatch: 1, or the positions of a convolution. Sums go over the rows of
        /// all active rows of the minibatch, means are those over the minibatch.
        positions: usize,
        /// What all of these gradients are multiplied with, before anything is added: the weight of a term of an objective.
        scale: f32,
    },
    /// The windows of a map side by side (im2col): row b P + p of the result holds what the window sees at position p of
    /// row b, 0 outside of the map. With it a convolution is a product.
    Unfold {
        /// A map, [B, H W C].
        input: Tensor,
        /// The window.
        window: Window,
        /// [B P, taps]
        out: Tensor,
    },
    /// The transpose of [`Op::Unfold`]: each value of the map is the sum over the windows that see it.
    Fold {
        /// [B P, taps]
        input: Tensor,
        /// The window.
        window: Window,
        /// What becomes of the sums.
        tail: FoldTail,
        /// A map, [B, H W C].
        out: Tensor,
    },
    /// The gradient of a bias that all positions of a map share, the mean over the active rows of the minibatch of the
    /// sums over the positions, and what becomes of it.
    SharedBias {
        /// δ, a map, [B, P C].
        delta: Tensor,
        /// The bias, [1, C].
        bias: Update,
    },
    /// What becomes of a gradient that is there: θ follows it by a rule. Where nothing between the two stands in the way, devices
    /// do this in the tail of [`Op::Gradient`]; see [`Program::fused`](crate::Program::fused).
    Update {
        /// g, the gradient, of θ's shape.
        gradient: Tensor,
        /// The rule, with θ and what it keeps from step to step.
        update: Update,
        /// Whether θ has the step's weight cost: that of weights, never of biases.
        decays: bool,
    },
    /// A loss: per active row, the loss and the squared error (or the mistake) go to the metrics.
    Loss {
        /// Which loss.
        kind: LossKind,
        /// Outputs or logits, [B, N].
        input: Tensor,
        /// t, [B, N].
        target: Tensor,
        /// The outputs (p), [B, N], where they are wanted.
        output: Option<Tensor>,
        /// The derivative with respect to the total input, [B, N]; 0 in rows that are not active.
        delta: Option<Tensor>,
    },
    /// out = the input with noise; rows behind the active ones become 0.
    Corrupt {
        /// x, [B, D].
        input: Tensor,
        /// Which noise.
        noise: Noise,
        /// The stream of random numbers: different for each operation that draws.
        stream: u32,
        /// [B, D]
        out: Tensor,
    },
    /// The k largest values of each row stay, the others become 0; of equal ones those in lower columns stay.
    TopK {
        /// [B, N]
        input: Tensor,
        /// k, from 1 to N.
        k: usize,
        /// [B, N]
        out: Tensor,
    },
    /// The k largest positive numbers of each row, in the order of their columns, with these; zeros behind them where there are fewer. Of
    /// equal ones those in lower columns stay, and NaN counts as the largest. Behind a layer of rectified units that nothing else reads, the CPU takes them while it
    /// computes the layer, whose outputs then need no memory.
    Largest {
        /// [B, N]
        input: Tensor,
        /// [B, k] each.
        out: SparseRows,
    },
    /// Of entries of rows, the k times active rows largest positive ones of all rows stay, the others become 0 (BatchTopK, Bussmann et al. 2024); of
    /// equal ones the first stay. All thresholds move towards the smallest that stays.
    BatchLargest {
        /// The entries, [B, c].
        input: Tensor,
        /// θ, [1, N]: θ ← (1 − η) θ + η min, unless nothing is positive.
        threshold: Tensor,
        /// k, from 1 to c.
        k: usize,
        /// η, from 0 to 1.
        rate: f32,
        /// [B, c]; 0 in rows that are not active.
        out: Tensor,
    },
    /// Outputs above the thresholds of their units: out = x where x > θ, else 0.
    JumpRelu {
        /// x, [B, N].
        input: Tensor,
        /// θ, [1, N].
        threshold: Tensor,
        /// May be x itself, [B, N].
        out: Tensor,
    },
    /// Biases with which a layer gives the distance of its outputs from the lower end of the window around their thresholds: out = b − max(θ, 0) + ε / 2.
    JumpReluBias {
        /// b, [1, N].
        bias: Tensor,
        /// θ, [1, N].
        threshold: Tensor,
        /// ε
        bandwidth: f32,
        /// [1, N]
        out: Tensor,
    },
    /// The outputs x = v + max(θ, 0) − ε / 2 whose distances v exceed ε / 2, that is which exceed their thresholds; others become 0. NaN stays.
    JumpReluListed {
        /// v, by [`Op::JumpReluBias`] and [`Op::Largest`].
        input: SparseRows,
        /// θ, [1, N].
        threshold: Tensor,
        /// ε
        bandwidth: f32,
        /// x, [B, c].
        out: Tensor,
        /// L₀, the mean over the active rows of how many exceed their thresholds, [1, 1].
        active: Tensor,
    },
    /// The way back through [`Op::JumpReluListed`]: derivatives of outputs that do not exceed their thresholds become 0, and
    /// g = −Σ (θ δ + 2 w (L₀ / k − 1) / k) / (ε rows), over the outputs within ε / 2 of their thresholds.
    JumpReluBackward {
        /// v, [B, c].
        input: Tensor,
        /// The order of the entries.
        order: ByColumn,
        /// θ, [1, N].
        threshold: Tensor,
        /// L₀, [1, 1].
        active: Tensor,
        /// ε, w and k.
        straight: StraightThrough,
        /// δ, those with respect to x, [B, c].
        derivatives: Tensor,
        /// g, [1, N].
        gradient: Tensor,
    },
    /// out = act(C W + b) for rows of few numbers.
    SparseLinear {
        /// C, [B, N].
        input: SparseRows,
        /// W, [N, M].
        weight: Tensor,
        /// b, [1, M].
        bias: Tensor,
        /// act
        activation: Activation,
        /// [B, M]
        out: Tensor,
    },
    /// For each entry of rows of few numbers that is not 0, the derivative of the loss with respect to it: δ · w, with the row w of the weights
    /// that it multiplies.
    SparseBackprop {
        /// δ, [B, M].
        delta: Tensor,
        /// W, [N, M].
        weight: Tensor,
        /// The entries.
        input: SparseRows,
        /// [B, k]
        out: Tensor,
    },
    /// Which entries of the active rows each column has, those that are 0 left out.
    ByColumn {
        /// The entries.
        rows: SparseRows,
        /// Their order.
        out: ByColumn,
    },
    /// Biases with which a layer gives outputs of units alone that few rows use: out = b where none of the last `limit` rows had an entry, else the lowest
    /// number.
    UnusedBias {
        /// The entries of the active rows.
        order: ByColumn,
        /// b, [1, N].
        bias: Tensor,
        /// Rows since the last one that had an entry, [1, N], which the active rows are added to.
        since: Tensor,
        /// So many rows without an entry.
        limit: f32,
        /// [1, N]
        out: Tensor,
    },
    /// The gradient of weights that multiply rows C of few numbers, g = Cᵀ D / rows, or, transposed, that give them, g = Dᵀ C / rows; and what
    /// becomes of it.
    SparseGradient {
        /// The entries of C, [B, k].
        values: Tensor,
        /// The order of the entries.
        order: ByColumn,
        /// D, [B, M].
        dense: Tensor,
        /// Whether the weights are [M, N] rather than [N, M].
        transposed: bool,
        /// The weights.
        weight: Update,
        /// The bias of the N columns, [1, N], whose gradient are the column means of C.
        bias: Option<Update>,
        /// What is taken out of the gradient of weights that are not transposed and whose rows have length 1.
        along: Option<Along>,
    },
    /// Sequences of steps of `each` values side by side, up to their ends: out\[b, i] = x\[b, i] where ⌊i / each⌋ is less than the length of
    /// row b, and `beyond` behind it, whatever stands there.
    Truncate {
        /// x, [B, T each].
        input: Tensor,
        /// The steps of each row, [B, 1].
        lengths: Tensor,
        /// Values of a step.
        each: usize,
        /// What stands behind the ends.
        beyond: f32,
        /// [B, T each]
        out: Tensor,
    },
    /// out = the means of the columns over the active rows, of x or of x y, element by element.
    ColumnMeans {
        /// x, [B, N].
        input: Tensor,
        /// y, [B, N].
        times: Option<Tensor>,
        /// [1, N]
        out: Tensor,
    },
    /// What the contractive penalty needs of a layer y = act(x W + b): the squared lengths of the columns of W, and the
    /// costs 2 λ mean act′(aⱼ)² that it puts on them.
    Contraction {
        /// W, [K, N].
        weight: Tensor,
        /// y, [B, N].
        output: Tensor,
        /// act
        activation: Activation,
        /// λ
        penalty: f32,
        /// Σ wᵢⱼ², [1, N].
        squares: Tensor,
        /// [1, N]
        costs: Tensor,
    },
    /// One step of the iterative shrinkage that finds sparse codes (Daubechies et al. 2004), for codes that should also be near
    /// a prediction (Kavukcuoglu et al. 2008): v = z − η (2 (s − c) + 2 α (z − f)), out = sign(v) max(|v| − η λ, 0).
    Shrink {
        /// z, [B, N].
        code: Tensor,
        /// s: what the dictionary's atoms have in common with the reconstruction from z, [B, N].
        overlap: Tensor,
        /// c: what they have in common with the row itself, [B, N].
        correlation: Tensor,
        /// f, [B, N].
        prediction: Tensor,
        /// Its numbers.
        shrinkage: Shrinkage,
        /// [B, N]
        out: Tensor,
    },
    /// Scales the rows or columns of a weight matrix that are longer than `norm` to that length, or all of them.
    MaxNorm {
        /// W, [K, N].
        weight: Tensor,
        /// The largest length.
        norm: f32,
        /// Whether rows are scaled; else columns are.
        rows: bool,
        /// Whether shorter ones are scaled, too, unless they are 0.
        exact: bool,
    },
    /// w = sign(w) max(|w| − `threshold`, 0): what a step down a weight cost on absolute values leaves of each weight.
    Threshold {
        /// W, [K, N].
        weight: Tensor,
        /// From 0 on.
        threshold: f32,
    },
    /// out = (x − m) s, with a number of either kind for each column; without m it is 0, without s it is 1.
    Standardize {
        /// x, [B, N].
        input: Tensor,
        /// m, [1, N].
        shift: Option<Tensor>,
        /// s, [1, N].
        scale: Option<Tensor>,
        /// [B, N]
        out: Tensor,
    },
    /// z_c = a_c + Σⱼ ln(1 + e^(tⱼ + w_cj)): for each class the negative free energy of a row with its label, up to what is the
    /// same for all, so that p(c | row) = softmax(z) (Larochelle & Bengio 2008). The classes are the last visible units.
    ClassEnergies {
        /// t, the total inputs of the hidden units without a label, [B, N].
        inputs: Tensor,
        /// W, [K, N], of which the last rows are those of the classes.
        weight: Tensor,
        /// a, [1, K].
        bias: Tensor,
        /// z, [B, classes].
        out: Tensor,
    },
    /// Swaps, row by row, the hidden states of two chains at the inverse temperatures β₁ and β₂ with probability
    /// min(1, e^((β₁ − β₂)(E₁ − E₂))), where −E = a·v + (b + v W)·h: parallel tempering (Geyer 1991; Desjardins et al. 2010).
    Exchange {
        /// The chains.
        chains: [Replica; 2],
        /// a, [1, K].
        bias: Tensor,
        /// β₁ − β₂
        difference: f32,
        /// Swaps are tried in steps with even (0) or odd (1) counters.
        parity: u32,
        /// The stream of random numbers: different for each operation that draws.
        stream: u32,
    },
    /// Adds the derivative of a penalty on a layer's outputs, through its activation, to δ; per active row, the penalty
    /// goes to the metrics as a loss.
    Penalty {
        /// Which penalty.
        kind: PenaltyKind,
        /// y, [B, N].
        output: Tensor,
        /// The activation that gave y.
        activation: Activation,
        /// δ, [B, N].
        delta: Tensor,
    },
    /// z = μ + σ ε with ε ∼ N(0, I): a code drawn from N(μ, σ²) so that the derivative passes (Kingma & Welling 2013).
    /// Per active row, its divergence ½ Σ (μ² + σ² − 1 − ln σ²) from N(0, I) times `kl_weight` goes to the metrics as a
    /// loss.
    Reparameterize {
        /// μ and ln σ², [B, 2 K].
        moments: Tensor,
        /// The weight of the divergence, β.
        kl_weight: f32,
        /// The stream of random numbers: different for each operation that draws.
        stream: u32,
        /// ε, [B, K].
        noise: Tensor,
        /// z, [B, K].
        out: Tensor,
    },
    /// The derivative of [`Op::Reparameterize`]: δ + β μ for the means, ½ (δ ε σ + β (σ² − 1)) for the logarithms of
    /// the variances; 0 in rows that are not active.
    ReparameterizeBackward {
        /// δ, the derivative with respect to z, [B, K].
        delta: Tensor,
        /// μ and ln σ², [B, 2 K].
        moments: Tensor,
        /// ε, [B, K].
        noise: Tensor,
        /// β
        kl_weight: f32,
        /// [B, 2 K]
        out: Tensor,
    },
    /// Per active row, Σ x, or Σ x c with a number for each column, goes to the metrics as a loss.
    RowSums {
        /// x, [B, N].
        input: Tensor,
        /// c, [1, N].
        columns: Option<Tensor>,
    },
    /// The means of groups of units that exclude each other, softmax(β x) over a group, and of the binary units before them,
    /// logistic(β x); optionally random states with these means. A group draws one of its units, or as many as it has given
    /// ones: none where that is missing, or all words of a document (replicated softmax, Salakhutdinov & Hinton 2009). Its
    /// means then are that many times as large.
    Softmax {
        /// x, [B, N].
        input: Tensor,
        /// The groups.
        groups: Groups,
        /// β
        scale: f32,
        /// What was given, [B, N]: a group draws the sum of its own.
        given: Option<Tensor>,
        /// The means, [B, N].
        out: Tensor,
        /// The random states.
        states: Option<Draw>,
    },
    /// out = α x + β y, element by element; a factor of zero drops its operand, whatever that holds.
    Combine {
        /// x
        x: Tensor,
        /// y
        y: Tensor,
        /// α and β.
        factors: Factors,
        /// May be x or y itself.
        out: Tensor,
    },
    /// out = x ⊙ y, element by element.
    Product {
        /// x
        x: Tensor,
        /// y
        y: Tensor,
        /// May be x or y itself.
        out: Tensor,
    },
    /// out = δ ⊙ act′(y): the derivative of the loss with respect to the total input of a layer, of that with respect to its outputs.
    Slope {
        /// δ
        delta: Tensor,
        /// y, the layer's outputs.
        output: Tensor,
        /// act
        activation: Activation,
        /// May be δ itself.
        out: Tensor,
    },
    /// A recurrent layer's way through sequences of T steps, of which row b T + t holds step t of row b: what comes from below, x W + b′ for
    /// all gates, is computed beforehand, the rest step by step.
    Recurrence {
        /// The cell.
        cell: Cell,
        /// T
        steps: usize,
        /// Whether the last step comes first.
        reversed: bool,
        /// What it starts from.
        start: Start,
        /// x W + b′, [B T, G H]; the gates' columns lie side by side.
        inputs: Option<Tensor>,
        /// What comes from below in each step, [B, G H], beside that or in its place.
        constant: Option<Tensor>,
        /// The weights of the state, [H, G H].
        weight: Tensor,
        /// Their bias, [1, G H].
        bias: Tensor,
        /// The steps of each row, [B, 1]: h and c stay as they are behind them. Without lengths all rows have T.
        lengths: Option<Tensor>,
        /// Working memory, [B, H + (H) + G H]: h, the c of an LSTM, and what h adds to the gates' total inputs. Behind the last step h and c are
        /// those of the end.
        memory: Tensor,
        /// What the way back needs, where there is one.
        trace: Option<Trace>,
        /// The h of each step, [B T, H], where they are wanted.
        out: Option<Tensor>,
    },
    /// The way back through [`Op::Recurrence`]: the derivatives with respect to the gates' total inputs.
    RecurrenceBackward {
        /// The cell.
        cell: Cell,
        /// T
        steps: usize,
        /// Whether the last step came first.
        reversed: bool,
        /// The derivative with respect to each h, [B T, H], or to that of the end, [B, H].
        delta: Tensor,
        /// The weights of the state, [H, G H].
        weight: Tensor,
        /// The steps of each row, [B, 1].
        lengths: Option<Tensor>,
        /// Working memory, [B, G H + H + (H)]: the derivatives with respect to the gates of a step, to h, and to the c of an LSTM. Behind the first
        /// step the latter are those with respect to the states at the start.
        memory: Tensor,
        /// What was left behind; the gates become their derivatives.
        trace: Trace,
        /// The derivatives with respect to what came from below in each step, [B T, G H]: those of an LSTM are those of the gates.
        inputs: Option<Tensor>,
        /// Those with respect to what came from below in all of them, [B, G H].
        constant: Option<Tensor>,
    },
    /// Σ x y goes to the metrics.
    Dot {
        /// x
        x: Tensor,
        /// y
        y: Tensor,
    },
}
