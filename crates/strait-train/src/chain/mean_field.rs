//! Mean-field contrastive divergence: chains that draw nothing.

use strait_compute::Tensor;
use strait_models::Wanted;

use super::{Negative, Recorder};
use crate::Result;
use crate::machine_tensors::{MachineTensors, Recording};

/// Contrastive divergence from the data with means in place of states throughout.
pub(super) struct MeanField;

impl Recorder for MeanField {
    fn name(&self) -> &'static str {
        "MF"
    }

    fn record(
        &self,
        to: &mut Recording<'_>,
        machine: &MachineTensors,
        (v0, h0): (Tensor, Tensor),
        steps: usize,
    ) -> Result<Negative> {
        machine.up(to, v0, Wanted::mean(h0))?;
        let (mut v, mut h) = (v0, h0);
        for k in 1..=steps {
            let given = h;
            (v, h) = (to.like(format!("v{k}"), v0), to.like(format!("h{k}"), h0));
            machine.down(to, given, Wanted::mean(v).given(Some(v0)))?;
            machine.up(to, v, Wanted::mean(h))?;
        }
        Ok(Negative { reconstruction: v, statistics: (v, h), chains: Vec::new(), driving: None })
    }
}

#[cfg(test)]
mod tests {
    use strait_compute::Device;
    use strait_data::Rows;
    use strait_models::{Rbm, Stack, Units};

    use crate::{Chain, Pretrain};

    /// One step on one minibatch, by hand in double precision.
    #[test]
    fn a_step_is_that_of_the_equations() {
        let (weight, data) = ([0.5f32, -1.0, 0.25, 2.0], [[1.0f32, 0.0], [0.0, 0.0], [1.0, 1.0]]);
        let (visible_bias, hidden_bias) = (vec![0.1f32, -0.2], vec![0.3f32, 0.0]);
        let units = Units::Bernoulli;
        let (start, deviation) = (weight.to_vec(), None);
        let rbm = Rbm { visible: units, hidden: units, weight: start, visible_bias, hidden_bias, deviation };
        let logistic = |x: f64| 1.0 / (1.0 + (-x).exp());
        let w = |i: usize, j: usize| f64::from(weight[2 * i + j]);
        let up = |v: [f64; 2]| [(0, 0.3), (1, 0.0)].map(|(j, b)| logistic(b + v[0] * w(0, j) + v[1] * w(1, j)));
        let down = |h: [f64; 2]| [(0, 0.1), (1, -0.2)].map(|(i, a)| logistic(a + h[0] * w(i, 0) + h[1] * w(i, 1)));
        let mut expected = weight.map(f64::from);
        for row in data {
            let v0 = row.map(f64::from);
            let h0 = up(v0);
            let v1 = down(h0);
            let h1 = up(v1);
            for (i, j) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                expected[2 * i + j] += 0.1 * (v0[i] * h0[j] - v1[i] * h1[j]) / 3.0;
            }
        }
        let values = data.concat();
        let rows = Rows::numbers(&values, 2).expect("whole rows");
        let device = Device::cpu().expect("there is a CPU");
        let recipe =
            Pretrain { epochs: 1, chain: Chain::MeanField, code: units, weight_cost: 0.0, ..Pretrain::default() };
        let run = recipe.run(&device, &[2, 2], rows).and_then(|run| run.from(Stack { rbms: vec![rbm] }));
        let trained = run.and_then(|run| run.train()).expect("it trains");
        for (found, expected) in trained.stack.rbms[0].weight.iter().zip(expected) {
            assert!((f64::from(*found) - expected).abs() < 1e-6, "{found}, not {expected}");
        }
    }
}
