//! Programs that cannot mean anything are refused, with one sentence, before they run.

use strait_compute::{
    Activation, Addend, Backend, Cpu, Error, Groups, Kind, Op, Oracle, Precision, Program, Routine, Step, Tensor,
    Update, Window, go_on,
};

fn values(program: &mut Program, name: &str, rows: usize, cols: usize) -> Tensor {
    program.value(name, rows, cols)
}

fn linear(input: Tensor, weight: Tensor, transposed: bool, bias: Tensor, out: Tensor) -> Op {
    Op::Linear { input, weight, transposed, bias, activation: Activation::Linear, out, sample: None }
}

#[test]
fn operands_that_do_not_fit_are_named() {
    let mut program = Program::default();
    let [x, w, b, y] = [("x", 100, 784), ("w", 1000, 500), ("b", 1, 500), ("y", 100, 500)]
        .map(|(name, rows, cols)| values(&mut program, name, rows, cols));
    let error = Routine::new("r").push(linear(x, w, false, b, y)).expect_err("the shapes differ").to_string();
    assert_eq!(error, "linear: X is [100, 784] but W is [1000, 500]");
}

#[test]
fn an_operation_must_not_write_what_it_reads_or_writes() {
    let mut program = Program::default();
    let square = |program: &mut Program, name: &str| values(program, name, 4, 4);
    let [x, d, w, v] = ["x", "d", "w", "v"].map(|name| square(&mut program, name));
    let gradient = |weight: Update| Op::Gradient {
        positive: (x, d),
        negative: None,
        weight,
        bias: None,
        input_bias: None,
        plus: None,
        positions: 1,
        scale: 1.0,
    };
    let bias = values(&mut program, "b", 1, 4);
    let mut routine = Routine::new("r");
    for op in [
        gradient(Update::Store { gradient: x }),
        gradient(Update::Momentum { parameter: w, velocity: w }),
        gradient(Update::Adam { parameter: w, first: v, second: v }),
        gradient(Update::Momentum { parameter: d, velocity: v }),
        linear(x, w, false, bias, x),
        Op::Softmax { input: x, groups: Groups::one(4), scale: 1.0, given: None, out: x, states: None },
        Op::CopyColumns { input: x, first: 0, out: x, to: 2, columns: 2 },
        Op::Standardize { input: x, shift: None, scale: None, out: x },
        Op::Slope { delta: d, output: x, activation: Activation::Tanh, out: x },
    ] {
        let error = routine.push(op.clone()).expect_err("it aliases").to_string();
        assert!(error.contains("it writes a tensor"), "{op:?}: {error}");
    }
    for op in [
        gradient(Update::Momentum { parameter: w, velocity: v }),
        Op::Product { x, y: d, out: d },
        Op::Slope { delta: d, output: x, activation: Activation::Tanh, out: d },
    ] {
        routine.push(op).expect("this one is sound");
    }
}

/// What loading a program on a back end complains of.
fn refusal(backend: &dyn Backend, program: &Program) -> String {
    backend.load(program.clone(), &[]).map(|_| ()).expect_err("it is refused").to_string()
}

#[test]
fn tensors_of_other_programs_are_refused() {
    for backend in [&Oracle::default() as &dyn Backend, &Cpu::with_threads(2).expect("threads start")] {
        let mut other = Program::default();
        let foreign = values(&mut other, "foreign", 3, 3);
        let mut program = Program::default();
        let own = values(&mut program, "own", 2, 2);
        let mut routine = Routine::new("r");
        routine.push(Op::Dot { x: foreign, y: foreign }).expect("the shapes fit");
        program.add(routine.clone());
        assert!(refusal(backend, &program).contains("not declared"));
        let mut execution = backend.load(Program::clone(&other), &[]).expect("it is good");
        assert!(
            execution.write(own, &[0.0; 4]).is_err() && execution.read(own).is_err() && execution.share(own).is_err()
        );
        // A shared buffer has to have the shape of the tensor that takes it.
        let buffer = execution.share(foreign).expect("it is its own");
        let mut program = Program::default();
        let own = values(&mut program, "own", 9, 1);
        let error = backend.load(program, &[(own, buffer)]).map(|_| ()).expect_err("the shapes differ").to_string();
        assert!(error.contains("[3, 3]") && error.contains("[9, 1]"), "{error}");
    }
}

#[test]
fn a_transposed_weight_is_written_by_updates_only() {
    let mut program = Program::default();
    let [x, w, y] = ["x", "w", "y"].map(|name| values(&mut program, name, 4, 4));
    let b = values(&mut program, "b", 1, 4);
    let mut routine = Routine::new("r");
    routine.push(linear(x, w, false, b, y)).expect("the shapes fit");
    let z = values(&mut program, "z", 4, 4);
    routine.push(linear(x, y, true, b, z)).expect("the shapes fit");
    program.infer_roles(&routine);
    program.add(routine);
    assert!(refusal(&Cpu::with_threads(1).expect("threads start"), &program).contains("tensor `y`"));
}

