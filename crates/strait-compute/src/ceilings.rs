//! What a device can do at best.

use std::fmt;
use std::time::{Duration, Instant};

use crate::{Activation, Device, Factors, Hardware, Op, Precision, Program, Result, Routine, Step, Tensor, go_on};

/// The side of the square product.
const SIDE: usize = 2048;

/// What a device can do at best, to compare the time of training with.
///
/// ```no_run
/// use strait_compute::{Ceilings, Device, Precision};
///
/// let ceilings = Ceilings::measure(&Device::cpu()?, Precision::F32)?;
/// println!("{ceilings}"); // products 86.1 GFLOP/s, copy 14.2 GB/s, empty operation 0.41 us
/// # Ok::<(), strait_compute::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Debug, serde::Serialize)]
pub struct Ceilings {
    /// A product of two matrices of 2048 x 2048 numbers (256 x 256 on a software adapter), in 10⁹ operations a second.
    pub product_gflops: f64,
    /// Reading and writing a vector that no cache holds, in 10⁹ bytes a second.
    pub copy_gigabytes_per_second: f64,
    /// An operation on one number that depends on the one before, in microseconds.
    pub empty_operation_microseconds: f64,
}

impl Ceilings {
    /// Measures a device in about two seconds, its products in this precision.
    ///
    /// # Errors
    /// If the device fails, or has not the memory for 512 MiB.
    pub fn measure(device: &Device, precision: Precision) -> Result<Self> {
        // A software GPU would take minutes for what a real one does in a millisecond.
        let slow = device.hardware() == Hardware::SoftwareGpu;
        let side = if slow { SIDE / 8 } else { SIDE };
        let product = time(device, precision, |program, routine| {
            let mut square = |name: &str, rows: usize| program.value(name, rows, side);
            let (input, weight, bias, out) = (square("x", side), square("w", side), square("b", 1), square("y", side));
            let activation = Activation::Linear;
            routine.push(Op::Linear { input, weight, transposed: false, bias, activation, out, sample: None })?;
            Ok(vec![input, weight])
        })?;
        let length = if slow { 1 << 20 } else { 1 << 26 };
        let copy = time(device, precision, |program, routine| {
            let mut vector = |name: &str| program.value(name, length / 1024, 1024);
            let (x, out) = (vector("x"), vector("y"));
            routine.push(Op::Combine { x, y: x, factors: Factors::Step, out })?;
            Ok(Vec::new())
        })?;
        const CHAIN: usize = 64;
        let empty = time(device, precision, |program, routine| {
            let mut number = |name: &str| program.value(name, 1, 1);
            let (x, y) = (number("x"), number("y"));
            let factors = Factors::Step;
            (0..CHAIN / 2).try_for_each(|_| {
                routine.push(Op::Combine { x, y: x, factors, out: y })?;
                routine.push(Op::Combine { x: y, y, factors, out: x })
            })?;
            Ok(Vec::new())
        })?;
        Ok(Self {
            product_gflops: 2.0 * (side as f64).powi(3) / product * 1e-9,
            copy_gigabytes_per_second: 8.0 * length as f64 / copy * 1e-9,
            empty_operation_microseconds: empty / CHAIN as f64 * 1e6,
        })
    }
}

impl fmt::Display for Ceilings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { product_gflops, copy_gigabytes_per_second, empty_operation_microseconds } = self;
        write!(f, "products {product_gflops:.1} GFLOP/s, copy {copy_gigabytes_per_second:.1} GB/s, ")?;
        write!(f, "empty operation {empty_operation_microseconds:.2} us")
    }
}

/// The fastest repetition of a routine within half a second, in seconds. `record` gives the operands that must not be zero.
fn time(
    device: &Device,
    precision: Precision,
    record: impl FnOnce(&mut Program, &mut Routine) -> Result<Vec<Tensor>>,
) -> Result<f64> {
    let mut program = Program::default();
    let mut routine = Routine::new("ceiling").in_precision(precision);
    let operands = record(&mut program, &mut routine)?;
    program.infer_roles(&routine);
    let routine = program.add(routine);
    let mut execution = device.load(program)?;
    for operand in operands {
        execution.write(operand, &vec![0.5; operand.len()])?;
    }
    let step = Step { rows: 1, alpha: 1.0, ..Step::default() };
    let (begin, mut best) = (Instant::now(), f64::INFINITY);
    let mut repetitions = 0;
    while repetitions < 3 || begin.elapsed() < Duration::from_millis(500) {
        let start = Instant::now();
        execution.run(routine, &[step], &mut go_on)?;
        best = best.min(start.elapsed().as_secs_f64());
        repetitions += 1;
    }
    Ok(best)
}
