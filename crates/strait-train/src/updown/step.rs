//! A step of the up-down algorithm, recorded.

use strait_compute::philox::streams;
use strait_compute::{Activation, Draw, Groups, LossKind, Op, Sample, Sampling, Tensor, Update};
use strait_models::{Layer, Network, Wanted};

use crate::machine_tensors::{MachineTensors, Recording, squared_error};
use crate::optimizer::{gradient_of, momentum};
use crate::statistics::{follow, gradient};
use crate::{Result, UpDown};

/// Records the phases of a step and the updates.
pub(super) fn record(
    to: &mut Recording<'_>,
    recipe: &UpDown,
    (recognition, generative, top): (&Network, &Network, &MachineTensors),
    (x, y): (Tensor, Tensor),
    (chain, unlabelled): (Tensor, Tensor),
) -> Result<()> {
    let depth = recognition.layers.len();
    let features = top.weight.rows - y.cols;
    // Up: states by the recognition weights.
    let mut wake = vec![x];
    for (number, layer) in recognition.layers.iter().enumerate() {
        let (_, state) = draw(to, wake[number], layer, streams::UP + number as u32)?;
        wake.push(state);
    }
    let v0 = to.program.value("v0", x.rows, features + y.cols);
    to.step.push(Op::CopyColumns { input: wake[depth], first: 0, out: v0, to: 0, columns: features })?;
    to.step.push(Op::CopyColumns { input: y, first: 0, out: v0, to: features, columns: y.cols })?;
    let h0 = to.like("h0", chain);
    // Chains start at these states, or stay where they are.
    let state = if recipe.persistent { to.like("h0.state", h0) } else { chain };
    top.up(to, v0, Wanted::mean(h0).drawn(state, streams::UP_DOWN_DATA))?;
    let mut updates = Vec::new();
    if recipe.discriminative > 0.0 {
        let drawn = tell_labels_apart(to, top, (v0, h0), (unlabelled, y.cols))?;
        updates.extend(learn(to, top, ((v0, h0), drawn), ("discriminative", recipe.discriminative)));
    }
    if depth == 0 {
        let reconstruction = to.like("reconstruction", v0);
        top.down(to, h0, Wanted::mean(reconstruction).given(Some(v0)))?;
        to.step.push(squared_error(reconstruction, v0))?;
    }
    if depth > 0 || recipe.generative > 0.0 {
        let negative = top.gibbs(to, v0, chain, recipe.cd_steps)?;
        updates.extend(dream(to, (recognition, generative), &wake, negative.0)?);
        if recipe.generative > 0.0 {
            updates.extend(learn(to, top, ((v0, h0), negative), ("generative", recipe.generative)));
        }
    }
    updates.into_iter().try_for_each(|op| Ok(to.step.push(op)?))
}

/// Draws the layers below from the features of the top machine's chain, and gives the operations by which these layers learn:
/// the generative weights from the states inferred from the data, the recognition weights from those that were drawn.
fn dream(
    to: &mut Recording<'_>,
    (recognition, generative): (&Network, &Network),
    wake: &[Tensor],
    visible: Tensor,
) -> Result<Vec<Op>> {
    let depth = recognition.layers.len();
    let features = wake[depth];
    let mut updates = Vec::new();
    // Down: states by the generative weights, from those of the chain; the lowest stay means.
    let mut dreams = vec![to.like("dream", features)];
    to.step.push(Op::CopyColumns { input: visible, first: 0, out: dreams[0], to: 0, columns: features.cols })?;
    for (number, layer) in generative.layers.iter().enumerate().rev() {
        let (mean, state) = draw(to, dreams[dreams.len() - 1], layer, streams::DOWN + number as u32)?;
        dreams.push(if number == 0 { mean } else { state });
    }
    dreams.reverse();
    for number in 0..depth {
        updates.extend(predict(to, wake[number + 1], &generative.layers[number], wake[number])?);
    }
    for number in 0..depth {
        updates.extend(predict(to, dreams[number], &recognition.layers[number], dreams[number + 1])?);
    }
    Ok(updates)
}

/// The gradient of a term of the top machine's objective, between the statistics of two phases and by so much, and the updates by
/// it: each term has velocities of its own.
fn learn(
    to: &mut Recording<'_>,
    top: &MachineTensors,
    (positive, negative): ((Tensor, Tensor), (Tensor, Tensor)),
    (term, scale): (&str, f32),
) -> Vec<Op> {
    let slopes = top.parameters().map(|parameter| gradient_of(to.program, parameter));
    let updates = top.parameters().map(|parameter| {
        let name = format!("{}.{term}.velocity", to.program.name(parameter));
        Update::Momentum { parameter, velocity: to.program.state(name, parameter.rows, parameter.cols) }
    });
    let gradient = gradient(positive, negative, slopes, scale);
    std::iter::once(gradient).chain(follow(slopes, updates)).collect()
}

