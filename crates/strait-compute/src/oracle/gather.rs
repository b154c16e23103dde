use super::*;

/// Minibatches out of a data set.
pub(super) fn run(
    at: &Replay<'_>,
    data: Tensor,
    index: Option<Tensor>,
    first: usize,
    shift: Option<Shift>,
    out: Tensor,
) {
    let active = at.active();
    let source = at.get(data);
    let scale = if data.kind == Kind::Bytes { 1.0 / 255.0 } else { 1.0 };
    let order = index.map(|index| at.get(index));
    let row_of = |r: usize| {
        let position = at.step.offset as usize + r;
        order.as_ref().map_or(position, |order| order.at(0, position) as usize)
    };
    let element = |r: usize, c: usize| {
        let from = shift.map_or(Some(c), |shift| shift.source(shift.of(at.step, r), out.cols, c));
        from.filter(|_| r < active).map_or(0.0, |from| source.at(row_of(r), first + from) * scale)
    };
    at.put(out, element);
}
