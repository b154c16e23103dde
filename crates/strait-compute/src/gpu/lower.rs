//! From operations to kernels: which parts, which tile, which buffers.

use strait_device::{Access, Matrices};
use strait_shaders::{Part, Shape};

use super::kernel::{Kernel, activation_code, by_element, groups, optional, reads, summing, update_code};
use crate::op::{DOT_PARTS, Factors, FoldTail, LossKind, Op, PenaltyKind, Replica};
use crate::{Activation, Kind, Missing, Noise, Tensor, Window};

/// How products are cut into tiles.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tiles {
    /// For GPUs: the largest tiles of which there are enough to keep one busy.
    Hardware,
    /// For adapters that are really a CPU.
    Software,
    /// Always this one, where it computes in the routine's precision.
    Fixed(Shape),
}

/// What lowering needs to know of a device and of a routine.
#[derive(Clone, Copy)]
pub(super) struct Lowering<'a> {
    pub(super) tiles: Tiles,
    /// For routines of mixed precision, the cooperative matrices that multiply f16.
    pub(super) matrices: Option<Matrices>,
    /// Whether vectors in the memory of a workgroup are written as a whole only.
    pub(super) whole_vectors: bool,
    /// Bytes of memory that a workgroup may share.
    pub(super) memory: u32,
    /// Numbers that a step of the routine adds to the metrics.
    pub(super) width: usize,
    /// Buffers that a kernel may bind.
    pub(super) most_buffers: usize,
    /// In how many buffers a tensor lies.
    pub(super) pieces: &'a dyn Fn(Tensor) -> usize,
}

