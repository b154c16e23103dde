//! From operations to kernels: which parts, which tile, which buffers.

use strait_device::{Access as Binding, Matrices};
use strait_shaders::{Part, Shape};

use super::kernel::{
    Kernel, activation_code, bound, by_element, by_place, optional, summing, update_code, wanted, words,
};
use super::{recurrence, sparse};
use crate::op::access::{Access, Write};
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
    /// The kernels of an operation. `start` is where its numbers start in the metrics of a step. Where an arm names no buffers, these are
    /// what the operation reads and, behind it, what it writes.
    pub(super) fn lower(&self, op: &Op, start: usize) -> Vec<Kernel> {
        let Access { name, reads, writes, .. } = op.access();
        let kernel = match *op {
            Op::Gradient { .. } => return self.gradient(op, None),
            Op::Recurrence { .. } => return recurrence::there(op, self.tiles),
            Op::RecurrenceBackward { .. } => return recurrence::back(op, self.tiles),
            Op::SparseGradient { .. } => return sparse::gradient(op),
            Op::ByColumn { rows, out } => return sparse::by_column(name, rows, out),
            Op::SparseLinear { input, weight, bias, activation, out } => {
                sparse::linear(name, input, [weight, bias, out], activation)
            }
            Op::SparseBackprop { delta, weight, input, out } => sparse::backprop(name, delta, weight, input, out),
            Op::BatchLargest { input, threshold, k, rate, out } => {
                sparse::batch_largest(name, input, threshold, k, rate, out)
            }
            Op::JumpRelu { input, threshold, out } => {
                let constants = vec![("COLS", out.cols as u32)];
                of_two(by_element(name, &[Part::JumpRelu], out, constants), [input, threshold], out)
            }
            Op::JumpReluBias { bandwidth, out, .. } => {
                by_element(name, &[Part::JumpReluBias], out, vec![("HALF", (0.5 * bandwidth).to_bits())])
            }
            Op::JumpReluListed { input, threshold, bandwidth, out, active } => {
                sparse::jump_relu(name, input, threshold, bandwidth, [out, active])
            }
            Op::JumpReluBackward { input, order, threshold, active, straight, derivatives, gradient } => {
                let reads = [input, threshold, active];
                sparse::jump_relu_backward(name, reads, order, straight, [derivatives, gradient])
            }
            Op::UnusedBias { order, bias, since, limit, out } => Kernel {
                buffers: bound(&[order.starts, bias], &[since, out]),
                ..by_element(name, &[Part::UnusedBias], out, vec![("LIMIT", limit.to_bits())])
            },
            Op::Largest { input, out } => {
                let constants = vec![("K", out.values.cols as u32)];
                self.by_row(name, &[Part::Row, Part::Key, Part::KthLargest, Part::Largest], input, start, constants)
            }
            Op::Linear { .. } => self.linear(op),
            Op::Backprop { .. } => self.backprop(op),
            Op::Gather { data, index, first, shift, out } => {
                let numbers = if data.kind == Kind::Bytes { Part::DataBytes } else { Part::DataNumbers };
                let order = if index.is_some() { Part::OrderGiven } else { Part::OrderNone };
                let moved = if shift.is_some() { Part::Shift } else { Part::ShiftNone };
                let mut buffers = vec![(1, Binding::Write, out), (2, Binding::Read, data)];
                buffers.extend(index.map(|index| (3, Binding::Read, index)));
                Kernel {
                    constants: shift
                        .map_or(vec![], |shift| vec![("WIDTH", shift.width as u32), ("PIXELS", shift.pixels)]),
                    parts: vec![Part::Prelude, numbers, order, moved, Part::Gather],
                    buffers,
                    ..by_place(name, [out.rows, out.cols], 64)
                        .with(words([data.cols, first]))
                        .with(vec![shift.map_or(0, |shift| shift.stream)])
                }
            }
            Op::Scatter { input, .. } => {
                Kernel { parts: vec![Part::Prelude, Part::Scatter], ..by_place(name, [input.rows, input.cols], 64) }
            }
            Op::CopyColumns { input, first, out, to, columns } => Kernel {
                constants: vec![("FIRST", first as u32), ("TO", to as u32), ("COLUMNS", columns as u32)],
                parts: vec![Part::Prelude, Part::CopyColumns],
                sizes: words([input.rows, input.cols, out.cols]),
                ..by_place(name, [input.rows, columns], 64)
            },
            Op::CopyRows { input, out } => Kernel {
                parts: vec![Part::Prelude, Part::CopyRows],
                sizes: words([out.count(), out.tensor.cols, input.first, input.every, out.first, out.every]),
                buffers: bound(&[input.tensor], &[out.tensor]),
                ..by_place(name, [out.count(), out.tensor.cols], 64)
            },
            Op::Update { gradient, update, decays } => Kernel {
                main: update_code(&update).text("parameter", 2, false),
                ..by_element(name, &[Part::Update], gradient, vec![("DECAYS", u32::from(decays))])
            },
            Op::Unfold { window, out, .. } => by_element(name, &[Part::Unfold], out, window_constants(window)),
            Op::Fold { input, window, tail, out } => {
                let (part, activation) = match tail {
                    FoldTail::Sum => (Part::FoldSum, Activation::Linear),
                    FoldTail::Layer { activation, .. } => (Part::FoldLayer, activation),
                    FoldTail::Backprop { activation, .. } => (Part::FoldBackprop, activation),
                };
                let mut buffers = bound(&[input], &[out]);
                buffers.extend(tail.tensor().map(|tensor| (3, Binding::Read, tensor)));
                let mut constants = window_constants(window);
                constants.push(("ACTIVATION", activation_code(activation)));
                Kernel { buffers, ..by_element(name, &[Part::Activation, part, Part::Fold], out, constants) }
            }
            Op::SharedBias { delta, bias } => {
                let channels = bias.target().cols;
                Kernel {
                    parts: vec![Part::Prelude, Part::SharedBias],
                    main: update_code(&bias).text("bias", 2, false),
                    sizes: words([delta.cols, channels]),
                    workgroups: [channels as u32, 1, 1],
                    ..Kernel::named(name)
                }
            }
            Op::Loss { kind, input, target, output, delta } => {
                let (code, activation) = match kind {
                    LossKind::SquaredError { activation } => (0, activation),
                    LossKind::CrossEntropy => (1, Activation::Linear),
                    LossKind::SoftmaxCrossEntropy => (2, Activation::Linear),
                };
                let mut buffers = bound(&[input, target], &[]);
                let main = wanted("output", 3, output, &mut buffers) + &wanted("delta", 4, delta, &mut buffers);
                let parts = &[Part::Activation, Part::Row, Part::Loss];
                let constants = vec![("KIND", code), ("ACTIVATION", activation_code(activation))];
                Kernel { main, buffers, metrics: true, ..self.by_row(name, parts, input, start, constants) }
            }
            Op::Softmax { input, groups, scale, given, out, states } => {
                let mut buffers = bound(&[input], &[out]);
                let drawn = states.map(|states| states.out);
                let main = optional("given_at", 3, given, "0.0", &mut buffers)
                    + &wanted("state", 4, drawn, &mut buffers)
                    + if states.is_some() {
                        "fn add_one(i: u32) { state[i] = state[i] + 1.0; }\n"
                    } else {
                        "fn add_one(i: u32) {}\n"
                    };
                let constants = vec![
                    ("FIRST", groups.first as u32),
                    ("CLASSES", groups.classes as u32),
                    ("TEAM", groups.classes.next_power_of_two().min(64) as u32),
                    ("SCALE", scale.to_bits()),
                    ("GIVEN", u32::from(given.is_some())),
                    ("DRAWS", u32::from(states.is_some())),
                ];
                let stream = states.map_or(0, |states| states.stream);
                let kernel = self.by_row(name, &[Part::Row, Part::Softmax], input, 0, constants).drawing(stream);
                Kernel { main, buffers, ..kernel }
            }
            Op::Threshold { weight, threshold } => {
                by_element(name, &[Part::Threshold], weight, vec![("THRESHOLD", threshold.to_bits())])
            }
            Op::Standardize { input, shift, scale, out } => {
                let mut buffers = bound(&[input], &[out]);
                let main = optional("shift_of", 3, shift, "0.0", &mut buffers)
                    + &optional("scale_of", 4, scale, "1.0", &mut buffers);
                let constants = vec![("COLS", out.cols as u32)];
                Kernel { main, buffers, ..by_element(name, &[Part::Standardize], out, constants) }
            }
            Op::ClassEnergies { weight, out, .. } => Kernel {
                constants: vec![("CLASSES", out.cols as u32)],
                parts: vec![Part::Prelude, Part::ClassEnergies],
                sizes: words([out.rows, weight.rows, weight.cols]),
                workgroups: [out.rows as u32, 1, 1],
                ..Kernel::named(name)
            },
            Op::Exchange { chains, bias, difference, parity, stream } => {
                let of_chain = |chain: Replica| bound(&[chain.visible, chain.inputs], &[chain.hidden]);
                let [one, two] = chains.map(of_chain);
                let two = two.into_iter().map(|(binding, access, tensor)| (binding + 3, access, tensor));
                let Replica { visible, hidden, .. } = chains[0];
                Kernel {
                    constants: vec![("DIFFERENCE", difference.to_bits()), ("PARITY", parity)],
                    parts: vec![Part::Prelude, Part::Exchange],
                    sizes: [words([visible.rows, visible.cols, hidden.cols]), vec![stream]].concat(),
                    buffers: one.into_iter().chain(two).chain([(7, Binding::Read, bias)]).collect(),
                    workgroups: [visible.rows as u32, 1, 1],
                    ..Kernel::named(name)
                }
            }
            Op::Corrupt { input, noise, stream, .. } => {
                let (code, level, first) = match noise {
                    Noise::Masking(share) => (0, share, 0),
                    Noise::SaltAndPepper(share) => (1, share, 0),
                    Noise::Gaussian(deviation) => (2, deviation, 0),
                    Noise::Missing(Missing { first, share }) => (3, share, first),
                };
                Kernel {
                    constants: vec![("NOISE", code), ("LEVEL", level.to_bits()), ("FIRST", first)],
                    parts: vec![Part::Prelude, Part::Corrupt],
                    ..by_place(name, [input.rows, input.cols], 256).with(vec![stream])
                }
            }
            Op::TopK { input, k, .. } => Kernel {
                ..self.by_row(
                    name,
                    &[Part::Row, Part::Key, Part::KthLargest, Part::TopK],
                    input,
                    start,
                    vec![("K", k as u32)],
                )
            },
            Op::Truncate { input, each, beyond, .. } => Kernel {
                constants: vec![("EACH", each as u32), ("BEYOND", beyond.to_bits())],
                parts: vec![Part::Prelude, Part::Truncate],
                ..by_place(name, [input.rows, input.cols], 64)
            },
            Op::ColumnMeans { input, times, out } => {
                let mut buffers = bound(&[input], &[out]);
                Kernel {
                    main: optional("factor_at", 3, times, "1.0", &mut buffers),
                    constants: vec![("LANES", 256)],
                    parts: vec![Part::Prelude, Part::Columns, Part::ColumnMeans],
                    sizes: words([input.cols]),
                    buffers,
                    workgroups: [summing(input.cols), 1, 1],
                    ..Kernel::named(name)
                }
            }
            Op::Penalty { kind, output, activation, delta } => {
                let (weight, columns) = kind.parts();
                let (code, target) = match kind {
                    PenaltyKind::L1 { .. } => (0, 0.0),
                    PenaltyKind::Sparsity { target, .. } => (1, target),
                    PenaltyKind::Contractive { .. } => (2, 0.0),
                };
                let mut buffers = vec![(1, Binding::Read, output), (3, Binding::Write, delta)];
                let main = optional("column_of", 2, columns, "1.0", &mut buffers);
                let parts = &[Part::Activation, Part::Row, Part::Penalty];
                let constants = vec![
                    ("ACTIVATION", activation_code(activation)),
                    ("PENALTY", code),
                    ("WEIGHT", weight.to_bits()),
                    ("TARGET", f32::to_bits(target)),
                ];
                Kernel { main, buffers, metrics: true, ..self.by_row(name, parts, output, start, constants) }
            }
            Op::Contraction { weight, activation, penalty, .. } => Kernel {
                constants: vec![
                    ("ACTIVATION", activation_code(activation)),
                    ("WEIGHT", penalty.to_bits()),
                    ("LANES", 256),
                ],
                parts: vec![Part::Prelude, Part::Activation, Part::Columns, Part::Contraction],
                sizes: words([weight.rows, weight.cols]),
                workgroups: [summing(weight.cols), 1, 1],
                ..Kernel::named(name)
            },
            Op::Shrink { shrinkage, out, .. } => {
                let constants = [("RATE", shrinkage.rate), ("SPARSITY", shrinkage.sparsity), ("PULL", shrinkage.pull)];
                let constants = constants.map(|(name, x)| (name, x.to_bits())).to_vec();
                by_element(name, &[Part::Shrink], out, constants)
            }
            Op::RowSums { input, columns } => {
                let mut buffers = bound(&[input], &[]);
                let main = optional("column_of", 2, columns, "1.0", &mut buffers);
                let parts = &[Part::Row, Part::RowSums];
                Kernel { main, buffers, metrics: true, ..self.by_row(name, parts, input, start, vec![]) }
            }
            Op::MaxNorm { weight, norm, rows, exact } => {
                let (lines, sizes) = match rows {
                    true => (weight.rows, [weight.cols, 1, weight.cols]),
                    false => (weight.cols, [weight.rows, weight.cols, 1]),
                };
                Kernel {
                    constants: vec![("NORM", norm.to_bits()), ("EXACT", u32::from(exact))],
                    parts: vec![Part::Prelude, Part::MaxNorm],
                    sizes: words(sizes),
                    workgroups: [lines as u32, 1, 1],
                    ..Kernel::named(name)
                }
            }
            Op::Reparameterize { moments, kl_weight, stream, .. } => {
                let (parts, constants) = (&[Part::Row, Part::Reparameterize], vec![("WEIGHT", kl_weight.to_bits())]);
                Kernel { metrics: true, ..self.by_row(name, parts, moments, start, constants).drawing(stream) }
            }
            Op::ReparameterizeBackward { delta, kl_weight, .. } => Kernel {
                constants: vec![("WEIGHT", kl_weight.to_bits())],
                parts: vec![Part::Prelude, Part::ReparameterizeBackward],
                ..by_place(name, [delta.rows, delta.cols], 64)
            },
            Op::Combine { x, y, factors, out } => {
                let (part, constants) = match factors {
                    Factors::Step => (Part::FactorsOfStep, vec![]),
                    Factors::Fixed(alpha, beta) => {
                        (Part::FactorsFixed, vec![("ALPHA", alpha.to_bits()), ("BETA", beta.to_bits())])
                    }
                };
                of_two(by_element(name, &[part, Part::Combine], out, constants), [x, y], out)
            }
            Op::Product { x, y, out } => of_two(by_element(name, &[Part::Product], out, vec![]), [x, y], out),
            Op::Slope { delta, output, activation, out } => {
                let constants = vec![("ACTIVATION", activation_code(activation))];
                of_two(by_element(name, &[Part::Activation, Part::Slope], out, constants), [delta, output], out)
            }
            Op::Dot { x, .. } => Kernel {
                parts: vec![Part::Prelude, Part::Dot],
                sizes: words([x.len(), self.width, start]),
                metrics: true,
                workgroups: [DOT_PARTS as u32, 1, 1],
                ..Kernel::named(name)
            },
        };
        if !kernel.buffers.is_empty() {
            return vec![kernel];
        }
        // A buffer that is written must not be bound a second time.
        let writes: Vec<Tensor> = writes.into_iter().map(Write::tensor).collect();
        let reads: Vec<Tensor> = reads.into_iter().map(|read| read.tensor).filter(|it| !writes.contains(it)).collect();
        vec![Kernel { buffers: bound(&reads, &writes), ..kernel }]
    }

    /// A kernel with a workgroup for each row of a matrix.
    fn by_row(
        &self,
        name: &str,
        parts: &[Part],
        input: Tensor,
        start: usize,
        mut constants: Vec<(&'static str, u32)>,
    ) -> Kernel {
        // Rows that would keep few invocations busy for long; adapters that are really a CPU gain nothing.
        let lanes = if input.cols > 256 && self.tiles != Tiles::Software { 256 } else { 64 };
        constants.push(("LANES", lanes));
        Kernel {
            constants,
            parts: [&[Part::Prelude], parts].concat(),
            sizes: words([input.rows, input.cols, self.width, start, 0]),
            workgroups: [input.rows as u32, 1, 1],
            ..Kernel::named(name)
        }
    }
}

