//! A step on the CPU makes no heap allocation: twice the steps allocate as often as one run of them.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use strait_compute::{
    Activation, Backend, ByColumn, Cpu, Draw, FoldTail, Groups, Kind, LossKind, Noise, Op, PenaltyKind, Precision,
    Program, Replica, Routine, Sample, Sampling, Shrinkage, SparseRows, Step, Update, Window, go_on,
};

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn steps_do_not_allocate() {
    for precision in [Precision::F32, Precision::Mixed, Precision::Split] {
        steps_in_precision_do_not_allocate(precision);
    }
}

fn steps_in_precision_do_not_allocate(precision: Precision) {
    let mut program = Program::default();
    let data = program.data("data", 20, 30, Kind::Bytes);
    let mut values = |name: &str, rows: usize, cols: usize| program.value(name, rows, cols);
    let (x, w, b) = (values("x", 10, 30), values("w", 30, 20), values("b", 1, 20));
    let (y, s, d, dx) = (values("y", 10, 20), values("s", 10, 20), values("d", 10, 20), values("dx", 10, 30));
    let (first, second) = (values("m", 30, 20), values("v", 30, 20));
    let (noisy, largest, means) = (values("noisy", 10, 30), values("largest", 10, 20), values("means", 1, 20));
    let [noise, code] = ["noise", "code"].map(|name| values(name, 10, 10));
    let moments = values("moments", 10, 20);
    let window = Window { height: 3, width: 5, channels: 2, kernel: 2, stride: 1, padding: 0, over_time: false };
    let (seen, spare, channels) = (values("seen", 80, 8), values("spare", 10, 20), values("channels", 1, 2));
    let chains = ["one", "two"].map(|name| Replica {
        visible: values(&format!("v {name}"), 10, 3),
        inputs: values(&format!("t {name}"), 10, 2),
        hidden: values(&format!("h {name}"), 10, 2),
    });
    let (bias, across) = (values("a", 1, 3), values("across", 1, 30));
    let (dense, down, derivatives) = (values("dense", 10, 20), values("down", 20, 30), values("derivatives", 10, 3));
    let listed = SparseRows { values: values("listed", 10, 3), columns: values("columns", 10, 3) };
    let order = ByColumn { starts: values("starts", 1, 21), entries: values("entries", 1, 30) };
    let shrinkage = Shrinkage { rate: 0.1, sparsity: 0.1, pull: 1.0 };
    let mut routine = Routine::new("all").in_precision(precision);
    let sample = Some(Sample { sampling: Sampling::Bernoulli, out: s, stream: 0 });
    for op in [
        Op::Gather { data, index: None, first: 0, shift: None, out: x },
        Op::Corrupt { input: x, noise: Noise::Gaussian(0.1), stream: 1, out: noisy },
        Op::Linear {
            input: noisy,
            weight: w,
            transposed: false,
            bias: b,
            activation: Activation::Logistic,
            out: y,
            sample,
        },
        Op::Loss { kind: LossKind::CrossEntropy, input: y, target: s, output: None, delta: Some(d) },
        Op::TopK { input: y, k: 3, out: largest },
        Op::ColumnMeans { input: y, times: Some(s), out: means },
        Op::Penalty {
            kind: PenaltyKind::Sparsity { weight: 0.1, target: 0.1, means },
            output: y,
            activation: Activation::Logistic,
            delta: d,
        },
        Op::Reparameterize { moments: y, kl_weight: 1.0, stream: 2, noise, out: code },
        Op::ReparameterizeBackward { delta: code, moments: y, noise, kl_weight: 1.0, out: moments },
        Op::Backprop { delta: d, weight: w, transposed: false, output: x, activation: Activation::Tanh, out: dx },
        Op::Gradient {
            positive: (x, d),
            negative: None,
            weight: Update::Adam { parameter: w, first, second },
            bias: Some(Update::Store { gradient: b }),
            input_bias: None,
            plus: None,
            positions: 1,
            scale: 1.0,
        },
        Op::Dot { x: w, y: w },
        Op::Unfold { input: x, window, out: seen },
        Op::Fold {
            input: seen,
            window,
            tail: FoldTail::Layer { bias: channels, activation: Activation::Relu },
            out: dx,
        },
        Op::SharedBias { delta: dx, bias: Update::Store { gradient: channels } },
        Op::Backprop { delta: dx, weight: w, transposed: true, output: y, activation: Activation::Tanh, out: s },
        Op::Shrink { code: y, overlap: s, correlation: d, prediction: largest, shrinkage, out: spare },
        Op::Softmax {
            input: y,
            groups: Groups { first: 10, classes: 5 },
            scale: 1.0,
            given: Some(s),
            out: spare,
            states: Some(Draw { out: d, stream: 3 }),
        },
        Op::CopyColumns { input: y, first: 1, out: spare, to: 2, columns: 3 },
        Op::Standardize { input: y, shift: Some(b), scale: Some(means), out: spare },
        Op::ClassEnergies { inputs: y, weight: w, bias: across, out: code },
        Op::Exchange { chains, bias, difference: 0.1, parity: 0, stream: 4 },
        Op::Threshold { weight: w, threshold: 0.01 },
        Op::RowSums { input: y, columns: None },
        Op::Product { x: y, y: s, out: spare },
        Op::Slope { delta: d, output: y, activation: Activation::Tanh, out: d },
        Op::MaxNorm { weight: w, norm: 1.0, rows: true, exact: false },
        Op::MaxNorm { weight: w, norm: 1.0, rows: false, exact: false },
        Op::Linear {
            input: x,
            weight: w,
            transposed: false,
            bias: b,
            activation: Activation::Relu,
            out: dense,
            sample: None,
        },
        Op::Largest { input: dense, out: listed },
        Op::SparseLinear { input: listed, weight: down, bias: across, activation: Activation::Linear, out: dx },
        Op::SparseBackprop { delta: dx, weight: down, input: listed, out: derivatives },
        Op::ByColumn { rows: listed, out: order },
        Op::SparseGradient {
            values: listed.values,
            order,
            dense: dx,
            transposed: false,
            weight: Update::Store { gradient: down },
            bias: None,
            along: None,
        },
    ] {
        routine.push(op).expect("the shapes fit");
    }
    program.infer_roles(&routine);
    let routine = program.add(routine);
    let mut execution = Cpu::with_threads(2).expect("threads start").load(program, &[]).expect("it loads");
    let mut count = |steps: usize| {
        let steps = vec![Step { rows: 10, ..Step::default() }; steps];
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        execution.run(routine, &steps, &mut go_on).expect("it runs");
        ALLOCATIONS.load(Ordering::Relaxed) - before
    };
    count(40);
    let (one, two) = (count(20), count(40));
    // Only the vectors of the metrics are made, once for each run.
    assert!(one < 40 && two <= one, "{precision:?}: {one} allocations for 20 steps, {two} for 40");
}
