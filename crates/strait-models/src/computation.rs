//! What is computed of rows by a part of a model, as it is recorded into a program.

use std::borrow::Cow;

use strait_compute::{Activation, Device, Execution, LossKind, Op, Program, Routine, Tensor};

use crate::network::{EVALUATION_BATCH, LargestOutputs, evaluation_batch};
use crate::vae::record_bound;
use crate::{Affine, Network, Rbm, Result, SequenceAutoencoder, Tape, Vae};

/// Layers, and what follows them.
pub(crate) struct Computation<'a> {
    /// At least one.
    pub(crate) layers: Cow<'a, [Affine]>,
    /// The layer of whose outputs only the largest stay.
    pub(crate) largest: Option<LargestOutputs>,
    pub(crate) end: End<'a>,
}

/// What follows the layers.
pub(crate) enum End<'a> {
    /// Nothing.
    Outputs,
    /// The sum of each row's outputs.
    Sums,
    /// In place of outputs, so many of the largest, and behind them the units that they belong to. The last layer is one of rectified units.
    Largest(usize),
    /// The squared error of each row, whose reconstruction the outputs are.
    Errors,
    /// In place of outputs, both terms of the evidence lower bound of each row, with one random code. The layers are all those of
    /// this model.
    Bound(&'a Vae),
    /// In place of outputs, the codes of sequences. The layers are all those of this model, as they are of the next.
    Codes(&'a SequenceAutoencoder),
    /// In place of outputs, the sequences of codes.
    Sequences(&'a SequenceAutoencoder),
    /// The negative free energies of each row with each class. The layer gives the total inputs of a machine's hidden units.
    Classes(Label<'a>),
}

/// The units of a machine that stand for the label.
pub(crate) struct Label<'a> {
    /// `[classes, hidden]`
    weight: &'a [f32],
    /// `[classes]`
    bias: &'a [f32],
}

/// The tensors of the parameters.
pub(crate) struct Parameters {
    network: Network,
    /// The weights and biases of the label.
    label: Option<[Tensor; 2]>,
}

impl<'a> Computation<'a> {
    pub(crate) fn outputs(layers: impl Into<Cow<'a, [Affine]>>) -> Self {
        Self { layers: layers.into(), largest: None, end: End::Outputs }
    }

    /// The encoder of sequences; of codes that are drawn their means.
    pub(crate) fn codes(net: &'a SequenceAutoencoder) -> Self {
        Self { end: End::Codes(net), ..Self::outputs(&net.layers[..]) }
    }

    /// The decoder of sequences, which is fed with the codes.
    pub(crate) fn sequences(net: &'a SequenceAutoencoder) -> Self {
        Self { end: End::Sequences(net), ..Self::outputs(&net.layers[..]) }
    }

    /// Of a machine with binary hidden units, whose visible units from `first` on are the label.
    pub(crate) fn classes(rbm: &'a Rbm, first: usize) -> Self {
        let (hidden, activation) = (rbm.hidden_bias.len(), Activation::Linear);
        let (of_rows, of_classes) = rbm.weight.split_at(first * hidden);
        let (weight, bias) = (of_rows.to_vec(), rbm.hidden_bias.clone());
        let layer =
            Affine { inputs: first, outputs: hidden, activation, weight, bias, convolution: None, threshold: None };
        let label = Label { weight: of_classes, bias: &rbm.visible_bias[first..] };
        Self { layers: vec![layer].into(), largest: None, end: End::Classes(label) }
    }

    /// Values in a row.
    pub(crate) fn inputs(&self) -> usize {
        match &self.end {
            End::Codes(net) => net.inputs(),
            End::Sequences(net) => net.code_size(),
            End::Outputs | End::Sums | End::Largest(_) | End::Errors | End::Bound(_) | End::Classes(_) => {
                self.layers[0].inputs
            }
        }
    }

    /// Rows of a minibatch.
    pub(crate) fn batch(&self, device: &Device) -> usize {
        match &self.end {
            End::Codes(net) | End::Sequences(net) => net.shape.evaluation_batch(device),
            End::Outputs | End::Sums | End::Largest(_) | End::Errors | End::Bound(_) | End::Classes(_) => {
                evaluation_batch(device, &self.layers, EVALUATION_BATCH)
            }
        }
    }

    /// Values that are computed for each row.
    pub(crate) fn width(&self) -> usize {
        match &self.end {
            End::Classes(label) => label.bias.len(),
            End::Codes(net) => net.code_size(),
            End::Sequences(net) => net.shape.values(),
            End::Largest(k) => 2 * k,
            End::Outputs | End::Sums | End::Errors | End::Bound(_) => self.layers[self.layers.len() - 1].outputs,
        }
    }

    pub(crate) fn declare(&self, program: &mut Program) -> Parameters {
        let network = Network::declare(program, "layers", &self.layers);
        let label = match &self.end {
            End::Classes(Label { weight, bias }) => {
                let classes = bias.len();
                let weight = program.parameter("label.weight", classes, weight.len() / classes);
                Some([weight, program.parameter("label.visible_bias", 1, classes)])
            }
            #[rustfmt::skip]
            End::Outputs | End::Sums | End::Largest(_) | End::Errors | End::Bound(_) | End::Codes(_) | End::Sequences(_) => None,
        };
        Parameters { network, label }
    }

    /// Records it over a minibatch; gives the values that are computed, unless these are sums and losses alone.
    pub(crate) fn record(
        &self,
        Parameters { network, label }: &Parameters,
        program: &mut Program,
        routine: &mut Routine,
        input: Tensor,
    ) -> Result<Option<Tensor>> {
        if let End::Bound(vae) = self.end {
            record_bound(vae, network, program, routine, input)?;
            return Ok(None);
        }
        let mut tape = Tape::measuring(program, routine, input.rows);
        let x = tape.data(input);
        match self.end {
            End::Codes(net) => return net.record_means(&mut tape, &network.layers, x).map(Some),
            End::Sequences(net) => {
                let made = net.record_sequences(&mut tape, &network.layers, x, None, None, false)?;
                return Ok(Some(tape.tensor(made)));
            }
            End::Largest(k) => {
                let code = tape.chain(x, &network.layers)?;
                let listed = tape.list_largest(code, k)?;
                return tape.with_units(listed).map(Some);
            }
            End::Outputs | End::Sums | End::Errors | End::Bound(_) | End::Classes(_) => {}
        }
        let last = tape.chain_keeping(x, &network.layers, self.largest)?;
        let last = tape.tensor(last);
        if let Some([weight, bias]) = *label {
            let out = program.value("energies", input.rows, bias.cols);
            routine.push(Op::ClassEnergies { inputs: last, weight, bias, out })?;
            return Ok(Some(out));
        }
        if let End::Sums = self.end {
            routine.push(Op::RowSums { input: last, columns: None })?;
            return Ok(None);
        }
        if let End::Errors = self.end {
            let kind = LossKind::SquaredError { activation: Activation::Linear };
            routine.push(Op::Loss { kind, input: last, target: input, output: None, delta: None })?;
        }
        Ok(Some(last))
    }

    /// Writes the parameters to a device.
    pub(crate) fn write(&self, parameters: &Parameters, execution: &mut dyn Execution) -> Result<()> {
        parameters.network.write(execution, &self.layers)?;
        if let (End::Classes(label), Some([weight, bias])) = (&self.end, parameters.label) {
            execution.write(weight, label.weight)?;
            execution.write(bias, label.bias)?;
        }
        Ok(())
    }
}
