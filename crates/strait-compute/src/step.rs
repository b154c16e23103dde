//! The per-step numbers that the host supplies as one table.

/// What changes from one replay of a routine to the next. A table of these is uploaded once per run.
///
/// Its layout is that of the WGSL struct `Step`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Step {
    /// First row of the minibatch in the index, or in the data where there is no index.
    pub offset: u32,
    /// Rows of the minibatch in use; gradients are means over them, and the rows behind them are ignored.
    pub rows: u32,
    /// The row of the whole batch that the first one is, where the batch is cut in parts: random numbers are keyed by rows of the whole.
    pub first: u32,
    /// Rows of the whole batch that means are taken over, of which these are a part; 0 where these are all.
    pub of: u32,
    /// Number of the step for the random number generator: never the same twice in a training run.
    pub counter: u32,
    /// Key of the random number generator, low half.
    pub seed_low: u32,
    /// Key of the random number generator, high half.
    pub seed_high: u32,
    /// ε, the learning rate.
    pub learning_rate: f32,
    /// Momentum, or Adam's β₁.
    pub momentum: f32,
    /// Adam's β₂.
    pub beta2: f32,
    /// λ, the weight cost (L2 penalty); acts on weights, never on biases.
    pub weight_cost: f32,
    /// Adam's 1 / (1 − β₁ᵗ).
    pub correction1: f32,
    /// Adam's 1 / (1 − β₂ᵗ).
    pub correction2: f32,
    /// Adam's ε.
    pub epsilon: f32,
    /// First scalar of a vector operation.
    pub alpha: f32,
    /// Second scalar of a vector operation.
    pub beta: f32,
    /// Index of the step in its run, filled in by the back end.
    pub number: u32,
}

impl Default for Step {
    fn default() -> Self {
        Self {
            offset: 0,
            rows: 0,
            first: 0,
            of: 0,
            counter: 0,
            seed_low: 0,
            seed_high: 0,
            learning_rate: 0.0,
            momentum: 0.0,
            beta2: 0.0,
            weight_cost: 0.0,
            correction1: 1.0,
            correction2: 1.0,
            epsilon: 1e-8,
            alpha: 0.0,
            beta: 0.0,
            number: 0,
        }
    }
}

impl Step {
    /// The number of row `r` in the whole batch, which random numbers are keyed by.
    #[inline(always)]
    pub(crate) fn row(&self, r: usize) -> u32 {
        self.first.wrapping_add(r as u32)
    }

    /// Rows that means are taken over.
    #[inline(always)]
    pub(crate) fn all_rows(&self) -> f32 {
        (if self.of == 0 { self.rows } else { self.of }) as f32
    }

    /// Splits a seed over the two halves of the generator's key.
    pub fn seeded(seed: u64) -> Self {
        Self { seed_low: seed as u32, seed_high: (seed >> 32) as u32, ..Self::default() }
    }
}
