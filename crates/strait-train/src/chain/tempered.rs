//! Parallel tempering: persistent chains at several temperatures.

use strait_compute::{Op, Replica, Tensor};
use strait_models::{Units, Wanted};

use super::{Negative, Recorder, record_data, refused};
use crate::Result;
use crate::machine_tensors::{MachineTensors, Recording};

/// Persistent chains at several temperatures, neighbours of which change places. The statistics are those at temperature 1.
pub(super) struct Tempered {
    pub(super) chains: usize,
    pub(super) hottest: f32,
}

/// Streams of exchanges lie behind all others of a machine.
const EXCHANGES: u32 = 1 << 15;

impl Tempered {
    /// The inverse temperatures β, from 1 down to that of the hottest chain.
    fn inverse_temperatures(&self) -> Vec<f32> {
        let steps = (self.chains - 1).max(1) as f32;
        (0..self.chains).map(|chain| 1.0 - (1.0 - self.hottest) * chain as f32 / steps).collect()
    }
}

impl Recorder for Tempered {
    fn name(&self) -> &'static str {
        "PT"
    }

    fn check(&self, steps: usize, centred: bool) -> Result<()> {
        let Self { chains, hottest } = *self;
        let setting = "the tempered chains";
        if !(2..=100).contains(&chains) || chains.saturating_mul(steps) > 10_000 {
            let expected = "there must be 2 to 100 of them, and 10,000 steps of all at most";
            return refused(setting, chains.to_string(), expected);
        }
        if !(0.0..1.0).contains(&hottest) {
            let expected = "the lowest inverse temperature must be from 0 to less than 1";
            return refused(setting, hottest.to_string(), expected);
        }
        if centred {
            let expected = "energies of tempered chains are those of plain machines";
            return refused(setting, "centred".to_owned(), expected);
        }
        Ok(())
    }

    fn check_units(&self, units: Units) -> Result<()> {
        if matches!(units, Units::Gaussian | Units::Rectified) {
            let (setting, value) = ("the units of a tempered machine", format!("{units:?}").to_lowercase());
            return refused(
                setting,
                value,
                "chains are tempered for binary units and groups; see visible, hidden and code",
            );
        }
        Ok(())
    }

    fn record(
        &self,
        to: &mut Recording<'_>,
        machine: &MachineTensors,
        data: (Tensor, Tensor),
        steps: usize,
    ) -> Result<Negative> {
        let reconstruction = record_data(to, machine, data)?;
        let (chains, betas) = (self.chains, self.inverse_temperatures());
        let mut replicas = Vec::new();
        let mut means = Vec::new();
        for number in 0..chains {
            let [v, visible] = ["v", "v.state"].map(|name| to.like(format!("chain.{number}.{name}"), data.0));
            let h = to.like(format!("chain.{number}.h"), data.1);
            let hidden = to.carried(format!("chain.{number}"), data.1);
            let [above, below] = [("h", data.1), ("v", data.0)]
                .map(|(name, side)| to.like(format!("chain.{number}.{name}.total_input"), side));
            replicas.push(Replica { visible, inputs: above, hidden });
            means.push((v, h, below));
        }
        for k in 0..steps {
            for (number, &beta) in betas.iter().enumerate() {
                let (Replica { visible, inputs, hidden }, (v, h, below)) = (replicas[number], means[number]);
                let draw = k * chains + number + 1;
                let of_visible = Wanted::mean(v).drawn(visible, machine.visible_stream(draw)).given(Some(data.0));
                machine.down(to, hidden, of_visible.tempered(beta, below))?;
                let of_hidden = Wanted::mean(h).drawn(hidden, machine.hidden_stream(draw));
                machine.up(to, visible, of_hidden.tempered(beta, inputs))?;
            }
            for number in 1..chains {
                to.step.push(Op::Exchange {
                    chains: [replicas[number - 1], replicas[number]],
                    bias: machine.biases.0,
                    difference: betas[number - 1] - betas[number],
                    // Of two neighbouring pairs only one exchanges in a step.
                    parity: number as u32 % 2,
                    stream: machine.stream + EXCHANGES + (k * chains + number) as u32,
                })?;
            }
        }
        let statistics = (replicas[0].visible, means[0].1);
        let chains = replicas.into_iter().map(|replica| replica.hidden).collect();
        Ok(Negative { reconstruction, statistics, chains, driving: None })
    }
}