impl Lowering<'_> {
    /// The kernels of an operation. `start` is where its numbers start in the metrics of a step.
    pub(super) fn lower(&self, op: &Op, start: usize) -> Vec<Kernel> {
        match op {
            Op::Gather { .. } => vec![gather(op)],
            Op::Scatter { input, data } => vec![scatter(*input, *data)],
            Op::Linear { .. } => vec![self.linear(op)],
            Op::Backprop { .. } => vec![self.backprop(op)],
            Op::Gradient { .. } => self.gradient(op, None),
            Op::Update { gradient, update, decays } => {
                let updated = update.tensors().into_iter().enumerate();
                let mut buffers = vec![(1, Access::Read, *gradient)];
                buffers.extend(updated.map(|(i, tensor)| (2 + i as u32, Access::Write, tensor)));
                vec![Kernel {
                    parts: vec![Part::Prelude, Part::Elements, Part::Update],
                    main: update_code(update).text("parameter", 2, false),
                    buffers,
                    ..by_element(op.name(), *gradient, vec![("DECAYS", u32::from(*decays))])
                }]
            }
            // There is no other process.
            Op::Reduce { .. } => Vec::new(),
            Op::Unfold { input, window, out } => vec![Kernel {
                parts: vec![Part::Prelude, Part::Elements, Part::Unfold],
                buffers: vec![(1, Access::Read, *input), (2, Access::Write, *out)],
                ..by_element(op.name(), *out, window_constants(window))
            }],
            Op::Fold { input, window, tail, out } => {
                let (part, activation) = match tail {
                    FoldTail::Sum => (Part::FoldSum, Activation::Linear),
                    FoldTail::Layer { activation, .. } => (Part::FoldLayer, *activation),
                    FoldTail::Backprop { activation, .. } => (Part::FoldBackprop, *activation),
                };
                let mut buffers = vec![(1, Access::Read, *input), (2, Access::Write, *out)];
                buffers.extend(tail.tensor().map(|tensor| (3, Access::Read, tensor)));
                let mut constants = window_constants(window);
                constants.push(("ACTIVATION", activation_code(activation)));
                vec![Kernel {
                    parts: vec![Part::Prelude, Part::Elements, Part::Activation, part, Part::Fold],
                    buffers,
                    ..by_element(op.name(), *out, constants)
                }]
            }
            Op::SharedBias { delta, bias } => {
                let channels = bias.target().cols;
                let updated = bias.tensors().into_iter().enumerate();
                let mut buffers = vec![(1, Access::Read, *delta)];
                buffers.extend(updated.map(|(i, tensor)| (2 + i as u32, Access::Write, tensor)));
                vec![Kernel {
                    parts: vec![Part::Prelude, Part::SharedBias],
                    main: update_code(bias).text("bias", 2, false),
                    sizes: [delta.cols, channels].map(|size| size as u32).to_vec(),
                    buffers,
                    workgroups: [channels as u32, 1, 1],
                    ..Kernel::named(op.name())
                }]
            }
            Op::Loss { .. } => vec![self.loss(op, start)],
            Op::CopyColumns { input, first, out, to, columns } => {
                let constants = [("FIRST", *first), ("TO", *to), ("COLUMNS", *columns)];
                vec![Kernel {
                    constants: constants.map(|(name, value)| (name, value as u32)).to_vec(),
                    parts: vec![Part::Prelude, Part::CopyColumns],
                    sizes: [input.rows, input.cols, out.cols].map(|size| size as u32).to_vec(),
                    buffers: vec![(1, Access::Read, *input), (2, Access::Write, *out)],
                    workgroups: [groups(*columns, 64), input.rows as u32, 1],
                    ..Kernel::named(op.name())
                }]
            }
            Op::Softmax { .. } => vec![self.softmax(op)],
            Op::Threshold { weight, threshold } => vec![Kernel {
                parts: vec![Part::Prelude, Part::Elements, Part::Threshold],
                buffers: vec![(1, Access::Write, *weight)],
                ..by_element(op.name(), *weight, vec![("THRESHOLD", threshold.to_bits())])
            }],
            Op::Standardize { input, shift, scale, out } => {
                let mut buffers = vec![(1, Access::Read, *input), (2, Access::Write, *out)];
                let main = optional("shift_of", 3, *shift, "0.0", &mut buffers)
                    + &optional("scale_of", 4, *scale, "1.0", &mut buffers);
                vec![Kernel {
                    parts: vec![Part::Prelude, Part::Elements, Part::Standardize],
                    main,
                    buffers,
                    ..by_element(op.name(), *out, vec![("COLS", out.cols as u32)])
                }]
            }
            Op::ClassEnergies { inputs, weight, bias, out } => vec![Kernel {
                constants: vec![("CLASSES", out.cols as u32)],
                parts: vec![Part::Prelude, Part::ClassEnergies],
                sizes: [out.rows, weight.rows, weight.cols].map(|size| size as u32).to_vec(),
                buffers: [reads(&[Some(*inputs), Some(*weight), Some(*bias)]), vec![(4, Access::Write, *out)]].concat(),
                workgroups: [out.rows as u32, 1, 1],
                ..Kernel::named(op.name())
            }],
            Op::Exchange { chains, bias, difference, parity, stream } => {
                let mut buffers = vec![(7, Access::Read, *bias)];
                for (first, chain) in [1, 4].into_iter().zip(chains) {
                    buffers.extend([
                        (first, Access::Read, chain.visible),
                        (first + 1, Access::Read, chain.inputs),
                        (first + 2, Access::Write, chain.hidden),
                    ]);
                }
                let Replica { visible, hidden, .. } = chains[0];
                vec![Kernel {
                    constants: vec![("DIFFERENCE", difference.to_bits()), ("PARITY", *parity), ("STREAM", *stream)],
                    parts: vec![Part::Prelude, Part::Exchange],
                    sizes: [visible.rows, visible.cols, hidden.cols].map(|size| size as u32).to_vec(),
                    buffers,
                    workgroups: [visible.rows as u32, 1, 1],
                    ..Kernel::named(op.name())
                }]
            }
            Op::Corrupt { input, noise, stream, out } => vec![corrupt(*input, *noise, *stream, *out)],
            Op::TopK { input, k, out } => vec![Kernel {
                parts: vec![Part::Prelude, Part::Row, Part::TopK],
                buffers: vec![(1, Access::Read, *input), (2, Access::Write, *out)],
                ..self.by_row(op.name(), *input, start, vec![("K", *k as u32)])
            }],
            Op::ColumnMeans { input, times, out } => {
                let mut buffers = vec![(1, Access::Read, *input), (2, Access::Write, *out)];
                vec![Kernel {
                    main: optional("factor_at", 3, *times, "1.0", &mut buffers),
                    constants: vec![("LANES", 256)],
                    parts: vec![Part::Prelude, Part::Columns, Part::ColumnMeans],
                    sizes: vec![input.cols as u32],
                    buffers,
                    workgroups: [summing(input.cols), 1, 1],
                    ..Kernel::named(op.name())
                }]
            }
            Op::Penalty { kind, output, activation, delta } => {
                let (code, weight, target, columns) = match *kind {
                    PenaltyKind::L1 { weight } => (0, weight, 0.0, None),
                    PenaltyKind::Sparsity { weight, target, means } => (1, weight, target, Some(means)),
                    PenaltyKind::Contractive { weight, squares } => (2, weight, 0.0, Some(squares)),
                };
                let mut buffers = vec![(1, Access::Read, *output), (3, Access::Write, *delta)];
                buffers.extend(columns.map(|columns| (2, Access::Read, columns)));
                let given = if columns.is_some() { Part::ColumnGiven } else { Part::ColumnNone };
                let constants = vec![
                    ("ACTIVATION", activation_code(*activation)),
                    ("PENALTY", code),
                    ("WEIGHT", weight.to_bits()),
                    ("TARGET", target.to_bits()),
                ];
                vec![Kernel {
                    parts: vec![Part::Prelude, Part::Activation, Part::Row, given, Part::Penalty],
                    buffers,
                    metrics: true,
                    ..self.by_row(op.name(), *output, start, constants)
                }]
            }
            Op::Contraction { weight, output, activation, penalty, squares, costs } => vec![Kernel {
                constants: vec![
                    ("ACTIVATION", activation_code(*activation)),
                    ("WEIGHT", penalty.to_bits()),
                    ("LANES", 256),
                ],
                parts: vec![Part::Prelude, Part::Activation, Part::Columns, Part::Contraction],
                sizes: vec![weight.rows as u32, weight.cols as u32],
                buffers: vec![
                    (1, Access::Read, *weight),
                    (2, Access::Read, *output),
                    (3, Access::Write, *squares),
                    (4, Access::Write, *costs),
                ],
                workgroups: [summing(weight.cols), 1, 1],
                ..Kernel::named(op.name())
            }],
            Op::Shrink { code, overlap, correlation, prediction, shrinkage, out } => {
                let constants = [("RATE", shrinkage.rate), ("SPARSITY", shrinkage.sparsity), ("PULL", shrinkage.pull)];
                let read = [*code, *overlap, *correlation, *prediction].map(Some);
                vec![Kernel {
                    parts: vec![Part::Prelude, Part::Elements, Part::Shrink],
                    buffers: [reads(&read), vec![(5, Access::Write, *out)]].concat(),
                    ..by_element(op.name(), *out, constants.map(|(name, x)| (name, x.to_bits())).to_vec())
                }]
            }
            Op::RowSums { input, columns } => {
                let given = if columns.is_some() { Part::ColumnGiven } else { Part::ColumnNone };
                vec![Kernel {
                    parts: vec![Part::Prelude, Part::Row, given, Part::RowSums],
                    buffers: reads(&[Some(*input), *columns]),
                    metrics: true,
                    ..self.by_row(op.name(), *input, start, vec![])
                }]
            }
            Op::MaxNorm { weight, norm, rows } => {
                let (lines, [length, stride, next]) = match rows {
                    true => (weight.rows, [weight.cols, 1, weight.cols]),
                    false => (weight.cols, [weight.rows, weight.cols, 1]),
                };
                vec![Kernel {
                    constants: vec![("NORM", norm.to_bits())],
                    parts: vec![Part::Prelude, Part::MaxNorm],
                    sizes: [length, stride, next].map(|size| size as u32).to_vec(),
                    buffers: vec![(1, Access::Write, *weight)],
                    workgroups: [lines as u32, 1, 1],
                    ..Kernel::named(op.name())
                }]
            }
            Op::Reparameterize { moments, kl_weight, stream, noise, out } => vec![Kernel {
                parts: vec![Part::Prelude, Part::Row, Part::Reparameterize],
                buffers: vec![(1, Access::Read, *moments), (2, Access::Write, *noise), (3, Access::Write, *out)],
                metrics: true,
                ..self.by_row(op.name(), *moments, start, vec![("WEIGHT", kl_weight.to_bits()), ("STREAM", *stream)])
            }],
            Op::ReparameterizeBackward { delta, moments, noise, kl_weight, out } => vec![Kernel {
                constants: vec![("WEIGHT", kl_weight.to_bits())],
                parts: vec![Part::Prelude, Part::ReparameterizeBackward],
                sizes: vec![delta.rows as u32, delta.cols as u32],
                buffers: [reads(&[Some(*delta), Some(*moments), Some(*noise)]), vec![(4, Access::Write, *out)]]
                    .concat(),
                workgroups: [groups(delta.cols, 64), delta.rows as u32, 1],
                ..Kernel::named(op.name())
            }],
            Op::Combine { x, y, factors, out } => vec![combine(*x, *y, *factors, *out)],
            Op::Dot { x, y } => vec![Kernel {
                parts: vec![Part::Prelude, Part::Dot],
                sizes: vec![x.len() as u32, self.width as u32, start as u32],
                buffers: vec![(1, Access::Read, *x), (2, Access::Read, *y)],
                metrics: true,
                workgroups: [DOT_PARTS as u32, 1, 1],
                ..Kernel::named(op.name())
            }],
        }
    }

    /// A kernel with a workgroup for each row of a matrix.
    fn by_row(&self, name: &str, input: Tensor, start: usize, mut constants: Vec<(&'static str, u32)>) -> Kernel {
        // Rows that would keep few invocations busy for long; adapters that are really a CPU gain nothing.
        let lanes = if input.cols > 256 && self.tiles != Tiles::Software { 256 } else { 64 };
        constants.push(("LANES", lanes));
        Kernel {
            constants,
            sizes: [input.rows, input.cols, self.width, start].map(|size| size as u32).to_vec(),
            workgroups: [input.rows as u32, 1, 1],
            ..Kernel::named(name)
        }
    }

    fn softmax(&self, op: &Op) -> Kernel {
        let Op::Softmax { input, groups, scale, given, out, states } = op else {
            unreachable!("called for groups of units");
        };
        let mut buffers = vec![(1, Access::Read, *input), (2, Access::Write, *out)];
        let mut main = optional("given_at", 3, *given, "0.0", &mut buffers);
        main += match states {
            None => "fn put(i: u32, x: f32) {}\nfn add_one(i: u32) {}\n",
            Some(states) => {
                buffers.push((4, Access::Write, states.out));
                "@group(0) @binding(4) var<storage, read_write> states: array<f32>;
fn put(i: u32, x: f32) { states[i] = x; }
fn add_one(i: u32) { states[i] = states[i] + 1.0; }
"
            }
        };
        let constants = vec![
            ("FIRST", groups.first as u32),
            ("CLASSES", groups.classes as u32),
            ("TEAM", groups.classes.next_power_of_two().min(64) as u32),
            ("SCALE", scale.to_bits()),
            ("GIVEN", u32::from(given.is_some())),
            ("DRAWS", u32::from(states.is_some())),
            ("STREAM", states.map_or(0, |states| states.stream)),
        ];
        Kernel {
            parts: vec![Part::Prelude, Part::Row, Part::Softmax],
            main,
            buffers,
            ..self.by_row(op.name(), *input, 0, constants)
        }
    }

    fn loss(&self, op: &Op, start: usize) -> Kernel {
        let Op::Loss { kind, input, target, output, delta } = op else {
            unreachable!("called for losses");
        };
        let (code, activation) = match kind {
            LossKind::SquaredError { activation } => (0, *activation),
            LossKind::CrossEntropy => (1, Activation::Linear),
            LossKind::SoftmaxCrossEntropy => (2, Activation::Linear),
        };
        let emit = match (output, delta) {
            (None, None) => Part::EmitNone,
            (Some(_), None) => Part::EmitOutput,
            (None, Some(_)) => Part::EmitDelta,
            (Some(_), Some(_)) => Part::EmitBoth,
        };
        let mut buffers = vec![(1, Access::Read, *input), (2, Access::Read, *target)];
        buffers.extend(output.map(|output| (3, Access::Write, output)));
        buffers.extend(delta.map(|delta| (4, Access::Write, delta)));
        let constants = vec![("KIND", code), ("ACTIVATION", activation_code(activation))];
        Kernel {
            parts: vec![Part::Prelude, Part::Activation, Part::Row, emit, Part::Loss],
            buffers,
            metrics: true,
            ..self.by_row(op.name(), *input, start, constants)
        }
    }
}

