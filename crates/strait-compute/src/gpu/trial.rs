//! Products that are tried before any is relied on, where they are on cooperative matrices, which are new in drivers, or not on
//! Vulkan: a wrong sum would show only as a net that learns badly.

use crate::{
    Activation, Backend, Kind, Op, Oracle, Precision, Program, Result, Routine, RoutineId, Step, Tensor, Update, go_on,
};

/// Rows, terms and columns: more than a matrix, and no multiple of one; operands that are read number by number, and such
/// that are read four at a time.
const SIZES: [[usize; 3]; 2] = [[19, 37, 21], [19, 36, 20]];

/// Whether the back end multiplies as the oracle does in that precision.
pub(super) fn succeeds(backend: &dyn Backend, precision: Precision) -> Result<bool> {
    let (found, expected) = (products(backend, precision)?, products(&Oracle::like(backend), precision)?);
    Ok(found.iter().zip(&expected).all(|(found, expected)| {
        let error: f32 = found.iter().zip(expected).map(|(x, y)| (x - y) * (x - y)).sum();
        // Also false for a NaN.
        error <= 1e-6 * expected.iter().map(|y| y * y).sum::<f32>()
    }))
}

/// What the trial of a size reads and writes.
struct Trial {
    routine: RoutineId,
    inputs: [Tensor; 2],
    outputs: [Tensor; 3],
}

/// Of each size the results of a product, of one with the transposed weights, and of a gradient: each operand by its rows and by
/// its columns.
fn products(backend: &dyn Backend, precision: Precision) -> Result<Vec<Vec<f32>>> {
    let mut program = Program::default();
    let trials = SIZES.map(|size| record(&mut program, size, precision)).into_iter().collect::<Result<Vec<Trial>>>()?;
    let mut execution = backend.load(program, &[])?;
    let mut results = Vec::new();
    for (trial, [rows, ..]) in trials.into_iter().zip(SIZES) {
        for (tensor, factor) in trial.inputs.into_iter().zip([31, 57]) {
            let values = (0..tensor.len()).map(|i| (i * factor % 97) as f32 / 97.0 - 0.5);
            execution.write(tensor, &values.collect::<Vec<f32>>())?;
        }
        execution.run(trial.routine, &[Step { rows: rows as u32, ..Step::default() }], &mut go_on)?;
        let read = trial.outputs.map(|tensor| execution.read(tensor)).into_iter().collect::<Result<Vec<_>>>()?;
        results.push(read.concat());
    }
    Ok(results)
}

fn record(program: &mut Program, [rows, terms, cols]: [usize; 3], precision: Precision) -> Result<Trial> {
    let mut data = |name: &str, rows: usize, cols: usize| program.data(name, rows, cols, Kind::Values);
    let (input, weight, bias) = (data("x", rows, terms), data("w", terms, cols), data("b", 1, cols));
    let zero = data("a", 1, terms);
    let mut value = |name: &str, rows: usize, cols: usize| program.value(name, rows, cols);
    let (out, back, gradient) = (value("y", rows, cols), value("z", rows, terms), value("g", terms, cols));
    let mut routine = Routine::new("trial").in_precision(precision);
    let linear = |input, transposed, bias, out| Op::Linear {
        input,
        weight,
        transposed,
        bias,
        activation: Activation::Linear,
        out,
        sample: None,
    };
    routine.push(linear(input, false, bias, out))?;
    routine.push(linear(out, true, zero, back))?;
    routine.push(Op::gradient((input, out), Update::Store { gradient }))?;
    Ok(Trial { routine: program.add(routine), inputs: [input, weight], outputs: [out, back, gradient] })
}
