//! The state of a run, read out and written back.

use strait_compute::{Role, Tensor};

use super::Run;
use super::order::Order;
use crate::method::Part;
use crate::plan::Plan;
use crate::snapshot::{Cursor, Snapshot};
use crate::{Error, Result};

impl<'a, P: Plan<'a>> Run<'a, P> {
    /// The parameters of the best epoch by their names.
    fn named_best(&self) -> Vec<(String, Vec<f32>)> {
        let Some(part) = &self.part else {
            return Vec::new();
        };
        let name = |tensor: Tensor| part.execution.program().name(tensor).to_owned();
        self.best.iter().map(|(tensor, values)| (name(*tensor), values.clone())).collect()
    }

    /// A snapshot without the tensors of the part under way.
    pub(super) fn describe(&mut self) -> Result<Snapshot> {
        self.load()?;
        let (finished, progress) = self.plan.save();
        let json = |error: serde_json::Error| Error::Snapshot(error.to_string());
        Ok(Snapshot {
            cursor: self.cursor,
            tensors: Vec::new(),
            monitor: self.monitor.clone(),
            best: self.named_best(),
            finished,
            tally: self.tally.clone(),
            progress: serde_json::to_string(&progress).map_err(json)?,
            records: serde_json::to_string(&self.records).map_err(json)?,
        })
    }

    /// The whole state of the run: where it is, what it has learned, what its optimiser keeps, its records. Any number of
    /// further steps from it give the same bits as the run itself, on the CPU and on one GPU; the oracle computes in double precision, and
    /// its snapshots are rounded.
    ///
    /// # Errors
    /// The device's own.
    pub fn snapshot(&mut self) -> Result<Snapshot> {
        let mut snapshot = self.describe()?;
        if let Some(part) = &mut self.part {
            let kept = kept_of(part);
            let wanted: Vec<Tensor> = kept.iter().map(|(tensor, _)| *tensor).collect();
            let values = part.execution.read_many(&wanted)?;
            snapshot.tensors = kept.into_iter().map(|(_, name)| name).zip(values).collect();
        }
        Ok(snapshot)
    }

    /// Goes on from where a run of the same recipe, model and rows was when this snapshot was taken.
    ///
    /// # Errors
    /// [`Error::Snapshot`] if it is that of another run; the device's own.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<()> {
        let Cursor { part: number, epoch, minibatch } = snapshot.cursor;
        if number >= self.plan.parts() || epoch > self.plan.epochs_of(number) {
            let message = format!("it was taken in epoch {epoch} of part {number}, which this run has not");
            return Err(Error::Snapshot(message));
        }
        let unread = |error: serde_json::Error| Error::Snapshot(format!("its progress cannot be read ({error})"));
        let progress = serde_json::from_str(&snapshot.progress).map_err(unread)?;
        let records = serde_json::from_str(&snapshot.records).map_err(unread)?;
        let mut find = |name: &str| snapshot.of_finished(name);
        if !self.begun {
            self.plan.begin(&self.device)?;
            self.begun = true;
        }
        let same = self.plan.restore(&self.device, number, &mut find, progress)?;
        // What is loaded stays where it is the same part, on the same rows.
        if number != self.cursor.part || !same {
            self.part = None;
        }
        self.cursor = Cursor { part: number, epoch: 0, minibatch: 0 };
        self.load()?;
        let Some(part) = &mut self.part else { unreachable!("it was loaded") };
        let mut values = Vec::new();
        for (tensor, name) in kept_of(part) {
            values.push((tensor, snapshot.of_part(&name, tensor.len())?));
        }
        if values.len() != snapshot.tensors.len() {
            let (found, expected) = (snapshot.tensors.len(), values.len());
            return Err(Error::Snapshot(format!("it holds {found} tensors, but this run has {expected}")));
        }
        part.execution.write_many(&values)?;
        let mut best = Vec::new();
        for (name, values) in &snapshot.best {
            let found = tensors_of(part, &[Role::Parameter])
                .find(|(tensor, known)| known == name && tensor.len() == values.len());
            let (tensor, _) = found.ok_or_else(|| Error::Snapshot(format!("this run has no parameter `{name}`")))?;
            best.push((tensor, values.clone()));
        }
        self.order = Order::new(part.method.visits(), part.feed.count());
        if minibatch > 0 {
            let (order, _) = self.order.of(epoch);
            part.feed.write_order(&mut *part.execution, order)?;
        }
        self.cursor = snapshot.cursor;
        (self.monitor, self.best) = (snapshot.monitor.clone(), best);
        self.tally = snapshot.tally.clone();
        self.records = records;
        self.ended = false;
        Ok(())
    }
}

/// The tensors of a part that a snapshot holds, with their names.
pub(super) fn kept_of(part: &Part<'_>) -> Vec<(Tensor, String)> {
    tensors_of(part, &[Role::Parameter, Role::State]).collect()
}

pub(crate) fn tensors_of<'p>(
    part: &'p Part<'_>,
    roles: &'p [Role],
) -> impl Iterator<Item = (Tensor, String)> + use<'p> {
    let tensors = part.execution.program().tensors();
    tensors.filter(|(_, _, role)| roles.contains(role)).map(|(tensor, name, _)| (tensor, name.to_owned()))
}
