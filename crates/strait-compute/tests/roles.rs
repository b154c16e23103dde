//! Tensors are used as they are declared, or the program is refused with a sentence that says what to declare.

use strait_compute::{Backend, Cpu, Factors, Kind, Op, Program, Role, Routine, Tensor, Update};

/// What loading a program complains of.
fn refusal(program: Program) -> String {
    let cpu = Cpu::with_threads(1).expect("threads start");
    cpu.load(program, &[]).map(|_| ()).expect_err("it is refused").to_string()
}

fn add(x: Tensor, y: Tensor, out: Tensor) -> Op {
    Op::Combine { x, y, factors: Factors::Fixed(1.0, 1.0), out }
}

/// A program of one routine.
fn of(mut program: Program, ops: Vec<Op>) -> Program {
    let mut routine = Routine::new("step");
    ops.into_iter().for_each(|op| routine.push(op).expect("the shapes fit"));
    program.add(routine);
    program
}

#[test]
fn a_wrong_role_is_refused_with_the_right_one() {
    let declare = |role: Role| {
        let mut program = Program::default();
        let x = program.data("x", 3, 4, Kind::Values);
        let y = match role {
            Role::Data => program.data("y", 3, 4, Kind::Values),
            Role::Parameter => program.parameter("y", 3, 4),
            Role::State => program.state("y", 3, 4),
            Role::Value => program.value("y", 3, 4),
        };
        (program, x, y)
    };
    let (program, x, y) = declare(Role::Data);
    assert!(
        refusal(of(program, vec![add(x, x, y)]))
            .contains("tensor `y`: it is declared as data, but in the routine `step` combine")
    );
    let (program, x, y) = declare(Role::Parameter);
    let top = Op::TopK { input: x, k: 1, out: y };
    assert!(refusal(of(program, vec![top])).contains("declared as parameter"));
    let (program, x, y) = declare(Role::State);
    assert!(refusal(of(program, vec![add(x, x, y)])).contains("declare it as a value"));
    let (program, _, y) = declare(Role::State);
    assert!(refusal(of(program, vec![Op::Dot { x: y, y }])).contains("declare it as data"));
    let (program, x, y) = declare(Role::Value);
    assert!(refusal(of(program, vec![add(x, y, y)])).contains("declare it as data or state"));
    // What another routine leaves may be read.
    let (program, x, y) = declare(Role::Value);
    let mut program = of(program, vec![add(x, x, y)]);
    let mut second = Routine::new("second");
    second.push(add(x, y, y)).expect("the shapes fit");
    program.add(second);
    assert!(Cpu::with_threads(1).expect("threads start").load(program, &[]).is_ok());
}

#[test]
fn names_are_unique() {
    let mut program = Program::default();
    let values = ["y", "y", "y"].map(|name| program.value(name, 1, 1));
    assert_eq!(values.map(|value| program.name(value).to_owned()), ["y", "y.2", "y.3"]);
    assert_eq!(program.named("y.2"), Some(values[1]));
    program.parameter("y", 1, 1);
    assert!(refusal(program).contains("two tensors have this name"));
}

#[test]
fn several_tensors_are_read_and_written_at_once_or_not_at_all() {
    let mut program = Program::default();
    let [x, y] = [("x", 2), ("y", 3)].map(|(name, cols)| program.parameter(name, 1, cols));
    let mut execution = Cpu::with_threads(1).expect("threads start").load(program, &[]).expect("it loads");
    execution.write_many(&[(x, &[1.0, 2.0]), (y, &[3.0, 4.0, 5.0])]).expect("they fit");
    assert!(execution.write_many(&[(x, &[0.0, 0.0]), (y, &[0.0])]).is_err());
    assert_eq!(execution.read_many(&[y, x]).expect("they can be read"), [vec![3.0, 4.0, 5.0], vec![1.0, 2.0]]);
}

#[test]
fn a_printed_program_shows_roles() {
    let mut program = Program::default();
    let [x, delta] = [("x", 4), ("delta", 2)].map(|(name, cols)| program.data(name, 5, cols, Kind::Values));
    let (weight, gradient) = (program.parameter("weight", 4, 2), program.value("weight.gradient", 4, 2));
    let velocity = program.state("weight.momentum.velocity", 4, 2);
    let update = Update::Momentum { parameter: weight, velocity };
    let learn = Op::gradient((x, delta), Update::Store { gradient });
    let printed = of(program, vec![learn, Op::Update { gradient, update, decays: true }]).to_string();
    for line in [
        "data x [5, 4]",
        "parameter weight [4, 2]",
        "state weight.momentum.velocity [4, 2]",
        "value weight.gradient [4, 2]",
    ] {
        assert!(printed.contains(line), "{line} in\n{printed}");
    }
    assert!(
        printed.contains("= update(weight.gradient [4, 2], weight [4, 2], weight.momentum.velocity [4, 2])"),
        "{printed}"
    );
}
