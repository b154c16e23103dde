//! What this machine can do at best, measured in the same run as what is compared with it.

use std::fmt;
use std::time::Instant;

use serde::Serialize;
use strait::compute::{Ceilings as Measured, Hardware};
use strait::{Device, Precision};

/// The side of the square product.
const SIDE: usize = 2048;

/// The ceilings of a device.
#[derive(Serialize)]
pub(crate) struct Ceilings {
    #[serde(flatten)]
    own: Measured,
    /// The product by the crate `gemm` on all cores, where the device is the CPU.
    gemm_product_gflops: Option<f64>,
}

impl Ceilings {
    /// Measures a device.
    pub(crate) fn measure(device: &Device) -> anyhow::Result<Self> {
        let own = Measured::measure(device, Precision::F32)?;
        Ok(Self { own, gemm_product_gflops: (device.hardware() == Hardware::Cpu).then(gemm_gflops) })
    }

    /// The best product.
    pub(crate) fn product_gflops(&self) -> f64 {
        self.own.product_gflops.max(self.gemm_product_gflops.unwrap_or(0.0))
    }

    /// The speed of a copy.
    pub(crate) fn copy_gigabytes_per_second(&self) -> f64 {
        self.own.copy_gigabytes_per_second
    }
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
        write!(f, "ceilings: {}", self.own)?;
        self.gemm_product_gflops.map_or(Ok(()), |gemm| write!(f, "; products by the crate gemm {gemm:.1} GFLOP/s"))
    }
}
