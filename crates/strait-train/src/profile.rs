//! Where the time of a training step goes.

use std::fmt;
use std::time::{Duration, Instant};

use strait_compute::{Execution, RoutineId, Step};

use crate::Result;

/// The time of one operation of a step.
#[derive(Clone, PartialEq, Debug)]
pub struct OpTime {
    /// The operation with what it writes, such as `linear y1 [100, 1000]`.
    pub name: String,
    /// The median of its device time over some steps, in seconds; 0 if it runs together with the next operation.
    pub seconds: f64,
    /// Multiplications and additions of its products, and of those of an operation that runs together with it.
    pub flops: u64,
    /// Bytes of the tensors that it reads and writes, and that such an operation does.
    pub bytes: u64,
}

/// The operations of a training step with their times, in the order in which they run.
///
/// Its printout lists them by time.
#[derive(Clone, PartialEq, Debug)]
pub struct Profile {
    /// What the step does.
    pub routine: String,
    /// Its operations.
    pub ops: Vec<OpTime>,
}

/// Steps over which the median is taken.
const STEPS: usize = 15;

/// How long steps are repeated before they count: the clocks of an idle GPU take that long to rise.
const WARM_UP: Duration = Duration::from_millis(300);

impl Profile {
    /// Measures a routine; nothing if the device cannot.
    pub(crate) fn measure(execution: &mut dyn Execution, id: RoutineId, step: &Step) -> Result<Option<Self>> {
        let begin = Instant::now();
        let mut samples = Vec::new();
        while samples.len() < STEPS {
            let warm = begin.elapsed() >= WARM_UP;
            let Some(times) = execution.profile(id, step)? else {
                return Ok(None);
            };
            if warm {
                samples.push(times);
            }
        }
        let program = execution.program();
        let routine = program.routine(id);
        let time_of = |(i, op): (usize, &strait_compute::Op)| {
            let mut times: Vec<f64> = samples.iter().map(|times| times[i].as_secs_f64()).collect();
            times.sort_by(f64::total_cmp);
            let target = op.tensors().1.first().map(|t| format!("{} [{}, {}]", program.name(*t), t.rows, t.cols));
            let name = format!("{} {}", op.name(), target.unwrap_or_default());
            OpTime { name: name.trim_end().to_owned(), seconds: times[STEPS / 2], flops: op.flops(), bytes: op.bytes() }
        };
        let mut ops: Vec<OpTime> = routine.ops().iter().enumerate().map(time_of).collect();
        // What runs together with the next operation counts there.
        for i in 1..ops.len() {
            if ops[i - 1].seconds == 0.0 {
                ops[i].flops += ops[i - 1].flops;
                ops[i].bytes += ops[i - 1].bytes;
            }
        }
        Ok(Some(Self { routine: routine.name().to_owned(), ops }))
    }

    /// The time of all operations.
    pub fn seconds(&self) -> f64 {
        self.ops.iter().map(|op| op.seconds).sum()
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.seconds();
        writeln!(f, "{}: {:.3} ms in {} operations", self.routine, 1e3 * total, self.ops.len())?;
        let mut ops: Vec<&OpTime> = self.ops.iter().collect();
        ops.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
        for op in ops {
            if op.seconds == 0.0 {
                writeln!(f, "  {:<44} together with the next operation", op.name)?;
                continue;
            }
            let rate = |amount: u64| amount as f64 / op.seconds * 1e-9;
            writeln!(
                f,
                "  {:<44}{:>9.3} ms {:>5.1} %{:>9.1} GFLOP/s{:>8.1} GB/s",
                op.name,
                1e3 * op.seconds,
                100.0 * op.seconds / total.max(1e-12),
                rate(op.flops),
                rate(op.bytes)
            )?;
        }
        Ok(())
    }
}
