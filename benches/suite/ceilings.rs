//! What this machine can do at best, measured in the same run as what is compared with it.

use std::fmt;
use std::time::{Duration, Instant};

use serde::Serialize;
use strait::Device;
use strait::compute::{Activation, Factors, Hardware, Op, Program, Routine, Step, Tensor, go_on};

/// The side of the square product.
const SIDE: usize = 2048;

/// The ceilings of a device.
#[derive(Serialize)]
pub(crate) struct Ceilings {
    /// A product of 2048³ by strait.
    pub(crate) own_product_gflops: f64,
    /// The same by the crate `gemm` on all cores, where the device is the CPU.
    pub(crate) gemm_product_gflops: Option<f64>,
    /// Reading and writing a vector that no cache holds.
    pub(crate) copy_gigabytes_per_second: f64,
    /// An operation on one number that depends on the one before.
    pub(crate) empty_operation_microseconds: f64,
}

impl Ceilings {
    /// Measures a device.
    pub(crate) fn measure(device: &Device) -> anyhow::Result<Self> {
        // A software GPU would take minutes for what a real one does in a millisecond.
        let slow = device.hardware() == Hardware::SoftwareGpu;
        let side = if slow { SIDE / 8 } else { SIDE };
        let flops = 2.0 * (side as f64).powi(3);
        let product = time(device, |program, routine| {
            let mut square = |name: &str, rows: usize| program.value(name, rows, side);
            let (input, weight, bias, out) = (square("x", side), square("w", side), square("b", 1), square("y", side));
            let activation = Activation::Linear;
            routine.push(Op::Linear { input, weight, transposed: false, bias, activation, out, sample: None })?;
            Ok(vec![input, weight])
        })?;
        let length = if slow { 1 << 20 } else { 1 << 26 };
        let copy = time(device, |program, routine| {
            let mut vector = |name: &str| program.value(name, length / 1024, 1024);
            let (x, out) = (vector("x"), vector("y"));
            routine.push(Op::Combine { x, y: x, factors: Factors::Step, out })?;
            Ok(Vec::new())
        })?;
        const CHAIN: usize = 64;
        let empty = time(device, |program, routine| {
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
            own_product_gflops: flops / product * 1e-9,
            gemm_product_gflops: (device.hardware() == Hardware::Cpu).then(gemm_gflops),
            copy_gigabytes_per_second: 8.0 * length as f64 / copy * 1e-9,
            empty_operation_microseconds: empty / CHAIN as f64 * 1e6,
        })
    }

    /// The best product.
    pub(crate) fn product_gflops(&self) -> f64 {
        self.own_product_gflops.max(self.gemm_product_gflops.unwrap_or(0.0))
    }
}

/// The fastest repetition of a routine within half a second, in seconds. `record` gives the operands that must not be zero.
fn time(
    device: &Device,
    record: impl FnOnce(&mut Program, &mut Routine) -> strait::compute::Result<Vec<Tensor>>,
) -> anyhow::Result<f64> {
    let mut program = Program::default();
    let mut routine = Routine::new("ceiling");
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

/// The crate `gemm` at its best on all cores.
fn gemm_gflops() -> f64 {
    let (a, b) = (vec![0.5f32; SIDE * SIDE], vec![0.25f32; SIDE * SIDE]);
    let mut c = vec![0f32; SIDE * SIDE];
    let stride = SIDE as isize;
    let mut best = f64::INFINITY;
    for _ in 0..4 {
        let start = Instant::now();
        // SAFETY: the three matrices are SIDE x SIDE, row-major.
        unsafe {
            gemm::gemm(
                SIDE,
                SIDE,
                SIDE,
                c.as_mut_ptr(),
                1,
                stride,
                false,
                a.as_ptr(),
                1,
                stride,
                b.as_ptr(),
                1,
                stride,
                0.0,
                1.0,
                false,
                false,
                false,
                gemm::Parallelism::Rayon(0),
            );
        }
        best = best.min(start.elapsed().as_secs_f64());
    }
    2.0 * (SIDE as f64).powi(3) / best * 1e-9
}

impl fmt::Display for Ceilings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ceilings: products {:.1} GFLOP/s", self.own_product_gflops)?;
        if let Some(gemm) = self.gemm_product_gflops {
            write!(f, " (the crate gemm: {gemm:.1})")?;
        }
        write!(f, ", copy {:.1} GB/s, ", self.copy_gigabytes_per_second)?;
        write!(f, "empty operation {:.2} us", self.empty_operation_microseconds)
    }
}
