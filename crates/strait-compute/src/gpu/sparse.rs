//! The kernels of rows of few numbers.

use strait_device::Access as Binding;
use strait_shaders::Part;

use super::kernel::{Kernel, activation_code, bound, by_place, groups, optional, update_code, words};
use crate::op::{Along, ByColumn, Op, SparseRows, StraightThrough, Update};
use crate::{Activation, Tensor};

/// The most workgroups along the rows of the weights: adapters limit their number.
const ROWS_AT_ONCE: usize = 16_384;

/// `act(C W + b)`.
pub(super) fn linear(
    name: &str,
    input: SparseRows,
    [weight, bias, out]: [Tensor; 3],
    activation: Activation,
) -> Kernel {
    Kernel {
        constants: vec![("ACTIVATION", activation_code(activation))],
        parts: vec![Part::Prelude, Part::Activation, Part::SparseLinear],
        buffers: bound(&[input.values, input.columns, weight, bias], &[out]),
        ..by_place(name, [out.rows, out.cols], 64).with(words([input.values.cols]))
    }
}

/// The derivatives with respect to entries.
pub(super) fn backprop(name: &str, delta: Tensor, weight: Tensor, input: SparseRows, out: Tensor) -> Kernel {
    Kernel {
        parts: vec![Part::Prelude, Part::SparseBackprop],
        sizes: words([delta.rows, delta.cols, out.cols]),
        buffers: bound(&[delta, weight, input.values, input.columns], &[out]),
        workgroups: [out.cols as u32, out.rows as u32, 1],
        ..Kernel::named(name)
    }
}

/// Counting, adding up, listing.
pub(super) fn by_column(name: &str, rows: SparseRows, out: ByColumn) -> Vec<Kernel> {
    let columns = out.starts.cols - 1;
    let each = |counts: u32| Kernel {
        constants: vec![("COUNTS", counts)],
        parts: vec![Part::Prelude, Part::ByColumn],
        sizes: words([columns, rows.values.cols]),
        buffers: bound(&[rows.values, rows.columns], &[out.starts, out.entries]),
        workgroups: [groups(columns, 64), 1, 1],
        ..Kernel::named(name)
    };
    let starts = Kernel {
        parts: vec![Part::Prelude, Part::Starts],
        sizes: words([columns, out.entries.cols]),
        buffers: bound(&[], &[out.starts, out.entries]),
        ..Kernel::named(name)
    };
    vec![each(1), starts, each(0)]
}

/// The largest entries of all rows together.
pub(super) fn batch_largest(name: &str, input: Tensor, threshold: Tensor, k: usize, rate: f32, out: Tensor) -> Kernel {
    Kernel {
        constants: vec![("K", k as u32), ("RATE", rate.to_bits())],
        parts: vec![Part::Prelude, Part::Key, Part::BatchLargest],
        sizes: words([input.len(), input.cols, threshold.cols]),
        buffers: bound(&[input], &[threshold, out]),
        ..Kernel::named(name)
    }
}

/// The entries above the thresholds of their units.
pub(super) fn jump_relu(name: &str, input: SparseRows, threshold: Tensor, bandwidth: f32, out: [Tensor; 2]) -> Kernel {
    Kernel {
        constants: vec![("HALF", (0.5 * bandwidth).to_bits())],
        parts: vec![Part::Prelude, Part::JumpReluListed],
        sizes: words([input.values.len(), input.values.cols]),
        buffers: bound(&[input.values, input.columns, threshold], &out),
        ..Kernel::named(name)
    }
}

/// The way back to entries and thresholds.
pub(super) fn jump_relu_backward(
    name: &str,
    [input, threshold, active]: [Tensor; 3],
    order: ByColumn,
    straight: StraightThrough,
    out: [Tensor; 2],
) -> Kernel {
    let StraightThrough { bandwidth, weight, mean } = straight;
    let constants = [("BANDWIDTH", bandwidth), ("WEIGHT", weight), ("MEAN", mean)];
    Kernel {
        constants: constants.map(|(name, x)| (name, x.to_bits())).to_vec(),
        parts: vec![Part::Prelude, Part::JumpReluBackward],
        sizes: words([threshold.cols]),
        buffers: bound(&[input, order.starts, order.entries, threshold, active], &out),
        workgroups: [groups(threshold.cols, 64), 1, 1],
        ..Kernel::named(name)
    }
}

/// Gradients of weights, and of the bias in a kernel of its own.
pub(super) fn gradient(op: &Op) -> Vec<Kernel> {
    let Op::SparseGradient { values, order, dense, transposed, weight, bias, along } = *op else {
        unreachable!("only gradients of rows of few numbers are lowered here");
    };
    let target = weight.target();
    let reads = [values, order.starts, order.entries, dense];
    let mut buffers = bound(&reads, &[]);
    let mut main = update_code(&weight).text("weight", 5, false);
    buffers.extend((5..).zip(weight.tensors()).map(|(binding, tensor)| (binding, Binding::Write, tensor)));
    main += &optional("derivative_at", 8, along.map(|along| along.derivatives), "0.0", &mut buffers);
    main += &match (along, weight) {
        // A buffer that is written must not be bound a second time.
        (Some(Along { weight: unit, .. }), Update::Momentum { parameter, .. } | Update::Adam { parameter, .. })
            if unit == parameter =>
        {
            "fn weight_at(i: u32) -> f32 { return parameter_weight[i]; }\n".to_owned()
        }
        _ => optional("weight_at", 9, along.map(|along| along.weight), "0.0", &mut buffers),
    };
    let rows = target.rows.min(ROWS_AT_ONCE);
    let weights = Kernel {
        constants: vec![
            ("TRANSPOSED", u32::from(transposed)),
            ("ALONG", u32::from(along.is_some())),
            ("ROWS_AT_ONCE", ROWS_AT_ONCE as u32),
        ],
        parts: vec![Part::Prelude, Part::SparseGradient],
        main,
        buffers,
        workgroups: [groups(target.cols, 64), rows as u32, 1],
        ..by_place(op.name(), [target.rows, target.cols], 64).with(words([values.cols]))
    };
    let biases = bias.map(|bias| {
        let mut buffers = bound(&reads[..3], &[]);
        buffers.extend((4..).zip(bias.tensors()).map(|(binding, tensor)| (binding, Binding::Write, tensor)));
        let columns = bias.target().cols;
        Kernel {
            parts: vec![Part::Prelude, Part::SparseBias],
            main: update_code(&bias).text("bias", 4, false),
            sizes: words([columns]),
            buffers,
            workgroups: [groups(columns, 64), 1, 1],
            ..Kernel::named(op.name())
        }
    });
    std::iter::once(weights).chain(biases).collect()
}