/// A kernel of the elements `x_at` and `y_at` of two tensors, either of which may be the result.
fn of_two(kernel: Kernel, operands: [Tensor; 2], out: Tensor) -> Kernel {
    let (mut buffers, mut main) = (bound(&[], &[out]), String::new());
    for ((name, binding), tensor) in [("x", 2), ("y", 3)].into_iter().zip(operands) {
        // A buffer that is written must not be bound a second time, so that x or y may have to be read through out.
        let own = tensor == out;
        if !own {
            buffers.push((binding, Binding::Read, tensor));
            main += &format!("@group(0) @binding({binding}) var<storage, read> {name}: array<f32>;\n");
        }
        main += &format!("fn {name}_at(i: u32) -> f32 {{ return {}[i]; }}\n", if own { "out" } else { name });
    }
    Kernel { main, buffers, ..kernel }
}

/// The constants that describe a window.
fn window_constants(window: Window) -> Vec<(&'static str, u32)> {
    let ([down, across], [tall, wide], [above, beside]) = (window.steps(), window.edges(), window.borders());
    let constants = [
        ("HEIGHT", window.height),
        ("WIDTH", window.width),
        ("CHANNELS", window.channels),
        ("TALL", tall),
        ("WIDE", wide),
        ("STRIDE", window.stride),
        ("ABOVE", above),
        ("BESIDE", beside),
        ("TAPS", window.taps()),
        ("DOWN", down),
        ("ACROSS", across),
        ("POSITIONS", window.positions()),
    ];
    constants.map(|(name, value)| (name, value as u32)).to_vec()
}
