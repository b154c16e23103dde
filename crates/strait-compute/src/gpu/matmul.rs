//! From products to kernels: which tile, how operands are read, and what goes along with a gradient.

use strait_device::{Access, Matrices};
use strait_shaders::{Fragments, Operand, Part, SIZE, Shape, Tile, given, operand, product, result};

use super::kernel::{Entry, Kernel, activation_code, bound, groups, summing, update_code};
use super::lower::{Lowering, Tiles};
use crate::op::{Addend, Op, Update};
use crate::{Sampling, Tensor};

/// Small work that goes with the product of a gradient.
#[derive(Clone, Copy)]
enum Beside {
    Bias(Update),
    InputBias(Update),
    /// The squared errors of the reconstructions, whose numbers start there in the metrics of a step.
    Errors(usize),
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

    fn work(&self) -> usize {
        self.m * self.n * self.k
    }

    /// How A and B are read by a product of this shape. Four numbers at a time may be laid down in as many vectors of the workgroup's
    /// memory; where these are written as a whole only, they have to be read one by one.
    fn operands(&self, shape: Shape, whole_vectors: bool) -> [Operand; 2] {
        let ([a_m, a_k], [b_k, b_n]) = (self.a, self.b);
        [[a_m, a_k], [b_n, b_k]].map(|[step, step_k]| {
            let along_k = step_k == 1;
            let readable = !whole_vectors || shape.staged_along_k(along_k) == along_k;
            Operand { along_k, wide: readable && is_wide(shape, if along_k { step } else { step_k }) }
        })
    }
}

/// Whether a product of this shape reads and writes a matrix with so many columns four numbers at a time. Adapters that are
/// really a CPU take single numbers anyway.
fn is_wide(shape: Shape, columns: usize) -> bool {
    columns.is_multiple_of(4) && !matches!(shape, Shape::Tile(Tile { depth: 0, .. }))
}

/// The sizes of a product as kernels read them: behind those of the matrices the workgroups, where the metrics are, and the stream of
/// random states. They fill a multiple of 16 bytes, from which those of a second product go on.
fn product_sizes(sizes: &Sizes, others: [u32; 6]) -> Vec<u32> {
    let mut words = sizes.words();
    words.extend(others);
    words.resize(words.len().next_multiple_of(4), 0);
    words
}

/// How many tiles there are along the columns and the rows.
fn tiles(tile: Shape, sizes: &Sizes) -> (u32, u32) {
    (groups(sizes.n, tile.width() as usize), groups(sizes.m, tile.height() as usize))
}

/// Whether a workgroup that shares so much memory can compute such tiles, or those of a pair of gradients, which have up to four
/// sums for each invocation beside the operands.
pub(super) fn fits(shape: Shape, memory: u32) -> bool {
    shape.workgroup_memory() + 16 * shape.invocations() <= memory
}

