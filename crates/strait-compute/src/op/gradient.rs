use super::*;

/// What is added to the gradient of a weight matrix, whatever becomes of that.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Addend {
    /// λⱼ wᵢⱼ: a weight cost of its own for each column.
    Decay {
        /// W, [K, N], which an update may be about to change.
        weight: Tensor,
        /// λ, [1, N].
        costs: Tensor,
    },
    /// The gradient, [K, N], that another use of the same weights has given.
    Gradient(Tensor),
}

/// Gradients of weights and biases.
///
/// `updates` are those of the weights, the bias and the input bias.
pub(super) fn access(
    positive: (Tensor, Tensor),
    negative: Option<(Tensor, Tensor)>,
    updates: [Option<Update>; 3],
    plus: Option<Addend>,
    positions: usize,
    scale: f32,
) -> Access {
    let (x, d) = positive;
    let fits = || {
        if x.rows != d.rows {
            return Err(format!("X is {} but D is {}", x.shape(), d.shape()));
        }
        if let Some((v, h)) = negative {
            same("V of the negative phase", v, x.rows, x.cols)?;
            same("H of the negative phase", h, d.rows, d.cols)?;
        }
        let each = |what: &str, update: Option<Update>, rows: usize, cols: usize| -> Fits {
            let mut tensors = update.iter().flat_map(Update::tensors);
            tensors.try_for_each(|tensor| same(what, tensor, rows, cols))
        };
        let [weight, bias, input_bias] = updates;
        each("the weight or its optimiser state", weight, x.cols, d.cols)?;
        if positions == 0 || !x.rows.is_multiple_of(positions) {
            return Err(format!("{} rows cannot be {positions} for each row of a minibatch", x.rows));
        }
        if !scale.is_finite() {
            return Err(format!("a gradient cannot be multiplied with {scale}"));
        }
        match plus {
            None => {}
            Some(Addend::Decay { weight, costs }) => {
                same("the weight that decays", weight, x.cols, d.cols)?;
                same("the costs", costs, 1, d.cols)?;
            }
            Some(Addend::Gradient(gradient)) => same("the gradient that is added", gradient, x.cols, d.cols)?,
        }
        each("the bias", bias, 1, d.cols)?;
        each("the input bias", input_bias, 1, x.cols)
    };
    let phases = || [Some(positive), negative].into_iter().flatten();
    let added = match plus {
        None => Vec::new(),
        // The weight that decays may be the one that is updated, and a gradient may be added to in place.
        Some(Addend::Decay { weight, costs }) => [in_place([weight]), reads([costs])].concat(),
        Some(Addend::Gradient(it)) if updates[0] == Some(Update::Store { gradient: it }) => in_place([it]),
        Some(Addend::Gradient(it)) => reads([it]),
    };
    let (moments, writes) = updated(updates.into_iter().flatten());
    let product =
        |(i, (left, right))| Matmul::Statistics { left, right, negated: i == 0 && negative.is_some(), positions };
    let reads = [reads(phases().flat_map(|(x, d)| [x, d])), added, moments].concat();
    let rows = Rows::Of(x.rows / positions.max(1));
    let work = Work::Matmuls(phases().enumerate().map(product).collect());
    Access { name: "gradient", reads, writes, rows, report: Report::Nothing, work, fits: fits() }
}
