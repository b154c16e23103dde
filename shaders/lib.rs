//! The WGSL kernels of strait, assembled from parts.
//!
//! A kernel is a list of [`Part`]s, each a small file that defines functions for the others to call, between a few
//! constants and, for matrix products, a function generated for a [`Tile`] shape.

mod fragments;
mod matmul;
mod matrices;
mod pair;
mod pieces;
mod staging;

pub use fragments::Fragments;
pub use matmul::{Tile, product};
pub use matrices::{given, operand, result};
pub use pair::{SECOND, SIZE, alone, pair};
pub use pieces::Pieces;
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

include!(concat!(env!("OUT_DIR"), "/parts.rs"));

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
            Self::Store => Part::UpdateStore.text(),
            Self::Momentum => Part::UpdateMomentum.text(),
            Self::Adam => Part::UpdateAdam.text(),
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
