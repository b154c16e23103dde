//! Updates go into the tails of gradients where nothing stands in the way, with the same results, and only there.

use strait_compute::{
    Activation, Backend, Cpu, Execution, Kind, Op, Program, Role, Routine, RoutineId, Step, Tensor, Update, go_on,
};

struct Layer {
    program: Program,
    step: Routine,
    x: Tensor,
    delta: Tensor,
    weight: Tensor,
    gradient: Tensor,
    update: Op,
}

/// A gradient of 30 x 20 weights, and their update by Adam, which is not recorded yet.
fn layer() -> Layer {
    let mut program = Program::default();
    let [x, delta] = [("x", 30), ("delta", 20)].map(|(name, cols)| program.data(name, 10, cols, Kind::Values));
    let weight = program.parameter("weight", 30, 20);
    let gradient = program.value("weight.gradient", 30, 20);
    let [first, second] = ["first", "second"].map(|name| program.state(format!("weight.adam.{name}"), 30, 20));
    let mut step = Routine::new("step");
    step.push(Op::gradient((x, delta), Update::Store { gradient })).expect("the shapes fit");
    let update = Op::Update { gradient, update: Update::Adam { parameter: weight, first, second }, decays: true };
    Layer { program, step, x, delta, weight, gradient, update }
}

fn names(program: &Program, routine: RoutineId) -> Vec<&'static str> {
    program.routine(routine).ops().iter().map(Op::name).collect()
}

/// Three steps on the CPU, and the weights then.
fn train(execution: &mut dyn Execution, routine: RoutineId, layer: (Tensor, Tensor, Tensor)) -> Vec<f32> {
    let numbers = |tensor: Tensor| (0..tensor.len()).map(|i| ((i * 37 % 101) as f32 - 50.0) / 50.0).collect::<Vec<_>>();
    for tensor in [layer.0, layer.1, layer.2] {
        execution.write(tensor, &numbers(tensor)).expect("it fits");
    }
    let step = Step { rows: 9, learning_rate: 0.1, momentum: 0.9, beta2: 0.99, weight_cost: 0.01, ..Step::default() };
    execution.run(routine, &[step; 3], &mut go_on).expect("it runs");
    execution.read(layer.2).expect("it can be read")
}

fn cpu() -> Cpu {
    Cpu::with_threads(2).expect("threads start")
}

#[test]
fn an_update_goes_into_the_tail_of_its_gradient_and_changes_no_bit() {
    let mut weights = Vec::new();
    for apart in [false, true] {
        let Layer { mut program, mut step, x, delta, weight, gradient, update } = layer();
        if apart {
            step.push(Op::Dot { x: gradient, y: gradient }).expect("the shapes fit");
        }
        step.push(update).expect("the shapes fit");
        let routine = program.add(step);
        let fused = program.fused();
        assert_eq!(names(&fused, routine).len(), if apart { 3 } else { 1 });
        let mut execution = cpu().load(program, &[]).expect("it loads");
        let read = execution.read(gradient);
        match apart {
            true => assert!(read.is_ok(), "it is kept"),
            false => assert!(read.expect_err("it is not kept").to_string().contains("declare it as state")),
        }
        weights.push(train(&mut *execution, routine, (x, delta, weight)));
    }
    assert_eq!(weights[0], weights[1]);
}

#[test]
fn an_update_stays_where_its_gradient_or_its_parameter_is_used_in_between() {
    // What comes between the two, or after them.
    for (what, kept) in [("reads the weights", 3), ("reads the gradient later", 3), ("reads neither", 2)] {
        let Layer { mut program, mut step, x, weight, gradient, update, .. } = layer();
        let (bias, y) = (program.data("bias", 1, 20, Kind::Values), program.value("y", 10, 20));
        let linear = Op::Linear {
            input: x,
            weight,
            transposed: false,
            bias,
            activation: Activation::Tanh,
            out: y,
            sample: None,
        };
        let ops = match what {
            "reads the weights" => vec![linear, update],
            "reads the gradient later" => vec![update, Op::Dot { x: gradient, y: gradient }],
            _ => vec![Op::Dot { x, y: x }, update],
        };
        ops.into_iter().for_each(|op| step.push(op).expect("the shapes fit"));
        let routine = program.add(step);
        assert_eq!(names(&program.fused(), routine).len(), kept, "{what}");
    }
}

#[test]
fn a_gradient_that_another_routine_wants_or_that_is_state_is_kept() {
    let Layer { mut program, mut step, gradient, update, .. } = layer();
    step.push(update.clone()).expect("the shapes fit");
    let first = program.add(step.clone());
    let mut length = Routine::new("length");
    length.push(Op::Dot { x: gradient, y: gradient }).expect("the shapes fit");
    program.add(length);
    assert_eq!(names(&program.fused(), first), ["gradient", "update"]);
    // Two routines of the same operations do not want it from each other.
    let Layer { mut program, mut step, gradient, update, .. } = layer();
    step.push(update).expect("the shapes fit");
    let both = [program.add(step.clone()), program.add(step)];
    for routine in both {
        assert_eq!(names(&program.fused(), routine), ["gradient"]);
    }
    program.redeclare(gradient, Role::State);
    assert_eq!(names(&program.fused(), both[0]), ["gradient", "update"]);
}
