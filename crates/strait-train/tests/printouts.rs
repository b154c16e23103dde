//! What devices run for every trainer: the operations, their shapes and what is fused into them, held against printouts that are
//! kept in `tests/printouts`. A change shows there. `STRAIT_PRINT=1` writes them anew.

mod trainers;

use std::fmt::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use strait_compute::{
    Backend, Buffer, Control, Cpu, Device, Execution, Hardware, Metrics, Operands, Precision, Program, Result, Routine,
    RoutineId, Step, Tensor,
};

/// A CPU that notes what it is given to run.
struct Printing {
    cpu: Cpu,
    printed: Arc<Mutex<String>>,
}

impl Backend for Printing {
    fn hardware(&self) -> Hardware {
        self.cpu.hardware()
    }

    fn describe(&self) -> String {
        self.cpu.describe()
    }

    fn operands(&self, precision: Precision) -> Operands {
        self.cpu.operands(precision)
    }

    fn fastest(&self) -> Precision {
        Precision::F32
    }

    fn load(&self, program: Program, shared: &[(Tensor, Buffer)]) -> Result<Box<dyn Execution>> {
        let execution = self.cpu.load(program, shared)?;
        let mut names = Names::default();
        let mut printed = self.printed.lock().expect("no panic");
        *printed += "program\n";
        for routine in execution.program().routines() {
            *printed += &names.print(routine);
        }
        drop(printed);
        Ok(Box::new(Noted { execution, names, printed: self.printed.clone() }))
    }
}

/// Numbers the tensors of a program in the order in which operations name them.
#[derive(Default)]
struct Names(Vec<String>);

impl Names {
    fn print(&mut self, routine: &Routine) -> String {
        let mut text = format!("routine {}, {}\n", routine.name(), routine.precision().name());
        for op in routine.ops() {
            let debug = format!("{op:?}");
            let mut rest = debug.as_str();
            text += "  ";
            while let Some((before, after)) = rest.split_once("Tensor { id: ") {
                let (tensor, after) = after.split_once(" }").expect("tensors end");
                let fields: Vec<&str> =
                    tensor.split(", ").map(|field| field.split(' ').next_back().unwrap_or("")).collect();
                let [id, rows, cols, kind] = fields[..] else { panic!("tensors have four fields: {tensor}") };
                let number = self.0.iter().position(|known| known == id).unwrap_or_else(|| {
                    self.0.push(id.to_owned());
                    self.0.len() - 1
                });
                let kind = if kind == "Values" { String::new() } else { format!(" {kind}") };
                let _ = write!(text, "{before}t{number}[{rows}, {cols}]{kind}");
                rest = after;
            }
            text += rest;
            text += "\n";
        }
        text
    }
}

struct Noted {
    execution: Box<dyn Execution>,
    names: Names,
    printed: Arc<Mutex<String>>,
}

impl Execution for Noted {
    fn program(&self) -> &Program {
        self.execution.program()
    }

    fn add(&mut self, routine: Routine) -> Result<RoutineId> {
        let id = self.execution.add(routine)?;
        let text = self.names.print(self.execution.program().routine(id));
        *self.printed.lock().expect("no panic") += &text;
        Ok(id)
    }

    fn write(&mut self, tensor: Tensor, values: &[f32]) -> Result<()> {
        self.execution.write(tensor, values)
    }

    fn write_bytes(&mut self, tensor: Tensor, values: &[u8]) -> Result<()> {
        self.execution.write_bytes(tensor, values)
    }

    fn write_index(&mut self, tensor: Tensor, values: &[u32]) -> Result<()> {
        self.execution.write_index(tensor, values)
    }

    fn read(&mut self, tensor: Tensor) -> Result<Vec<f32>> {
        self.execution.read(tensor)
    }

    fn share(&self, tensor: Tensor) -> Result<Buffer> {
        self.execution.share(tensor)
    }

    fn run(&mut self, routine: RoutineId, steps: &[Step], control: &mut Control<'_>) -> Result<Metrics> {
        self.execution.run(routine, steps, control)
    }

    fn profile(&mut self, routine: RoutineId, step: &Step) -> Result<Option<Vec<Duration>>> {
        self.execution.profile(routine, step)
    }
}

#[test]
fn devices_run_what_the_printouts_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/printouts");
    let mut different = Vec::new();
    for (name, train) in trainers::all() {
        let printed = Arc::new(Mutex::new(String::new()));
        let cpu = Cpu::with_threads(1).expect("threads start");
        train(&Device::new(Printing { cpu, printed: printed.clone() }), None);
        let printed = printed.lock().expect("no panic").clone();
        let file = folder.join(format!("{name}.txt"));
        if std::env::var_os("STRAIT_PRINT").is_some() {
            std::fs::write(&file, &printed).expect("it can be written");
        }
        let kept = std::fs::read_to_string(&file).unwrap_or_default();
        let changed = printed.lines().zip(kept.lines()).find(|(new, old)| new != old);
        if let Some((new, old)) = changed {
            different.push(format!("{name}:\n  now  {new}\n  kept {old}"));
        } else if printed.lines().count() != kept.lines().count() {
            different.push(format!("{name}: {} lines, not {}", printed.lines().count(), kept.lines().count()));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}
