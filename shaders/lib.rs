//! The WGSL kernels of strait, assembled from parts.
//!
//! A kernel is a list of [`Part`]s, each a small file that defines functions for the others to call, between a few
//! constants and, for matrix products, a function generated for a [`Tile`] shape.

mod fragments;
mod matrices;
mod pair;
mod pieces;
mod product;
mod staging;

pub use fragments::Fragments;
pub use matrices::{given, operand, result};
pub use pair::{SECOND, SIZE, alone, pair};
pub use pieces::Pieces;
pub use product::{Tile, product};
pub use staging::Operand;

/// How a product is computed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Shape {
    /// By multiply-adds of f32.
    Tile(Tile),
    /// On cooperative matrices of f16.
    Fragments(Fragments),
}

impl Shape {
    /// Rows of C that a workgroup computes.
    pub fn height(&self) -> u32 {
        match self {
            Self::Tile(tile) => tile.height(),
            Self::Fragments(fragments) => fragments.height(),
        }
    }

    /// Columns of C that a workgroup computes.
    pub fn width(&self) -> u32 {
        match self {
            Self::Tile(tile) => tile.width(),
            Self::Fragments(fragments) => fragments.width(),
        }
    }

    /// Bytes of memory that a workgroup shares.
    pub fn workgroup_memory(&self) -> u32 {
        match self {
            Self::Tile(tile) => tile.workgroup_memory(),
            Self::Fragments(fragments) => fragments.workgroup_memory(),
        }
    }

    /// Invocations of a workgroup.
    pub fn invocations(&self) -> u32 {
        match self {
            Self::Tile(tile) => tile.invocations(),
            Self::Fragments(fragments) => fragments.invocations(),
        }
    }

    /// Whether a workgroup's memory holds neighbouring terms of an operand side by side, which is so in memory or not.
    pub fn staged_along_k(&self, along_k: bool) -> bool {
        match self {
            Self::Tile(_) => false,
            Self::Fragments(fragments) => fragments.staged_along_k(along_k),
        }
    }

    /// What tells it from others, for names of kernels.
    pub fn name(&self) -> String {
        let size = format!("{}x{}", self.height(), self.width());
        match self {
            Self::Tile(Tile { teams: 1, .. }) => size,
            Self::Tile(tile) => format!("{size} by {}", tile.teams),
            Self::Fragments(Fragments { teams, as_stored, .. }) => {
                let by = if *teams == 1 { String::new() } else { format!(" by {teams}") };
                format!("{size} f16{by}{}", if *as_stored { " as stored" } else { "" })
            }
        }
    }

    /// The extensions of WGSL that the kernel needs.
    pub fn extensions(&self) -> &'static [&'static str] {
        match self {
            Self::Tile(_) => &[],
            Self::Fragments(_) => &["f16", "wgpu_cooperative_matrix"],
        }
    }
}

