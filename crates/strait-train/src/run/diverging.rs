//! What a run does when its numbers grow beyond all bounds.

use std::ops::ControlFlow;
use std::time::Instant;

use strait_models::minibatches;

use super::Run;
use super::advance::{step_of, train};
use crate::checkpoint::OnDivergence;
use crate::divergence::{HALVINGS, LOOKED_FOR, first_not_finite};
use crate::method::{Place, Tally};
use crate::monitor::Monitor;
use crate::plan::Plan;
use crate::snapshot::{Cursor, Snapshot};
use crate::{Error, Result};

impl<'a, P: Plan<'a>> Run<'a, P> {
    /// After a divergence: goes back to the last checkpoint with half the rate, where that is wanted, or else gives the error, with the
    /// operation that did it.
    pub(super) fn go_back(&mut self, error: Error) -> Result<()> {
        let at = self.cursor;
        let halved = self.monitor.halved;
        let mut keeping = self.keeping.take();
        let wanted = keeping.as_ref().is_some_and(|keeping| keeping.on_divergence() == OnDivergence::HalveRate);
        let wanted = self.device.any_rank(wanted)?;
        let minimises = self.part.as_ref().is_some_and(|part| part.method.minimises());
        let halves = wanted && halved < HALVINGS && !minimises && self.plan.rates_follow();
        let good = keeping.as_mut().and_then(|keeping| keeping.last_good());
        let good = good.filter(|found| found.about.cursor.part == at.part);
        let good = self.of_first(good.map(|found| (found.about.cursor, found.about.state, found.tensors)))?;
        let told = good.as_ref().map(|(_, state, _)| state["told"].clone());
        let good = good.map(|(cursor, state, tensors)| Snapshot::from_checkpoint(cursor, &state, tensors));
        let good = good.transpose()?;
        let there = good.is_some() || self.plan.rewind(at.part);
        let restarted = if there { self.restart(at.part, good.as_ref()) } else { Ok(()) };
        if !(halves && there) {
            let found = restarted.and_then(|()| if there { self.look_for(at) } else { Ok(None) });
            self.keeping = keeping;
            return Err(match error {
                Error::Diverged { stage, epoch, step, rate, error, rank, .. } => {
                    // A search that fails leaves the error as it is.
                    Error::Diverged { stage, epoch, step, rate, error, rank, operation: found.unwrap_or(None) }
                }
                other => other,
            });
        }
        let mut run = String::new();
        if let Some(keeping) = &mut keeping {
            let stage = if let Error::Diverged { stage, .. } = &error { stage } else { "" };
            keeping.go_back(told, stage);
            self.begun(keeping);
            keeping.stage().clone_into(&mut run);
        }
        self.keeping = keeping;
        restarted?;
        self.monitor.halved = halved + 1;
        self.monitor.factor *= 0.5_f32.powi((halved + 1 - good.map_or(0, |good| good.monitor.halved)) as i32);
        let (Cursor { epoch, minibatch, .. }, factor) = (self.cursor, self.monitor.factor);
        let from = if minibatch == 0 { format!("after epoch {epoch}") } else { format!("in epoch {}", epoch + 1) };
        let message = format!(
            "{error}; it goes back to its state {from} and on with a learning rate of {factor} of the recipe's ({} of {HALVINGS})",
            halved + 1
        );
        self.note(run, message, true);
        Ok(())
    }

    /// Goes back to a snapshot of this part, or to the part's beginning.
    fn restart(&mut self, part: usize, good: Option<&Snapshot>) -> Result<()> {
        if let Some(good) = good {
            return self.restore(good);
        }
        if let Some(records) = self.records.get_mut(part) {
            records.clear();
        }
        self.part = None;
        self.cursor = Cursor { part, ..Cursor::default() };
        (self.monitor, self.tally) = (Monitor::default(), Tally::default());
        self.best.clear();
        self.load()
    }

    /// Goes over the steps again from here, up to a minibatch in which something was not finite, and finds what was so first: the
    /// operation and its step. Gives up after a minute.
    fn look_for(&mut self, at: Cursor) -> Result<Option<String>> {
        let Some(part) = &mut self.part else {
            return Ok(None);
        };
        let start = Instant::now();
        let batches: Vec<(u32, u32)> = minibatches(part.feed.count(), part.method.batch()).collect();
        let routine = part.method.routines()[0];
        for epoch in self.cursor.epoch..=at.epoch {
            let (order, changes) = self.order.of(epoch);
            if changes {
                part.feed.write_order(&mut *part.execution, order)?;
            }
            let first = if epoch == self.cursor.epoch { self.cursor.minibatch } else { 0 };
            for minibatch in first..batches.len() {
                if self.device.any_rank(start.elapsed() > LOOKED_FOR)? {
                    return Ok(None);
                }
                let place = Place { epoch, minibatch, minibatches: batches.len() };
                let step = step_of(&*part.method, place, batches[minibatch], self.monitor.factor);
                let ran = train(&self.device, part, &[step], minibatch, order, &mut self.tally, &mut |_| {
                    ControlFlow::Continue(())
                });
                ran.map_err(|(_, cause)| cause)?;
                // Looking at everything is slow: far from the place the parameters tell.
                let near = epoch == at.epoch && minibatch + 1 >= at.minibatch;
                if (near || minibatch % 100 == 0 || minibatch + 1 == batches.len())
                    && let Some(found) = first_not_finite(&mut *part.execution, routine)?
                {
                    return Ok(Some(format!("{found} in step {} of epoch {}", minibatch + 1, epoch + 1)));
                }
            }
        }
        Ok(None)
    }
}
