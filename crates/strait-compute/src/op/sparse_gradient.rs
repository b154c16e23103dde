use super::*;

/// What is taken out of the gradient of weights whose rows have length 1: the part along each row, which would change nothing but its
/// length.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Along {
    /// The derivatives with respect to the entries, of [`Op::SparseBackprop`](crate::Op::SparseBackprop), [B, k].
    pub derivatives: Tensor,
    /// W, [N, M], which an update may be about to change.
    pub weight: Tensor,
}

/// Gradients of weights that multiply, or give, rows of few numbers.
///
/// `updates` are those of the weights and of the bias of the columns.
pub(super) fn access(
    values: Tensor,
    order: ByColumn,
    dense: Tensor,
    transposed: bool,
    [weight, bias]: [Option<Update>; 2],
    along: Option<Along>,
) -> Access {
    let columns = order.starts.cols.saturating_sub(1);
    let [rows, cols] = if transposed { [dense.cols, columns] } else { [columns, dense.cols] };
    let fits = || {
        order.fits(values.len(), columns)?;
        if values.rows != dense.rows {
            return Err(format!("the entries are {} but the dense rows {}", values.shape(), dense.shape()));
        }
        let each = |what: &str, update: Option<Update>, rows: usize, cols: usize| -> Fits {
            let mut tensors = update.iter().flat_map(Update::tensors);
            tensors.try_for_each(|tensor| same(what, tensor, rows, cols))
        };
        each("the weight or its optimiser state", weight, rows, cols)?;
        each("the bias", bias, 1, columns)?;
        let Some(along) = along else { return Ok(()) };
        if transposed {
            return Err("the rows of a transposed gradient are not those of entries".to_owned());
        }
        same("the derivatives of the entries", along.derivatives, values.rows, values.cols)?;
        same("the weight of unit length", along.weight, rows, cols)
    };
    let (moments, writes) = updated([weight, bias].into_iter().flatten());
    let unit = along.map_or(Vec::new(), |it| [reads([it.derivatives]), in_place([it.weight])].concat());
    let reads = [reads([values, order.starts, order.entries, dense]), unit, moments].concat();
    let work = Work::Elements(2 * (values.len() * dense.cols) as u64);
    let (minibatch, fits) = (Rows::Of(values.rows), fits());
    Access { name: "sparse gradient", reads, writes, rows: minibatch, report: Report::Nothing, work, fits }
}
