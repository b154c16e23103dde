//! From operations to kernels: which parts, which tile, which buffers.

use strait_device::{Access, Bindings, Buffer, Dispatch, Matrices};
use strait_shaders::{Fragments, Part, Pieces, Shape, Tile, assemble, product};

use crate::op::{Addend, DOT_PARTS, Factors, FoldTail, LossKind, Op, PenaltyKind, Replica, Update};
use crate::{Activation, Error, Kind, Missing, Noise, Result, Sampling, Tensor, Window};

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

/// What an adapter has to multiply f16, and what it shares.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cooperation {
    /// Its cooperative matrices.
    pub matrices: Matrices,
    /// Bytes of memory that a workgroup may share.
    pub memory: u32,
}

/// Kernels number their own bindings below this.
const FIRST_FREE_BINDING: u32 = 32;

/// What lowering needs to know of a routine.
pub(super) struct Lowering<'a> {
    pub(super) tiles: Tiles,
    /// For routines of mixed precision, what multiplies f16.
    pub(super) cooperation: Option<Cooperation>,
    /// Numbers that a step of the routine adds to the metrics.
    pub(super) width: usize,
    /// Buffers that a kernel may bind.
    pub(super) most_buffers: usize,
    /// In how many buffers a tensor lies.
    pub(super) pieces: &'a dyn Fn(Tensor) -> usize,
}

/// Small work that goes with the product of a gradient.
#[derive(Clone, Copy)]
enum Role {
    Bias(Update),
    InputBias(Update),
    /// The squared errors of the reconstructions, whose numbers start there in the metrics of a step.
    Errors(usize),
}

/// A kernel before it is compiled.
pub(super) struct Kernel {
    name: String,
    extensions: &'static [&'static str],
    constants: Vec<(&'static str, u32)>,
    parts: Vec<Part>,
    main: String,
    sizes: Vec<u32>,
    buffers: Vec<(u32, Access, Tensor)>,
    metrics: bool,
    workgroups: [u32; 3],
}

/// The sizes of C = A B, with the strides of A and B.
struct Sizes {
    m: usize,
    n: usize,
    k: usize,
    a: [usize; 2],
    b: [usize; 2],
}

impl Sizes {
    fn words(&self) -> Vec<u32> {
        [self.m, self.n, self.k, self.a[0], self.a[1], self.b[0], self.b[1]].map(|size| size as u32).to_vec()
    }
}

fn activation_code(activation: Activation) -> u32 {
    match activation {
        Activation::Linear => 0,
        Activation::Logistic => 1,
        Activation::Tanh => 2,
        Activation::Relu => 3,
        Activation::Softplus => 4,
    }
}

fn update_code(update: &Update) -> strait_shaders::Update {
    match update {
        Update::Store { .. } => strait_shaders::Update::Store,
        Update::Momentum { .. } => strait_shaders::Update::Momentum,
        Update::Adam { .. } => strait_shaders::Update::Adam,
    }
}

fn groups(count: usize, each: usize) -> u32 {
    count.div_ceil(each) as u32
}

impl Kernel {
    /// A kernel that does nothing yet.
    fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            extensions: &[],
            constants: vec![],
            parts: vec![],
            main: String::new(),
            sizes: vec![],
            buffers: vec![],
            metrics: false,
            workgroups: [1; 3],
        }
    }

    /// The kernel's name and its WGSL text.
    pub(super) fn source(&self) -> (String, String) {
        (self.name.clone(), assemble(self.extensions, &self.constants, &self.parts, &self.main))
    }

    /// The kernel on a device, bound to the buffers of its tensors.
    pub(super) fn compile(&self, gpu: &strait_device::Gpu, buffers: &[Buffer]) -> Result<Dispatch> {
        let (name, mut text) = self.source();
        let (mut accesses, mut bound) = (Vec::new(), Vec::new());
        // Bindings behind those that kernels number themselves.
        let mut free = FIRST_FREE_BINDING..;
        for &(binding, access, tensor) in &self.buffers {
            let pieces = buffers[tensor.id].pieces();
            let others: Vec<u32> = free.by_ref().take(pieces.len() - 1).collect();
            bound.extend(std::iter::once(binding).chain(others.iter().copied()).zip(pieces));
            accesses.extend(std::iter::once(binding).chain(others.iter().copied()).map(|binding| (binding, access)));
            if !others.is_empty() {
                text = Pieces { binding, others, words: gpu.piece_words() }.apply(&text);
            }
        }
        let most = gpu.most_buffers();
        if bound.len() + usize::from(self.metrics) > most {
            return Err(Error::Pieces { kernel: name, needed: bound.len(), most });
        }
        let pipeline = gpu.pipeline(&name, &text, &Bindings { buffers: accesses, metrics: self.metrics })?;
        Ok(gpu.dispatch(&pipeline, &self.sizes, &bound, self.workgroups)?)
    }

    /// The buffers that it binds, where tensors lie in so many pieces.
    fn bound(&self, pieces: &dyn Fn(Tensor) -> usize) -> usize {
        self.buffers.iter().map(|&(_, _, tensor)| pieces(tensor)).sum::<usize>() + usize::from(self.metrics)
    }
}

