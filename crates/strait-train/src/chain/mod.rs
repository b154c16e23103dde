//! Where the negative phase of a Boltzmann machine's training starts. Each kind of chain is a file of its own.

mod data;
mod fast;
mod mean_field;
mod persistent;
mod tempered;

use serde::{Deserialize, Serialize};
use strait_compute::{Op, Program, Tensor, Update};
use strait_models::{Units, Wanted};

use crate::machine_tensors::{MachineTensors, Recording};
use crate::{Error, Result, statistics};

/// Where the negative phase starts.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Chain {
    /// At the data: contrastive divergence (Hinton 2002). Reconstructions stay means.
    #[default]
    Data,
    /// Where it ended in the step before: persistent contrastive divergence (Tieleman 2008), one chain for each row of a
    /// minibatch, all of whose units are drawn. It takes a smaller learning rate.
    Persistent,
    /// The same with fast weights on top of the others (Tieleman & Hinton 2009), which learn at this rate, are forgotten by a
    /// twentieth in each step, and drive the chains away from where they have been.
    FastPersistent {
        /// The rate of the fast weights beside layers of binary units.
        rate: f32,
    },
    /// Persistent chains at several temperatures, of which neighbours change places: parallel tempering (Desjardins et al. 2010).
    /// For binary units and groups.
    Tempered {
        /// How many chains there are for each row of a minibatch, at evenly spaced inverse temperatures.
        chains: usize,
        /// The lowest of these, at least 0; the highest is 1.
        hottest: f32,
    },
    /// At the data, with means in place of states in the hidden layers, too: mean-field contrastive divergence (Welling & Hinton
    /// 2002). Nothing is drawn, and a step is the cheapest of all; the gradient has a bias that sampling does not have.
    MeanField,
}

impl Chain {
    /// What records it.
    pub(crate) fn recorder(self) -> Box<dyn Recorder> {
        match self {
            Self::Data => Box::new(data::Data),
            Self::Persistent => Box::new(persistent::Persistent),
            Self::FastPersistent { rate } => Box::new(fast::Fast { rate }),
            Self::MeanField => Box::new(mean_field::MeanField),
            Self::Tempered { chains, hottest } => Box::new(tempered::Tempered { chains, hottest }),
        }
    }
}

/// A kind of chain.
pub(crate) trait Recorder {
    /// What the routine of a step is called.
    fn name(&self) -> &'static str;

    /// Whether its settings make sense with this number of steps, and for a machine that may be centred.
    ///
    /// # Errors
    /// [`Error::Setting`] with the one that does not.
    fn check(&self, _steps: usize, _centred: bool) -> Result<()> {
        Ok(())
    }

    /// Whether it draws such units.
    ///
    /// # Errors
    /// [`Error::Setting`] if not.
    fn check_units(&self, _units: Units) -> Result<()> {
        Ok(())
    }

    /// Records both phases: the hidden means `h0` of the positive phase given the data `v0`, and `steps` steps of the chain.
    ///
    /// # Errors
    /// If the shapes do not fit.
    fn record(
        &self,
        to: &mut Recording<'_>,
        machine: &MachineTensors,
        data: (Tensor, Tensor),
        steps: usize,
    ) -> Result<Negative>;

    /// What follows the gradients: the updates, and after that of the weights their limits.
    fn learn(&self, _program: &mut Program, _negative: &Negative, learning: Learning<'_>) -> Vec<Op> {
        let Learning { gradients, updates, limits, .. } = learning;
        statistics::follow(gradients, updates).chain(limits.iter().cloned()).collect()
    }
}

/// How the parameters of a machine learn: the weights, the hidden bias and the visible one.
pub(crate) struct Learning<'a> {
    pub(crate) gradients: [Tensor; 3],
    pub(crate) updates: [Update; 3],
    /// What limits the weights after their update.
    pub(crate) limits: &'a [Op],
    /// The machine's learning rate, and that of machines of binary units.
    pub(crate) rates: (f32, f32),
}

/// What a chain gives.
pub(crate) struct Negative {
    /// The data as the machine reconstructs them: after all steps of contrastive divergence, after one where chains persist.
    pub(crate) reconstruction: Tensor,
    /// The visible and hidden statistics.
    pub(crate) statistics: (Tensor, Tensor),
    /// Hidden states that stay from step to step.
    pub(crate) chains: Vec<Tensor>,
    /// The parameters by which these move, where they are others than those that learn.
    pub(crate) driving: Option<MachineTensors>,
}

/// Records the hidden units given the data, and the reconstruction from their states.
fn record_data(to: &mut Recording<'_>, machine: &MachineTensors, (v0, h0): (Tensor, Tensor)) -> Result<Tensor> {
    let [state, reconstruction] = [("h0.state", h0), ("reconstruction", v0)].map(|(name, other)| to.like(name, other));
    machine.up(to, v0, Wanted::mean(h0).drawn(state, machine.hidden_stream(0)))?;
    machine.down(to, state, Wanted::mean(reconstruction).given(Some(v0)))?;
    Ok(reconstruction)
}

/// An error about the chains.
fn refused(setting: &'static str, value: String, expected: &'static str) -> Result<()> {
    Err(Error::Setting { setting, value, expected })
}
