use super::*;

/// Random states drawn beside means by [`Op::Softmax`](crate::Op::Softmax).
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Draw {
    /// Where they go, [B, N].
    pub out: Tensor,
    /// The stream of random numbers: different for each operation that draws.
    pub stream: u32,
}

/// Groups of units that exclude each other.
pub(super) fn access(
    input: Tensor,
    groups: Groups,
    scale: f32,
    given: Option<Tensor>,
    out: Tensor,
    states: Option<Draw>,
) -> Access {
    let states = states.map(|states| states.out);
    let fits = || {
        match groups.count(input.cols) {
            None => return Err(format!("{} units are no {groups:?}", input.cols)),
            // A draw's counter holds the row and the group.
            Some(count) if count.max(input.rows) > 1 << 16 => {
                return Err(format!("{count} groups in {} rows are more than 65,536 of either", input.rows));
            }
            Some(_) => {}
        }
        if !scale.is_finite() {
            return Err(format!("{scale} is no inverse temperature"));
        }
        let mut others = [given, Some(out), states].into_iter().flatten();
        others.try_for_each(|tensor| same("each operand", tensor, input.rows, input.cols))
    };
    let (reads, fits) = (reads([Some(input), given]), fits());
    let writes = [Write::Computed(out)].into_iter().chain(states.map(Write::Bits)).collect();
    Access { name: "softmax", reads, writes, rows: Rows::Any, report: Report::Nothing, work: Work::Little, fits }
}