#[test]
fn steps_and_indices_have_to_fit() {
    let mut program = Program::default();
    let data = program.data("data", 6, 4, Kind::Bytes);
    let index = program.data("index", 1, 6, Kind::Index);
    let x = values(&mut program, "x", 3, 4);
    let moments = values(&mut program, "moments", 4, 4);
    let mut gather = Routine::new("gather");
    gather.push(Op::Gather { data, index: Some(index), first: 0, shift: None, out: x }).expect("the shapes fit");
    let mut learn = Routine::new("learn");
    let weight = Update::Store { gradient: moments };
    let op = Op::Gradient {
        positive: (x, x),
        negative: None,
        weight,
        bias: None,
        input_bias: None,
        plus: None,
        positions: 1,
        scale: 1.0,
    };
    learn.push(op).expect("the shapes fit");
    let (gather, learn) = (program.add(gather), program.add(learn));
    let mut execution = Cpu::with_threads(2).expect("threads start").load(program, &[]).expect("it is good");
    assert!(
        execution.write_index(index, &[0, 1, 2, 3, 4, 6]).expect_err("there is no row 6").to_string().contains("row 6")
    );
    let step = |offset: u32, rows: u32| Step { offset, rows, ..Step::default() };
    for (routine, step) in
        [(gather, step(4, 3)), (gather, step(0, 4)), (gather, step(0, 0)), (learn, step(0, 0)), (learn, step(0, 4))]
    {
        let error = execution.run(routine, &[step], &mut go_on).expect_err("it does not fit");
        assert!(matches!(error, Error::Step { step: 0, .. }), "{error}");
    }
    execution.run(gather, &[step(3, 3)], &mut go_on).expect("this one fits");
}

#[test]
fn windows_columns_and_shared_rows_have_to_fit() {
    let mut program = Program::default();
    let [map, seen, x, d, w] = [("map", 2, 12), ("seen", 13, 8), ("x", 6, 3), ("d", 6, 4), ("w", 3, 4)]
        .map(|(name, rows, cols)| values(&mut program, name, rows, cols));
    let data = program.data("data", 6, 4, Kind::Rows);
    let good = Window { height: 2, width: 3, channels: 2, kernel: 2, stride: 1, padding: 1, over_time: false };
    let unfold = |window: Window| Op::Unfold { input: map, window, out: seen };
    let scaled = |scale: f32, positions: usize, plus: Option<Addend>| Op::Gradient {
        positive: (x, d),
        negative: None,
        weight: Update::Store { gradient: w },
        bias: None,
        input_bias: None,
        plus,
        positions,
        scale,
    };
    let gradient = |positions: usize, plus: Option<Addend>| scaled(1.0, positions, plus);
    let mut routine = Routine::new("r");
    for (op, expected) in [
        (unfold(good), "the windows is [13, 8]"),
        (unfold(Window { stride: 0, ..good }), "is no window"),
        (unfold(Window { kernel: usize::MAX, ..good }), "is no window"),
        (unfold(Window { padding: usize::MAX, ..good }), "is no window"),
        (unfold(Window { height: 9, ..good }), "the windows is"),
        (gradient(0, None), "6 rows cannot be 0"),
        (gradient(4, None), "6 rows cannot be 4"),
        (Op::Update { gradient: x, update: Update::Store { gradient: w }, decays: true }, "use momentum or Adam"),
        (Op::Update { gradient: x, update: Update::Momentum { parameter: w, velocity: w }, decays: true }, "twice"),
        (scaled(f32::NAN, 1, None), "cannot be multiplied with NaN"),
        (Op::Gather { data, index: None, first: 2, shift: None, out: x }, "no 3 columns from 2 on"),
        (Op::Gather { data, index: None, first: usize::MAX, shift: None, out: x }, "columns from"),
        (Op::MaxNorm { weight: w, norm: f32::NAN, rows: true, exact: false }, "a norm of NaN"),
    ] {
        let error = routine.push(op.clone()).expect_err("it does not fit").to_string();
        assert!(error.contains(expected), "{op:?}: {error}");
    }
}

#[test]
fn statistics_in_16_bits_have_one_number_of_positions() {
    let mut program = Program::default();
    let [x, d, w, other] = [("x", 6, 3), ("d", 6, 4), ("w", 3, 4), ("other", 3, 4)]
        .map(|(name, rows, cols)| values(&mut program, name, rows, cols));
    let mut routine = Routine::new("r").in_precision(Precision::Mixed);
    for (gradient, positions) in [(w, 1), (other, 2)] {
        let weight = Update::Store { gradient };
        let (negative, bias, input_bias, plus) = (None, None, None, None);
        let op = Op::Gradient { positive: (x, d), negative, weight, bias, input_bias, plus, positions, scale: 1.0 };
        routine.push(op).expect("the shapes fit");
    }
    program.infer_roles(&routine);
    program.add(routine);
    assert!(refusal(&Cpu::with_threads(1).expect("threads start"), &program).contains("number of positions"));
}

#[cfg(not(feature = "gpu"))]
#[test]
fn without_the_feature_there_is_the_cpu_alone() {
    use strait_compute::{Device, Hardware};

    for name in ["gpu", "0", "llvmpipe"] {
        let error = Device::named(name).expect_err("there is no back end for it").to_string();
        assert!(error.contains(&format!("`{name}`")) && error.contains("feature `gpu`"), "{error}");
    }
    assert!(Device::gpu().is_err());
    assert_eq!(Device::best().expect("threads start").hardware(), Hardware::Cpu);
}