/// The constants that describe a window.
fn window_constants(window: &Window) -> Vec<(&'static str, u32)> {
    let [down, across] = window.steps();
    let constants = [
        ("HEIGHT", window.height),
        ("WIDTH", window.width),
        ("CHANNELS", window.channels),
        ("KERNEL", window.kernel),
        ("STRIDE", window.stride),
        ("PADDING", window.padding),
        ("TAPS", window.taps()),
        ("DOWN", down),
        ("ACROSS", across),
        ("POSITIONS", window.positions()),
    ];
    constants.map(|(name, value)| (name, value as u32)).to_vec()
}

fn gather(op: &Op) -> Kernel {
    let &Op::Gather { data, index, first, shift, out } = op else {
        unreachable!("called for gathering");
    };
    let numbers = if data.kind == Kind::Bytes { Part::DataBytes } else { Part::DataNumbers };
    let order = if index.is_some() { Part::OrderGiven } else { Part::OrderNone };
    let moved = if shift.is_some() { Part::Shift } else { Part::ShiftNone };
    let mut buffers = vec![(1, Access::Write, out), (2, Access::Read, data)];
    buffers.extend(index.map(|index| (3, Access::Read, index)));
    Kernel {
        constants: shift.map_or(vec![], |shift| {
            vec![("WIDTH", shift.width as u32), ("PIXELS", shift.pixels), ("STREAM", shift.stream)]
        }),
        parts: vec![Part::Prelude, numbers, order, moved, Part::Gather],
        sizes: [out.rows, out.cols, data.cols, first].map(|size| size as u32).to_vec(),
        buffers,
        workgroups: [groups(out.cols, 64), out.rows as u32, 1],
        ..Kernel::named("gather")
    }
}

