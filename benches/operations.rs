//! Every operation at the paper's shapes and square products, from the table that the conformance test compares.
//!
//!     cargo bench --bench operations -- [FILTER] [--device NAME] [--precision f32|mixed|split|auto] [--json FILE]

mod suite;
#[path = "../crates/strait-compute/tests/conformance/table.rs"]
mod table;

use std::time::Instant;

use strait::compute::{Activation, Hardware, Step, go_on};
use suite::{Notes, Suite, Work};
use table::{Case, PAPER};

fn main() -> anyhow::Result<()> {
    let mut suite = Suite::open()?;
    for batch in [100, 1000] {
        for (inputs, units) in PAPER {
            table::layer(batch, inputs, units).iter().try_for_each(|case| measure(&mut suite, case))?;
        }
        table::by_row(batch, PAPER[0].0).iter().try_for_each(|case| measure(&mut suite, case))?;
    }
    let largest = if suite.device.hardware() != Hardware::Gpu { 2048 } else { 8192 };
    for side in [512, 1024, 2048, 4096, 8192].into_iter().filter(|&side| side <= largest) {
        measure(&mut suite, &table::linear(side, side, side, false, Activation::Linear, None))?;
        measure(&mut suite, &table::gradient(side, side, side, 0, false, side))?;
    }
    suite.finish()
}

fn measure(suite: &mut Suite, case: &Case) -> anyhow::Result<()> {
    let case = &case.clone().in_precision(suite.precision);
    if !suite.wants(&case.name) {
        return Ok(());
    }
    let routine = case.program.routine(case.routine);
    let work = Work {
        name: case.name.clone(),
        flops: routine.flops() as f64,
        bytes: routine.bytes() as f64,
        ..Work::default()
    };
    let mut execution = suite.device.load(case.program.clone())?;
    table::fill(&mut *execution, case);
    // A learning rate of zero: the numbers stay what they are, however often.
    let step = Step { learning_rate: 0.0, momentum: 0.0, ..case.steps[0] };
    let mut failure = None;
    suite.measure(&work, |count| {
        let start = Instant::now();
        let mut left = count as usize;
        while left > 0 {
            let steps = left.min(4096);
            failure = execution.run(case.routine, &vec![step; steps], &mut go_on).err().or(failure.take());
            left -= steps;
        }
        (start.elapsed(), Notes::default())
    });
    failure.map_or(Ok(()), |error| Err(error.into()))
}