/// Records the loss −ln p(label | row), and whether another label is likelier, by means all the way up.
pub(super) fn classify(
    to: &mut Recording<'_>,
    (recognition, top): (&Network, &MachineTensors),
    (x, y): (Tensor, Tensor),
) -> Result<()> {
    let mut features = x;
    for &Layer { weight, transposed, bias, activation, .. } in &recognition.layers {
        let out = to.program.value("validation.mean", x.rows, weight.cols);
        to.step.push(Op::Linear { input: features, weight, transposed, bias, activation, out, sample: None })?;
        features = out;
    }
    // Without a label: its units are 0.
    let unlabelled = to.program.value("validation.v", x.rows, top.weight.rows);
    let inputs = to.program.value("validation.inputs", x.rows, top.weight.cols);
    let energies = to.program.value("validation.energies", x.rows, y.cols);
    let copied = Op::CopyColumns { input: features, first: 0, out: unlabelled, to: 0, columns: features.cols };
    let MachineTensors { weight, biases, .. } = *top;
    let (activation, sample) = (Activation::Linear, None);
    for op in [
        copied,
        Op::Linear { input: unlabelled, weight, transposed: false, bias: biases.1, activation, out: inputs, sample },
        Op::ClassEnergies { inputs, weight, bias: biases.0, out: energies },
        Op::Loss { kind: LossKind::SoftmaxCrossEntropy, input: energies, target: y, output: None, delta: None },
    ] {
        to.step.push(op)?;
    }
    Ok(())
}

/// Records a label for each row, drawn from p(label | features) as the top machine has it. Gives the rows with it and the hidden
/// means then: the statistics less which those with the right label are ∂ ln p(label | features) / ∂θ, exactly on the mean.
fn tell_labels_apart(
    to: &mut Recording<'_>,
    top: &MachineTensors,
    (v0, h0): (Tensor, Tensor),
    (unlabelled, classes): (Tensor, usize),
) -> Result<(Tensor, Tensor)> {
    let features = v0.cols - classes;
    let inputs = to.like("unlabelled.inputs", h0);
    let MachineTensors { weight, biases, .. } = *top;
    to.step.push(Op::CopyColumns { input: v0, first: 0, out: unlabelled, to: 0, columns: features })?;
    let (activation, sample) = (Activation::Linear, None);
    to.step.push(Op::Linear {
        input: unlabelled,
        weight,
        transposed: false,
        bias: biases.1,
        activation,
        out: inputs,
        sample,
    })?;
    let [energies, mean, label] =
        ["energies", "label.mean", "label"].map(|name| to.program.value(name, v0.rows, classes));
    to.step.push(Op::ClassEnergies { inputs, weight, bias: biases.0, out: energies })?;
    let (groups, states) = (Groups::one(classes), Some(Draw { out: label, stream: streams::UP_DOWN_LABEL }));
    to.step.push(Op::Softmax { input: energies, groups, scale: 1.0, given: None, out: mean, states })?;
    let (other, hidden) = (to.like("label.v", v0), to.like("label.h", h0));
    to.step.push(Op::CopyColumns { input: v0, first: 0, out: other, to: 0, columns: features })?;
    to.step.push(Op::CopyColumns { input: label, first: 0, out: other, to: features, columns: classes })?;
    top.up(to, other, Wanted::mean(hidden))?;
    Ok((other, hidden))
}

/// The means of a layer's units, and their states.
fn draw(to: &mut Recording<'_>, input: Tensor, layer: &Layer, stream: u32) -> Result<(Tensor, Tensor)> {
    let &Layer { weight, transposed, bias, activation, .. } = layer;
    let [out, state] = ["mean", "state"].map(|name| to.program.value(name, input.rows, weight.cols));
    let sample = Some(Sample { sampling: Sampling::Bernoulli, out: state, stream });
    to.step.push(Op::Linear { input, weight, transposed, bias, activation, out, sample })?;
    Ok((out, state))
}

/// Records how likely a layer makes its target, and gives the operations by which it learns to make it more likely.
fn predict(to: &mut Recording<'_>, input: Tensor, layer: &Layer, target: Tensor) -> Result<[Op; 3]> {
    let &Layer { weight, transposed, bias, .. } = layer;
    let [logits, delta] = ["logits", "delta"].map(|name| to.like(name, target));
    let activation = Activation::Linear;
    to.step.push(Op::Linear { input, weight, transposed, bias, activation, out: logits, sample: None })?;
    let kind = LossKind::CrossEntropy;
    to.step.push(Op::Loss { kind, input: logits, target, output: None, delta: Some(delta) })?;
    let [of_weight, of_bias] = [weight, bias].map(|parameter| gradient_of(to.program, parameter));
    let gradient = Op::Gradient {
        positive: (input, delta),
        negative: None,
        weight: Update::Store { gradient: of_weight },
        bias: Some(Update::Store { gradient: of_bias }),
        input_bias: None,
        plus: None,
        positions: 1,
        scale: 1.0,
    };
    let mut update =
        |parameter, gradient, decays| Op::Update { gradient, update: momentum(to.program, parameter), decays };
    Ok([gradient, update(weight, of_weight, true), update(bias, of_bias, false)])
}
