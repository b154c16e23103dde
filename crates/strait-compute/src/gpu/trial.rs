//! A product on cooperative matrices, tried before any is relied on: they are new in drivers, and a wrong sum would show
//! only as a net that learns badly.

use crate::{Activation, Backend, Kind, Op, Oracle, Precision, Program, Result, Routine, Step, Update, go_on};

/// Rows, terms and columns: more than a matrix, and no multiple of one; operands that are read number by number, and such
/// that are read four at a time.
const SIZES: [[usize; 3]; 2] = [[19, 37, 21], [19, 36, 20]];

/// Whether the back end multiplies as the oracle does.
pub(super) fn succeeds(backend: &dyn Backend) -> bool {
    SIZES.into_iter().all(|size| match (product(backend, size), product(&Oracle::like(backend), size)) {
        (Ok(found), Ok(expected)) => {
            let pairs = || found.iter().zip(&expected);
            let error: f32 = pairs().map(|(x, y)| (x - y) * (x - y)).sum();
            // Also false for a NaN.
            error <= 1e-6 * expected.iter().map(|y| y * y).sum::<f32>()
        }
        _ => false,
    })
}

/// A product, one with the transposed weights, and a gradient: each operand by its rows and by its columns.
fn product(backend: &dyn Backend, [rows, terms, cols]: [usize; 3]) -> Result<Vec<f32>> {
    let mut program = Program::default();
    let mut tensor = |name: &str, rows: usize, cols: usize| program.tensor(name, rows, cols, Kind::Values);
    let (input, weight, bias) = (tensor("x", rows, terms), tensor("w", terms, cols), tensor("b", 1, cols));
    let (out, back, gradient) = (tensor("y", rows, cols), tensor("z", rows, terms), tensor("g", terms, cols));
    let zero = tensor("a", 1, terms);
    let mut routine = Routine::new("trial").in_precision(Precision::Mixed);
    let activation = Activation::Linear;
    routine.push(Op::Linear { input, weight, transposed: false, bias, activation, out, sample: None })?;
    routine.push(Op::Linear {
        input: out,
        weight,
        transposed: true,
        bias: zero,
        activation,
        out: back,
        sample: None,
    })?;
    routine.push(Op::Gradient {
        positive: (input, out),
        negative: None,
        weight: Update::Store { gradient },
        bias: None,
        input_bias: None,
        plus: None,
        positions: 1,
        scale: 1.0,
    })?;
    let routine = program.add(routine);
    let mut execution = backend.load(program, &[])?;
    let values = |count: usize, factor: usize| -> Vec<f32> {
        (0..count).map(|i| (i * factor % 97) as f32 / 97.0 - 0.5).collect()
    };
    execution.write(input, &values(rows * terms, 31))?;
    execution.write(weight, &values(terms * cols, 57))?;
    execution.run(routine, &[Step { rows: rows as u32, ..Step::default() }], &mut go_on)?;
    Ok([execution.read(out)?, execution.read(back)?, execution.read(gradient)?].concat())
}