fn scatter(input: Tensor, data: Tensor) -> Kernel {
    Kernel {
        parts: vec![Part::Prelude, Part::Scatter],
        sizes: vec![input.rows as u32, input.cols as u32],
        buffers: vec![(1, Access::Read, input), (2, Access::Write, data)],
        workgroups: [groups(input.cols, 64), input.rows as u32, 1],
        ..Kernel::named("scatter")
    }
}

fn corrupt(input: Tensor, noise: Noise, stream: u32, out: Tensor) -> Kernel {
    let (code, level, first) = match noise {
        Noise::Masking(share) => (0, share, 0),
        Noise::SaltAndPepper(share) => (1, share, 0),
        Noise::Gaussian(deviation) => (2, deviation, 0),
        Noise::Missing(Missing { first, share }) => (3, share, first),
    };
    Kernel {
        constants: vec![("NOISE", code), ("LEVEL", level.to_bits()), ("FIRST", first), ("STREAM", stream)],
        parts: vec![Part::Prelude, Part::Corrupt],
        sizes: vec![input.rows as u32, input.cols as u32],
        buffers: vec![(1, Access::Read, input), (2, Access::Write, out)],
        workgroups: [groups(input.cols, 256), input.rows as u32, 1],
        ..Kernel::named("corrupt")
    }
}

fn combine(x: Tensor, y: Tensor, factors: Factors, out: Tensor) -> Kernel {
    let (part, constants) = match factors {
        Factors::Step => (Part::FactorsOfStep, vec![]),
        Factors::Fixed(alpha, beta) => (Part::FactorsFixed, vec![("ALPHA", alpha.to_bits()), ("BETA", beta.to_bits())]),
    };
    // A buffer that is written must not be bound a second time, so that x or y may have to be read through out.
    let mut buffers = vec![(1, Access::Write, out)];
    let mut readers = String::new();
    for (name, binding, tensor) in [("x", 2, x), ("y", 3, y)] {
        if tensor == out {
            readers += &format!("fn {name}_at(i: u32) -> f32 {{ return out[i]; }}\n");
        } else {
            buffers.push((binding, Access::Read, tensor));
            readers += &format!("@group(0) @binding({binding}) var<storage, read> {name}: array<f32>;\n");
            readers += &format!("fn {name}_at(i: u32) -> f32 {{ return {name}[i]; }}\n");
        }
    }
    Kernel {
        parts: vec![Part::Prelude, Part::Elements, part, Part::Combine],
        main: readers,
        buffers,
        ..by_element("combine", out, constants)
    }
}
