use super::*;

/// The factors of [`Op::Combine`](crate::Op::Combine).
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Factors {
    /// The α and β of the [`Step`](crate::Step).
    Step,
    /// These, in every step.
    Fixed(f32, f32),
}

/// Sums of vectors.
pub(super) fn access(x: Tensor, y: Tensor, factors: Factors, out: Tensor) -> Access {
    let fits = || {
        if let Factors::Fixed(alpha, beta) = factors
            && !(alpha.is_finite() && beta.is_finite())
        {
            return Err(format!("the factors {alpha} and {beta} must be finite"));
        }
        same("y", y, x.rows, x.cols)?;
        same("the result", out, x.rows, x.cols)
    };
    let (reads, writes, fits) = (in_place([x, y]), vec![Write::Renewed(out)], fits());
    let work = Work::Elements(3 * x.len() as u64);
    Access { name: "combine", reads, writes, rows: Rows::Any, report: Report::Nothing, work, fits }
}