impl Lowering<'_> {
    /// How a product with a result of m x n and k terms is computed.
    fn choose(&self, Sizes { m, n, k, .. }: &Sizes) -> Shape {
        /// Workgroups that keep a large GPU busy.
        const BUSY: usize = 128;
        /// Terms from which on teams share them.
        const LONG: usize = 64;
        let busy = |shape: &Shape| m.div_ceil(shape.height() as usize) * n.div_ceil(shape.width() as usize) >= BUSY;
        match (self.tiles, self.cooperation) {
            (Tiles::Fixed(Shape::Fragments(_)), None) => Shape::Tile(Tile::SMALL),
            (Tiles::Fixed(shape), _) => shape,
            (_, Some(Cooperation { matrices: Matrices { edge, subgroup }, memory })) => {
                let large = Fragments::large(edge, subgroup);
                let fits = large.workgroup_memory() <= memory;
                let large = Some(Shape::Fragments(large)).filter(|shape| fits && busy(shape));
                large.unwrap_or(Shape::Fragments(Fragments::small(edge, subgroup)))
            }
            (Tiles::Hardware, None) => {
                let alone = [Tile::HUGE, Tile::LARGE, Tile::SMALL].map(Shape::Tile);
                // Sharing pays if each team has some parts to sum.
                let few = if *k >= LONG { Tile::SHARED } else { Tile::SMALL };
                alone.into_iter().find(busy).unwrap_or(Shape::Tile(few))
            }
            (Tiles::Software, None) => Shape::Tile(Tile::SOFTWARE),
        }
    }

    /// The kernels of an operation. `start` is where its numbers start in the metrics of a step.
    pub(super) fn lower(&self, op: &Op, start: usize) -> Vec<Kernel> {
        match op {
            Op::Gather { .. } => vec![gather(op)],
            Op::Scatter { input, data } => vec![scatter(*input, *data)],
            Op::Linear { .. } => vec![self.linear(op)],
            Op::Backprop { delta, weight, transposed, output, activation, out } => {
                let strides = if *transposed { [weight.cols, 1] } else { [1, weight.cols] };
                let sizes = Sizes { m: out.rows, n: out.cols, k: delta.cols, a: [delta.cols, 1], b: strides };
                let buffers = vec![
                    (1, Access::Read, *delta),
                    (2, Access::Read, *weight),
                    (3, Access::Read, *output),
                    (4, Access::Write, *out),
                ];
                let parts = vec![Part::Prelude, Part::Activation, Part::Product, Part::Backprop];
                let constants = vec![("ACTIVATION", activation_code(*activation))];
                vec![self.product("backprop", constants, parts, 1, sizes, buffers)]
            }
            Op::Gradient { .. } => self.gradient(op, None),
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
                    main: update_code(bias).text("bias", 2),
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
                buffers: [operands(&[Some(*inputs), Some(*weight), Some(*bias)]), vec![(4, Access::Write, *out)]]
                    .concat(),
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
                constants: vec![("K", *k as u32)],
                parts: vec![Part::Prelude, Part::Row, Part::TopK],
                buffers: vec![(1, Access::Read, *input), (2, Access::Write, *out)],
                ..self.by_row(op.name(), *input, start)
            }],
            Op::ColumnMeans { input, times, out } => {
                let mut buffers = vec![(1, Access::Read, *input), (2, Access::Write, *out)];
                vec![Kernel {
                    main: optional("factor_at", 3, *times, "1.0", &mut buffers),
                    parts: vec![Part::Prelude, Part::ColumnMeans],
                    sizes: vec![input.cols as u32],
                    buffers,
                    workgroups: [groups(input.cols, 64), 1, 1],
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
                vec![Kernel {
                    constants: vec![
                        ("ACTIVATION", activation_code(*activation)),
                        ("PENALTY", code),
                        ("WEIGHT", weight.to_bits()),
                        ("TARGET", target.to_bits()),
                    ],
                    parts: vec![Part::Prelude, Part::Activation, Part::Row, given, Part::Penalty],
                    buffers,
                    metrics: true,
                    ..self.by_row(op.name(), *output, start)
                }]
            }
            Op::Contraction { weight, output, activation, penalty, squares, costs } => vec![Kernel {
                constants: vec![("ACTIVATION", activation_code(*activation)), ("WEIGHT", penalty.to_bits())],
                parts: vec![Part::Prelude, Part::Activation, Part::Contraction],
                sizes: vec![weight.rows as u32, weight.cols as u32],
                buffers: vec![
                    (1, Access::Read, *weight),
                    (2, Access::Read, *output),
                    (3, Access::Write, *squares),
                    (4, Access::Write, *costs),
                ],
                workgroups: [groups(weight.cols, 64), 1, 1],
                ..Kernel::named(op.name())
            }],
            Op::Shrink { code, overlap, correlation, prediction, shrinkage, out } => {
                let constants = [("RATE", shrinkage.rate), ("SPARSITY", shrinkage.sparsity), ("PULL", shrinkage.pull)];
                let read = [*code, *overlap, *correlation, *prediction].map(Some);
                vec![Kernel {
                    parts: vec![Part::Prelude, Part::Elements, Part::Shrink],
                    buffers: [operands(&read), vec![(5, Access::Write, *out)]].concat(),
                    ..by_element(op.name(), *out, constants.map(|(name, x)| (name, x.to_bits())).to_vec())
                }]
            }
            Op::RowSums { input, columns } => {
                let given = if columns.is_some() { Part::ColumnGiven } else { Part::ColumnNone };
                vec![Kernel {
                    parts: vec![Part::Prelude, Part::Row, given, Part::RowSums],
                    buffers: operands(&[Some(*input), *columns]),
                    metrics: true,
                    ..self.by_row(op.name(), *input, start)
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
                constants: vec![("WEIGHT", kl_weight.to_bits()), ("STREAM", *stream)],
                parts: vec![Part::Prelude, Part::Row, Part::Reparameterize],
                buffers: vec![(1, Access::Read, *moments), (2, Access::Write, *noise), (3, Access::Write, *out)],
                metrics: true,
                ..self.by_row(op.name(), *moments, start)
            }],
            Op::ReparameterizeBackward { delta, moments, noise, kl_weight, out } => vec![Kernel {
                constants: vec![("WEIGHT", kl_weight.to_bits())],
                parts: vec![Part::Prelude, Part::ReparameterizeBackward],
                sizes: vec![delta.rows as u32, delta.cols as u32],
                buffers: [operands(&[Some(*delta), Some(*moments), Some(*noise)]), vec![(4, Access::Write, *out)]]
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
    fn by_row(&self, name: &str, input: Tensor, start: usize) -> Kernel {
        Kernel {
            sizes: [input.rows, input.cols, self.width, start].map(|size| size as u32).to_vec(),
            workgroups: [input.rows as u32, 1, 1],
            ..Kernel::named(name)
        }
    }

    fn product(
        &self,
        name: &str,
        constants: Vec<(&'static str, u32)>,
        parts: Vec<Part>,
        phases: u32,
        sizes: Sizes,
        buffers: Vec<(u32, Access, Tensor)>,
    ) -> Kernel {
        let tile = self.choose(&sizes);
        Kernel {
            extensions: tile.extensions(),
            name: format!("{name} {}", tile.name()),
            constants,
            parts,
            main: product(tile, phases, sizes.a[1] == 1, sizes.b[0] == 1, false),
            sizes: [sizes.words(), vec![0; 4]].concat(),
            buffers,
            metrics: false,
            workgroups: [groups(sizes.n, tile.width() as usize), groups(sizes.m, tile.height() as usize), 1],
        }
    }

    fn linear(&self, op: &Op) -> Kernel {
        let Op::Linear { input, weight, transposed, bias, activation, out, sample } = op else {
            unreachable!("called for linear operations");
        };
        let strides = if *transposed { [1, weight.cols] } else { [weight.cols, 1] };
        let sizes = Sizes { m: out.rows, n: out.cols, k: input.cols, a: [input.cols, 1], b: strides };
        let mut buffers = vec![
            (1, Access::Read, *input),
            (2, Access::Read, *weight),
            (3, Access::Read, *bias),
            (4, Access::Write, *out),
        ];
        let mut constants = vec![("ACTIVATION", activation_code(*activation))];
        let draw = match sample {
            None => Part::DrawNone,
            Some(sample) => {
                let code = match sample.sampling {
                    Sampling::Bernoulli => 1,
                    Sampling::Gaussian => 2,
                    Sampling::Rectified => 3,
                };
                constants.extend([("SAMPLING", code), ("STREAM", sample.stream)]);
                buffers.push((5, Access::Write, sample.out));
                Part::Draw
            }
        };
        let parts = vec![Part::Prelude, Part::Activation, Part::Product, Part::Linear, draw];
        self.product("linear", constants, parts, 1, sizes, buffers)
    }

    /// A gradient, with the squared errors of its reconstructions where they are wanted: one kernel if the adapter can
    /// bind that many buffers, else one for each part.
    pub(super) fn gradient(&self, op: &Op, errors: Option<usize>) -> Vec<Kernel> {
        let Op::Gradient { bias, input_bias, .. } = op else {
            unreachable!("called for gradients");
        };
        let roles: Vec<Role> = [bias.map(Role::Bias), input_bias.map(Role::InputBias), errors.map(Role::Errors)]
            .into_iter()
            .flatten()
            .collect();
        let whole = self.gradient_kernel(op, true, &roles);
        if whole.bound(self.pieces) <= self.most_buffers {
            return vec![whole];
        }
        let alone = roles.iter().map(|role| self.gradient_kernel(op, false, std::slice::from_ref(role)));
        std::iter::once(self.gradient_kernel(op, true, &[])).chain(alone).collect()
    }

    fn gradient_kernel(&self, op: &Op, with_product: bool, roles: &[Role]) -> Kernel {
        let Op::Gradient { positive: (x, d), negative, weight, plus, positions, scale, .. } = op else {
            unreachable!("called for gradients");
        };
        let sizes = Sizes { m: x.cols, n: d.cols, k: x.rows, a: [1, x.cols], b: [d.cols, 1] };
        let tile = self.choose(&sizes);
        let lanes = tile.invocations();
        let (across, down) = (groups(sizes.n, tile.width() as usize), groups(sizes.m, tile.height() as usize));
        let mut buffers = operands(&[Some(*x), Some(*d), negative.map(|pair| pair.0), negative.map(|pair| pair.1)]);
        let mut main = String::new();
        let mut parts = vec![Part::Prelude, Part::Product];
        parts.push(if negative.is_some() { Part::GradientTwo } else { Part::GradientOne });
        let mut update = |name: &str, update: &Update, binding: u32, main: &mut String| {
            *main += &update_code(update).text(name, binding);
            let tensors = update.tensors().into_iter().enumerate();
            buffers.extend(tensors.map(|(i, tensor)| (binding + i as u32, Access::Write, tensor)));
        };
        if with_product {
            update("weight", weight, 5, &mut main);
            let added = match plus {
                None => Part::PlusNone,
                Some(Addend::Decay { .. }) => Part::PlusDecay,
                Some(Addend::Gradient(_)) => Part::PlusGradient,
            };
            parts.extend([Part::Gradient, added]);
        }
        let mut other = String::new();
        let (mut count, mut start) = (0, 0);
        for role in roles {
            let (part, call, each) = match role {
                Role::Bias(bias) => {
                    update("bias", bias, 8, &mut main);
                    (Part::Bias, format!("bias((role - {count}u) * {lanes}u + lane)"), groups(sizes.n, lanes as usize))
                }
                Role::InputBias(bias) => {
                    update("input_bias", bias, 11, &mut main);
                    let call = format!("input_bias((role - {count}u) * {lanes}u + lane)");
                    (Part::InputBias, call, groups(sizes.m, lanes as usize))
                }
                Role::Errors(at) => {
                    start = *at;
                    (Part::Errors, format!("errors(role - {count}u, lane)"), sizes.k as u32)
                }
            };
            parts.push(part);
            count += each;
            other += &format!("    if role < {count}u {{ {call}; return; }}\n");
        }
        match plus.filter(|_| with_product) {
            None => {}
            Some(Addend::Gradient(gradient)) => buffers.push((14, Access::Read, gradient)),
            Some(Addend::Decay { weight: decaying, costs }) => {
                buffers.push((14, Access::Read, costs));
                // A buffer that is written must not be bound a second time.
                main += if weight.tensors().contains(&decaying) {
                    "fn weight_at(i: u32) -> f32 { return parameter_weight[i]; }\n"
                } else {
                    buffers.push((15, Access::Read, decaying));
                    "@group(0) @binding(15) var<storage, read> decaying: array<f32>;
fn weight_at(i: u32) -> f32 { return decaying[i]; }
"
                };
            }
        }
        if !roles.is_empty() {
            main += &format!("fn other(role: u32, lane: u32) {{\n{other}}}\n");
        }
        let phases = if negative.is_some() { 2 } else { 1 };
        let workgroups = if with_product {
            main += &product(tile, phases, false, false, !roles.is_empty());
            [across + count.div_ceil(down), down, 1]
        } else {
            main += &format!("@compute @workgroup_size({lanes})\n");
            main += "fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {\n";
            main += "    other(group.x, lane);\n}\n";
            [count, 1, 1]
        };
        let metrics = roles.iter().any(|role| matches!(role, Role::Errors(_)));
        let mut words = sizes.words();
        words.extend([across, down, self.width as u32, start as u32]);
        let name = if with_product { "gradient" } else { "beside the gradient" };
        Kernel {
            name: format!("{name} {}", tile.name()),
            extensions: if with_product { tile.extensions() } else { &[] },
            constants: vec![
                ("PHASES", phases),
                ("LANES", lanes),
                ("POSITIONS", *positions as u32),
                ("SCALE", scale.to_bits()),
            ],
            parts,
            main,
            sizes: words,
            buffers,
            metrics,
            workgroups,
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
        Kernel {
            constants: vec![
                ("FIRST", groups.first as u32),
                ("CLASSES", groups.classes as u32),
                ("TEAM", groups.classes.next_power_of_two().min(64) as u32),
                ("SCALE", scale.to_bits()),
                ("GIVEN", u32::from(given.is_some())),
                ("DRAWS", u32::from(states.is_some())),
                ("STREAM", states.map_or(0, |states| states.stream)),
            ],
            parts: vec![Part::Prelude, Part::Row, Part::Softmax],
            main,
            buffers,
            ..self.by_row(op.name(), *input, 0)
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
        Kernel {
            constants: vec![("KIND", code), ("ACTIVATION", activation_code(activation))],
            parts: vec![Part::Prelude, Part::Activation, Part::Row, emit, Part::Loss],
            buffers,
            metrics: true,
            ..self.by_row(op.name(), *input, start)
        }
    }
}

/// A function `name` of an element of a tensor that may be missing: then it is `none` everywhere.
fn optional(
    name: &str,
    binding: u32,
    tensor: Option<Tensor>,
    none: &str,
    buffers: &mut Vec<(u32, Access, Tensor)>,
) -> String {
    let Some(tensor) = tensor else {
        return format!("fn {name}(i: u32) -> f32 {{ return {none}; }}\n");
    };
    buffers.push((binding, Access::Read, tensor));
    format!(
        "@group(0) @binding({binding}) var<storage, read> of_{name}: array<f32>;
fn {name}(i: u32) -> f32 {{ return of_{name}[i]; }}
"
    )
}

/// Operands that are read, at bindings 1, 2, ...
fn operands(tensors: &[Option<Tensor>]) -> Vec<(u32, Access, Tensor)> {
    let numbered = tensors.iter().enumerate();
    numbered.filter_map(|(i, tensor)| tensor.map(|tensor| (i as u32 + 1, Access::Read, tensor))).collect()
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

/// A kernel whose invocations take the elements of a tensor in turn.
fn by_element(name: &str, out: Tensor, constants: Vec<(&'static str, u32)>) -> Kernel {
    let workgroups = groups(out.len(), 64).min(4096);
    Kernel {
        constants,
        sizes: vec![out.len() as u32, 64 * workgroups],
        workgroups: [workgroups, 1, 1],
        ..Kernel::named(name)
    }
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