macro_rules! parts {
    ($($(#[doc = $doc:literal])* $name:ident = $file:literal;)*) => {
        /// A part of a kernel: one WGSL file.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Part {
            $($(#[doc = $doc])* $name,)*
        }

        impl Part {
            /// The WGSL text.
            pub fn text(self) -> &'static str {
                match self {
                    $(Self::$name => include_str!($file),)*
                }
            }
        }
    };
}

parts! {
    /// The step's numbers and random numbers.
    Prelude = "prelude.wgsl";
    /// Activations by the constant ACTIVATION.
    Activation = "activation.wgsl";
    /// The sizes of a product.
    Product = "product.wgsl";
    /// Its operands.
    OnePhase = "one_phase.wgsl";
    /// A layer.
    Linear = "linear.wgsl";
    /// Random states of a layer.
    Draw = "draw.wgsl";
    /// No random states.
    DrawNone = "draw_none.wgsl";
    /// The derivative passed to the layer below.
    Backprop = "backprop.wgsl";
    /// The gradient of weights.
    Gradient = "gradient.wgsl";
    /// Its elements one at a time.
    GradientNarrow = "gradient_narrow.wgsl";
    /// Its elements four at a time.
    GradientWide = "gradient_wide.wgsl";
    /// Weight costs for each column that are added to it.
    PlusDecay = "plus_decay.wgsl";
    /// Another use's gradient that is added to it.
    PlusGradient = "plus_gradient.wgsl";
    /// What it is added to in place.
    PlusItself = "plus_itself.wgsl";
    /// Nothing that is added to it.
    PlusNone = "plus_none.wgsl";
    /// The operands of contrastive divergence.
    TwoPhases = "two_phases.wgsl";
    /// The gradient of the units' bias.
    Bias = "bias.wgsl";
    /// The gradient of the inputs' bias.
    InputBias = "input_bias.wgsl";
    /// The squared errors of reconstructions.
    Errors = "errors.wgsl";
    /// The elements that invocations take in turn.
    Elements = "elements.wgsl";
    /// The rule of an optimiser.
    Update = "update.wgsl";
    /// Windows of maps.
    Unfold = "unfold.wgsl";
    /// Maps of windows.
    Fold = "fold.wgsl";
    /// As they are.
    FoldSum = "fold_sum.wgsl";
    /// As a layer.
    FoldLayer = "fold_layer.wgsl";
    /// As a derivative.
    FoldBackprop = "fold_backprop.wgsl";
    /// The gradient of a bias that positions share.
    SharedBias = "shared_bias.wgsl";
    /// Rows of a data set.
    Gather = "gather.wgsl";
    /// Its data as bytes.
    DataBytes = "data_bytes.wgsl";
    /// Its data as numbers.
    DataNumbers = "data_numbers.wgsl";
    /// Its rows in a given order.
    OrderGiven = "order_given.wgsl";
    /// Its rows as they come.
    OrderNone = "order_none.wgsl";
    /// Its images shifted at random.
    Shift = "shift.wgsl";
    /// Its rows as they are.
    ShiftNone = "shift_none.wgsl";
    /// Rows into a data set.
    Scatter = "scatter.wgsl";
    /// Columns of one minibatch in another.
    CopyColumns = "copy_columns.wgsl";
    /// Reductions over a row.
    Row = "row.wgsl";
    /// Their sums.
    RowSums = "row_sums.wgsl";
    /// Groups of units that exclude each other.
    Softmax = "softmax.wgsl";
    /// Losses.
    Loss = "loss.wgsl";
    /// A loss alone.
    EmitNone = "emit_none.wgsl";
    /// A loss and the outputs.
    EmitOutput = "emit_output.wgsl";
    /// A loss and the derivatives.
    EmitDelta = "emit_delta.wgsl";
    /// A loss, the outputs and the derivatives.
    EmitBoth = "emit_both.wgsl";
    /// Noise on inputs.
    Corrupt = "corrupt.wgsl";
    /// The largest values of rows.
    TopK = "top_k.wgsl";
    /// Sums over columns.
    Columns = "columns.wgsl";
    /// Means of columns.
    ColumnMeans = "column_means.wgsl";
    /// A penalty on outputs.
    Penalty = "penalty.wgsl";
    /// Its number for each column.
    ColumnGiven = "column_given.wgsl";
    /// No number for columns.
    ColumnNone = "column_none.wgsl";
    /// What the contractive penalty needs of a layer.
    Contraction = "contraction.wgsl";
    /// A step towards sparse codes.
    Shrink = "shrink.wgsl";
    /// The lengths of weights.
    MaxNorm = "max_norm.wgsl";
    /// Sparse weights.
    Threshold = "threshold.wgsl";
    /// Columns shifted and scaled.
    Standardize = "standardize.wgsl";
    /// Free energies of classes.
    ClassEnergies = "class_energies.wgsl";
    /// States that change places between chains.
    Exchange = "exchange.wgsl";
    /// Codes drawn from normal distributions.
    Reparameterize = "reparameterize.wgsl";
    /// Their derivative.
    ReparameterizeBackward = "reparameterize_backward.wgsl";
    /// Their factors, by the step.
    FactorsOfStep = "factors_of_step.wgsl";
    /// Their factors, always the same.
    FactorsFixed = "factors_fixed.wgsl";
    /// Sums of vectors.
    Combine = "combine.wgsl";
    /// Dot products.
    Dot = "dot.wgsl";
}

/// What becomes of a gradient.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Update {
    /// It is kept.
    Store,
    /// Momentum.
    Momentum,
    /// Adam.
    Adam,
}

impl Update {
    /// The function `apply_NAME(element, gradient, weight cost)`, with its tensors at bindings from `binding` on. Where these
    /// are `wide`, an element is four numbers.
    ///
    /// ```
    /// let text = strait_shaders::Update::Store.text("weight", 5, false);
    /// assert!(text.contains("@binding(5)") && text.contains("fn apply_weight(i: u32, g: f32"));
    /// ```
    pub fn text(self, name: &str, binding: u32, wide: bool) -> String {
        let text = match self {
            Self::Store => include_str!("update_store.wgsl"),
            Self::Momentum => include_str!("update_momentum.wgsl"),
            Self::Adam => include_str!("update_adam.wgsl"),
        };
        let numbered =
            (0..3).fold(text.to_owned(), |text, i| text.replace(&format!("${i}"), &(binding + i).to_string()));
        numbered.replace('$', &format!("_{name}")).replace('#', matrices::element(wide))
    }
}

/// The text of a kernel: the extensions of WGSL that it needs, constants, parts, then what else there is.
///
/// ```
/// use strait_shaders::{Part, assemble};
/// let text = assemble(&[], &[("ACTIVATION", 1)], &[Part::Prelude, Part::Activation], "");
/// assert!(text.starts_with("const ACTIVATION = 1u;\n"));
/// ```
pub fn assemble(extensions: &[&str], constants: &[(&str, u32)], parts: &[Part], rest: &str) -> String {
    let extensions = extensions.iter().map(|name| format!("enable {name};\n"));
    let constants = constants.iter().map(|(name, value)| format!("const {name} = {value}u;\n"));
    extensions
        .chain(constants)
        .chain(parts.iter().map(|part| part.text().to_owned()))
        .chain([rest.to_owned()])
        .collect()
}
