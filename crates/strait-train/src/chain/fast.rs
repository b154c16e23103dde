//! FPCD-k: chains that persist, driven by fast weights on top of those that learn.

use strait_compute::{Factors, Op, Program, Tensor};

use super::{Learning, Negative, Recorder, record_data};
use crate::Result;
use crate::error::positive_rate;
use crate::machine_tensors::{MachineTensors, Recording};
use crate::statistics::follow;

/// Persistent contrastive divergence with fast weights.
pub(super) struct Fast {
    pub(super) rate: f32,
}

/// What is left of fast weights after a step.
const DECAY: f32 = 0.95;

impl Recorder for Fast {
    fn name(&self) -> &'static str {
        "PCD"
    }

    fn check(&self, _: usize, _: bool) -> Result<()> {
        positive_rate("the rate of the fast weights", self.rate)
    }

    fn record(
        &self,
        to: &mut Recording<'_>,
        machine: &MachineTensors,
        data: (Tensor, Tensor),
        steps: usize,
    ) -> Result<Negative> {
        let [weight, hidden, visible] = machine.parameters().map(|parameter| {
            let name = format!("{}.driving", to.program.name(parameter));
            to.carried(name, parameter)
        });
        let driving = MachineTensors { weight, biases: (visible, hidden), ..*machine };
        let reconstruction = record_data(to, machine, data)?;
        let chain = to.carried("chain", data.1);
        let statistics = driving.gibbs(to, data.0, chain, steps)?;
        Ok(Negative { reconstruction, statistics, chains: vec![chain], driving: Some(driving) })
    }

    /// For each parameter θ with the gradient G its fast part f ← 0.95 f − ε_f G, then the update of θ itself, and θ + f, which drives
    /// the chains. Layers of real-valued units learn as much more slowly by their fast weights as by the others.
    fn learn(&self, program: &mut Program, negative: &Negative, learning: Learning<'_>) -> Vec<Op> {
        let Learning { gradients, updates, limits, rates } = learning;
        let rate = self.rate * rates.0 / rates.1;
        let driving = negative.driving.map(|driving| driving.parameters());
        let mut ops = Vec::new();
        for (i, op) in follow(gradients, updates).enumerate() {
            let (parameter, gradient) = (updates[i].target(), gradients[i]);
            let fast = program.state(format!("{}.fast", program.name(parameter)), parameter.rows, parameter.cols);
            let combine = |x, y, factors, out| Op::Combine { x, y, factors, out };
            ops.push(combine(fast, gradient, Factors::Fixed(DECAY, -rate), fast));
            ops.push(op);
            if i == 0 {
                ops.extend(limits.iter().cloned());
            }
            ops.extend(driving.map(|driving| combine(parameter, fast, Factors::Fixed(1.0, 1.0), driving[i])));
        }
        ops
    }
}
