//! The time of each operation can be asked for, and does not change what a run computes.

#[path = "../../../tests/common/adapter.rs"]
mod adapter;

use strait_compute::{Activation, Backend, Cpu, Gpu, Op, Program, Routine, Step, go_on};
use strait_device::Options;

fn times(backend: &dyn Backend) {
    let mut program = Program::default();
    let mut values = |name: &str, rows: usize, cols: usize| program.value(name, rows, cols);
    let (x, w, b, y) = (values("x", 64, 64), values("w", 64, 64), values("b", 1, 64), values("y", 64, 64));
    let mut routine = Routine::new("two");
    let activation = Activation::Logistic;
    let linear = Op::Linear { input: x, weight: w, transposed: false, bias: b, activation, out: y, sample: None };
    routine.push(linear).expect("the shapes fit");
    routine.push(Op::Dot { x: y, y }).expect("the shapes fit");
    program.infer_roles(&routine);
    let routine = program.add(routine);
    let mut execution = backend.load(program, &[]).expect("it loads");
    let step = Step { rows: 64, ..Step::default() };
    let times = execution.profile(routine, &step).expect("it runs");
    if let Some(times) = times {
        assert_eq!(times.len(), 2, "a time for each operation");
        assert!(!times[0].is_zero(), "{times:?}");
    }
    // All total inputs are 0, so that each of the 64 x 64 outputs is ½.
    let metrics = execution.run(routine, &[step], &mut go_on).expect("it runs");
    assert_eq!(metrics.dots, [[1024.0]]);
}

#[test]
fn operations_are_timed() {
    times(&Cpu::new().expect("threads start"));
    if let Some(gpu) = adapter::open(Options::default()) {
        times(&Gpu::from_device(gpu));
    }
}