impl Lowering<'_> {
    /// How a product with a result of m x n and k terms is computed.
    fn choose(&self, &Sizes { m, n, .. }: &Sizes) -> Shape {
        /// Tiles that keep a large GPU busy.
        const BUSY: usize = 100;
        let busy = |shape: &Shape| m.div_ceil(shape.height() as usize) * n.div_ceil(shape.width() as usize) >= BUSY;
        let fits = |shape: &Shape| fits(*shape, self.memory);
        // The largest that keeps a GPU busy, or the smallest.
        let best = |shapes: Vec<Shape>| {
            let fitting: Vec<Shape> = shapes.into_iter().filter(fits).collect();
            fitting.iter().copied().find(busy).or(fitting.last().copied()).unwrap_or(Shape::Tile(Tile::SMALL))
        };
        match (self.tiles, self.matrices) {
            (Tiles::Fixed(Shape::Fragments(_)), None) => Shape::Tile(Tile::SMALL),
            (Tiles::Fixed(shape), _) => shape,
            (_, Some(Matrices { edge, subgroup, either_way })) => {
                let shapes = Fragments::shapes(edge, subgroup, either_way);
                best(shapes.into_iter().map(Shape::Fragments).collect())
            }
            (Tiles::Hardware, None) => {
                let shapes = [Tile::HUGE, Tile::LARGE, Tile::SHARED, Tile::NARROW, Tile::TINY];
                best(shapes.map(Shape::Tile).to_vec())
            }
            (Tiles::Software, None) => Shape::Tile(Tile::SOFTWARE),
        }
    }

    fn product(
        &self,
        name: &str,
        (constants, parts): (Vec<(&'static str, u32)>, Vec<Part>),
        sizes: Sizes,
        buffers: Vec<(u32, Access, Tensor)>,
        stream: u32,
        of_tail: impl Fn(bool) -> String,
    ) -> Kernel {
        let tile = self.choose(&sizes);
        let operands = sizes.operands(tile, self.whole_vectors);
        let [a, b] = operands.map(|operand| operand.wide);
        let operands_text = operand("a", 1, a) + &operand("b", 2, b);
        let (across, down) = tiles(tile, &sizes);
        Kernel {
            extensions: tile.extensions(),
            name: format!("{name} {}", tile.name()),
            constants,
            parts,
            main: operands_text + &of_tail(is_wide(tile, sizes.n)) + &product(tile, 1, operands),
            sizes: product_sizes(&sizes, [across, down, 0, 0, across, stream]),
            buffers,
            workgroups: [across, down, 1],
            product: Some(Entry { invocations: tile.invocations(), others: false, work: sizes.work() }),
            ..Kernel::named("")
        }
    }

    pub(super) fn linear(&self, op: &Op) -> Kernel {
        let Op::Linear { input, weight, transposed, bias, activation, out, sample } = op else {
            unreachable!("called for linear operations");
        };
        let strides = if *transposed { [1, weight.cols] } else { [weight.cols, 1] };
        let sizes = Sizes { m: out.rows, n: out.cols, k: input.cols, a: [input.cols, 1], b: strides };
        let mut buffers = bound(&[*input, *weight, *bias], &[*out]);
        let mut constants = vec![("ACTIVATION", activation_code(*activation))];
        let draw = match sample {
            None => Part::DrawNone,
            Some(sample) => {
                let code = match sample.sampling {
                    Sampling::Bernoulli => 1,
                    Sampling::Gaussian => 2,
                    Sampling::Rectified => 3,
                };
                constants.push(("SAMPLING", code));
                buffers.push((5, Access::Write, sample.out));
                Part::Draw
            }
        };
        let parts = vec![Part::Prelude, Part::Activation, Part::Matmul, Part::OnePhase, Part::Linear, draw];
        let of_tail = |wide: bool| {
            let states = sample.map(|_| result("states", 5, wide)).unwrap_or_default();
            given("bias", 3, wide) + &result("out", 4, wide) + &states
        };
        let stream = sample.map_or(0, |sample| sample.stream);
        self.product("linear", (constants, parts), sizes, buffers, stream, of_tail)
    }

    pub(super) fn backprop(&self, op: &Op) -> Kernel {
        let Op::Backprop { delta, weight, transposed, output, activation, out } = op else {
            unreachable!("called for back-propagation");
        };
        let strides = if *transposed { [weight.cols, 1] } else { [1, weight.cols] };
        let sizes = Sizes { m: out.rows, n: out.cols, k: delta.cols, a: [delta.cols, 1], b: strides };
        let buffers = bound(&[*delta, *weight, *output], &[*out]);
        let parts = vec![Part::Prelude, Part::Activation, Part::Matmul, Part::OnePhase, Part::Backprop];
        let constants = vec![("ACTIVATION", activation_code(*activation))];
        let of_tail = |wide: bool| given("y", 3, wide) + &result("out", 4, wide);
        self.product("backprop", (constants, parts), sizes, buffers, 0, of_tail)
    }

    /// A gradient, with the squared errors of its reconstructions where they are wanted: one kernel if the adapter can
    /// bind that many buffers, else one for each part.
    pub(super) fn gradient(&self, op: &Op, errors: Option<usize>) -> Vec<Kernel> {
        let Op::Gradient { bias, input_bias, .. } = op else {
            unreachable!("called for gradients");
        };
        let beside: Vec<Beside> =
            [bias.map(Beside::Bias), input_bias.map(Beside::InputBias), errors.map(Beside::Errors)]
                .into_iter()
                .flatten()
                .collect();
        let whole = self.gradient_kernel(op, true, &beside);
        if whole.bound(self.pieces) <= self.most_buffers {
            return vec![whole];
        }
        let alone = beside.iter().map(|role| self.gradient_kernel(op, false, std::slice::from_ref(role)));
        std::iter::once(self.gradient_kernel(op, true, &[])).chain(alone).collect()
    }

    fn gradient_kernel(&self, op: &Op, with_product: bool, beside: &[Beside]) -> Kernel {
        let Op::Gradient { positive: (x, d), negative, weight, plus, positions, scale, .. } = op else {
            unreachable!("called for gradients");
        };
        let sizes = Sizes { m: x.cols, n: d.cols, k: x.rows, a: [1, x.cols], b: [d.cols, 1] };
        let tile = self.choose(&sizes);
        let lanes = tile.invocations();
        let (across, down) = tiles(tile, &sizes);
        let statistics = [Some((*x, *d)), *negative].into_iter().flatten().flat_map(|(x, d)| [x, d]);
        let mut buffers = bound(&statistics.collect::<Vec<_>>(), &[]);
        let [a, b] = sizes.operands(tile, self.whole_vectors);
        let mut main = operand("a", 1, a.wide) + &operand("b", 2, b.wide);
        if negative.is_some() {
            main += &(operand("v", 3, a.wide) + &operand("h", 4, b.wide));
        }
        let mut parts = vec![Part::Prelude, Part::Matmul];
        parts.push(if negative.is_some() { Part::TwoPhases } else { Part::OnePhase });
        let wide = is_wide(tile, sizes.n);
        let mut update = |name: &str, update: &Update, binding: u32, wide: bool, main: &mut String| {
            *main += &update_code(update).text(name, binding, wide);
            let tensors = update.tensors().into_iter().enumerate();
            buffers.extend(tensors.map(|(i, tensor)| (binding + i as u32, Access::Write, tensor)));
        };
        if with_product {
            update("weight", weight, 5, wide, &mut main);
            let added = match plus {
                None => Part::PlusNone,
                Some(Addend::Decay { .. }) => Part::PlusDecay,
                Some(Addend::Gradient(added)) if *weight == (Update::Store { gradient: *added }) => Part::PlusItself,
                Some(Addend::Gradient(_)) => Part::PlusGradient,
            };
            let tail = if wide { Part::GradientWide } else { Part::GradientNarrow };
            parts.extend([Part::Gradient, tail, added]);
        }
        if beside.iter().any(|role| matches!(role, Beside::Bias(_) | Beside::InputBias(_))) {
            parts.push(Part::Columns);
        }
        let mut other = String::new();
        let (mut count, mut start) = (0, 0);
        for role in beside {
            let (part, call, each) = match role {
                Beside::Bias(bias) => {
                    update("bias", bias, 8, false, &mut main);
                    (Part::Bias, format!("bias(role - {count}u, lane)"), summing(sizes.n))
                }
                Beside::InputBias(bias) => {
                    update("input_bias", bias, 11, false, &mut main);
                    let call = format!("input_bias(role - {count}u, lane)");
                    (Part::InputBias, call, summing(sizes.m))
                }
                Beside::Errors(at) => {
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
            Some(Addend::Gradient(gradient)) if *weight == (Update::Store { gradient }) => {
                // A buffer that is written must not be bound a second time.
                main += match wide {
                    true => "fn gradient_at(i: u32) -> f32 { return gradient_weight[i / 4u][i % 4u]; }\n",
                    false => "fn gradient_at(i: u32) -> f32 { return gradient_weight[i]; }\n",
                };
            }
            Some(Addend::Gradient(gradient)) => buffers.push((14, Access::Read, gradient)),
            Some(Addend::Decay { weight: decaying, costs }) => {
                buffers.push((14, Access::Read, costs));
                // A buffer that is written must not be bound a second time.
                let own = weight.tensors().contains(&decaying);
                main += match (own, wide) {
                    (true, true) => "fn weight_at(i: u32) -> f32 { return parameter_weight[i / 4u][i % 4u]; }\n",
                    (true, false) => "fn weight_at(i: u32) -> f32 { return parameter_weight[i]; }\n",
                    (false, _) => {
                        buffers.push((15, Access::Read, decaying));
                        "@group(0) @binding(15) var<storage, read> decaying: array<f32>;
fn weight_at(i: u32) -> f32 { return decaying[i]; }
"
                    }
                };
            }
        }
        if !beside.is_empty() {
            main += &format!("fn other(role: u32, lane: u32) {{\n{other}}}\n");
        }
        let phases = if negative.is_some() { 2 } else { 1 };
        let workgroups = if with_product {
            main += &product(tile, phases, [a, b]);
            [across + count.div_ceil(down), down, 1]
        } else {
            main += &format!("{SIZE}@compute @workgroup_size({lanes})\n");
            main += "fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {\n";
            main += "    other(group.x, lane);\n}\n";
            [count, 1, 1]
        };
        let metrics = beside.iter().any(|role| matches!(role, Beside::Errors(_)));
        let words = product_sizes(&sizes, [across, down, self.width as u32, start as u32, workgroups[0], 0]);
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
            product: with_product.then_some(Entry {
                invocations: lanes,
                others: !beside.is_empty(),
                work: sizes.work(),
            }),
        }
    }
}
