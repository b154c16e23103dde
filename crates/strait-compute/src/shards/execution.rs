//! A program whose batches are cut in shards, on one rank.

use std::sync::Arc;

use super::cut::Cut;
use super::layout::{Layout, Spread};
use super::metrics::Measured;
use super::ranks::Ranks;
use super::reducer::Order;
use super::stages::{BatchLargest, Stage, Staged, Sums, stage};
use super::sums::Travelling;
use crate::backend::{check_read, check_steps, check_write};
use crate::{
    Backend, Buffer, Control, Execution, Hardware, Kind, Metrics, Program, Result, Routine, RoutineId, Step, Tensor,
    Uploader, go_on,
};

/// A program whose batches are cut in shards, some of which are this rank's. To who trains it is the program for whole batches.
pub(crate) struct Sharded {
    outer: Program,
    inner: Box<dyn Execution>,
    layout: Layout,
    cut: Cut,
    ranks: Arc<Ranks>,
    order: Order,
    overlap: bool,
    routines: Vec<Arc<Staged>>,
    /// Memory of sums that travel.
    free: Vec<Vec<f32>>,
}

impl Sharded {
    /// Loads a program on a device.
    pub(crate) fn load(
        backend: &dyn Backend,
        program: Program,
        shared: &[(Tensor, Buffer)],
        (cut, order): (Cut, Order),
        ranks: Arc<Ranks>,
    ) -> Result<Self> {
        let (layout, mut own) = Layout::new(&program, &cut)?;
        // A GPU would wait for the host at each sum, and one rank alone has nothing to wait for.
        let overlap = backend.hardware() == Hardware::Cpu && ranks.reducer.size() > 1;
        let add = &mut |routine| Ok(own.add(routine));
        let staged = |routine| Ok(Arc::new(stage(&program, routine, &layout, &cut, overlap, add)?));
        let routines = program.routines().iter().map(staged).collect::<Result<_>>()?;
        let inner = backend.load(own, shared)?;
        Ok(Self { outer: program, inner, layout, cut, ranks, order, overlap, routines, free: Vec::new() })
    }

    /// Runs what is done for the rows of each shard alone.
    fn measure(&mut self, routines: &[RoutineId], batch: usize, steps: &[Step]) -> Result<Measured> {
        let mut measured = Measured::new(self.cut.of_rank());
        for (own, shard) in self.cut.mine().enumerate() {
            let part: Vec<Step> = steps.iter().map(|step| self.cut.step(batch, step, shard)).collect();
            measured.shard(own, self.inner.run(routines[own], &part, &mut go_on)?);
        }
        Ok(measured)
    }

    /// Runs what every rank does for all rows, one shard after the other.
    fn everywhere(&mut self, routines: &[RoutineId], batch: usize, steps: &[Step]) -> Result<Metrics> {
        let mut metrics = Metrics::default();
        let parts = steps.iter().flat_map(|step| (0..self.cut.shards()).map(move |shard| (step, shard)));
        let parts: Vec<Step> = parts.map(|(step, shard)| self.cut.step(batch, step, shard)).collect();
        metrics.append(self.inner.run(routines[0], &parts, &mut go_on)?);
        metrics.steps = steps.len();
        Ok(metrics)
    }

    /// Runs one step, stage by stage.
    fn step(
        &mut self,
        staged: &Staged,
        step: &Step,
        travelling: &mut Travelling<'_>,
        measured: &mut Measured,
    ) -> Result<()> {
        let part = |shard: usize| staged.batch.map_or(*step, |batch| self.cut.step(batch, step, shard));
        let parts: Vec<Step> = self.cut.mine().map(part).collect();
        // The numbers of a step, stage by stage, are those of its operations in order.
        let mut shards = vec![Metrics::default(); parts.len()];
        let mut whole = Metrics::default();
        let side_by_side = |all: &mut Metrics, more: Metrics| {
            all.losses.extend(more.losses);
            all.errors.extend(more.errors);
            all.dots.extend(more.dots);
            (all.dispatches, all.host_time) = (all.dispatches + more.dispatches, all.host_time + more.host_time);
        };
        for stage in &staged.stages {
            match stage {
                Stage::Shards(routines) => {
                    for ((routine, part), numbers) in routines.iter().zip(&parts).zip(&mut shards) {
                        side_by_side(numbers, self.inner.run(*routine, &[*part], &mut go_on)?);
                        travelling.poll()?;
                    }
                }
                Stage::Whole(routine) => {
                    side_by_side(&mut whole, self.inner.run(*routine, &[*step], &mut go_on)?);
                    travelling.poll()?;
                }
                Stage::Begin(Sums { tensors, add }) => {
                    if let Some(add) = add {
                        self.inner.run(*add, &[*step], &mut go_on)?;
                    }
                    if self.ranks.reducer.size() > 1 {
                        travelling.begin(&mut *self.inner, tensors, self.order)?;
                    }
                }
                Stage::End(tensor) => travelling.end(&mut *self.inner, *tensor)?,
                Stage::BatchLargest(operands) => self.batch_largest(operands, step, &parts)?,
            }
        }
        shards.into_iter().enumerate().for_each(|(own, numbers)| measured.shard(own, numbers));
        measured.whole(whole);
        Ok(())
    }

    /// Finds out which entries of the rows of all ranks stay: each rank does so for all of them, and keeps those of its own rows.
    fn batch_largest(&mut self, stage: &BatchLargest, step: &Step, parts: &[Step]) -> Result<()> {
        let &BatchLargest { input, out, together, routine } = stage;
        let mut entries = self.rows_of_all(input, parts)?;
        entries.resize(together.entries.len(), 0.0);
        self.inner.write(together.entries, &entries)?;
        self.inner.run(routine, &[*step], &mut go_on)?;
        let stay = self.inner.read(together.out)?;
        for (own, part) in parts.iter().enumerate() {
            let [first, end] = [part.first, part.first + part.rows].map(|row| row as usize * out.cols);
            self.write_rows(out, own, &stay[first..end])?;
        }
        Ok(())
    }

    /// The rows of a tensor that the shards of all ranks have in a step.
    fn rows_of_all(&mut self, tensor: Tensor, parts: &[Step]) -> Result<Vec<f32>> {
        let mut own = Vec::new();
        for (shard, part) in parts.iter().enumerate() {
            let copy = self.layout.copy(tensor, shard);
            let each = copy.len() / self.cut.longest(self.batch_of(tensor));
            own.extend_from_slice(&self.inner.read(copy)?[..part.rows as usize * each]);
        }
        self.gather(own)
    }

    fn gather(&self, own: Vec<f32>) -> Result<Vec<f32>> {
        let all = self.ranks.reducer.gather(bytemuck::cast_slice(&own))?;
        Ok(all.iter().flat_map(|bytes| bytemuck::pod_collect_to_vec::<u8, f32>(bytes)).collect())
    }

    fn batch_of(&self, tensor: Tensor) -> usize {
        match self.layout.spread(tensor) {
            Spread::Rows(batch) => batch,
            Spread::Whole | Spread::Sum => 1,
        }
    }

    /// Writes the first rows of a shard's tensor; the others become 0.
    fn write_rows(&mut self, tensor: Tensor, shard: usize, values: &[f32]) -> Result<()> {
        let copy = self.layout.copy(tensor, shard);
        let mut all = vec![0.0; copy.len()];
        all[..values.len()].copy_from_slice(values);
        self.inner.write(copy, &all)
    }
}

impl Execution for Sharded {
    fn program(&self) -> &Program {
        &self.outer
    }

    fn add(&mut self, routine: Routine) -> Result<RoutineId> {
        let touched = routine.accesses().iter().flat_map(|access| access.read().chain(access.written()));
        if let Some(stranger) = touched.into_iter().find(|tensor| self.outer.tensors.get(tensor.id).is_none()) {
            return Err(self.outer.misused(stranger, "it was not declared in this program"));
        }
        let Self { outer, inner, layout, cut, overlap, .. } = self;
        let staged = stage(outer, &routine, layout, cut, *overlap, &mut |routine| inner.add(routine))?;
        self.routines.push(Arc::new(staged));
        Ok(self.outer.add(routine))
    }

    fn write(&mut self, tensor: Tensor, values: &[f32]) -> Result<()> {
        let Spread::Rows(batch) = self.layout.spread(tensor) else { return self.inner.write(tensor, values) };
        check_write(&self.outer, tensor, &[Kind::Values, Kind::Rows], values.len())?;
        let each = tensor.len() / batch;
        for (own, shard) in self.cut.mine().enumerate() {
            let rows = self.cut.part(batch, shard);
            self.write_rows(tensor, own, &values[rows.start * each..rows.end * each])?;
        }
        Ok(())
    }

    fn write_bytes(&mut self, tensor: Tensor, values: &[u8]) -> Result<()> {
        self.inner.write_bytes(tensor, values)
    }

    fn write_index(&mut self, tensor: Tensor, values: &[u32]) -> Result<()> {
        self.inner.write_index(tensor, values)
    }

    fn read(&mut self, tensor: Tensor) -> Result<Vec<f32>> {
        let Spread::Rows(batch) = self.layout.spread(tensor) else { return self.inner.read(tensor) };
        check_read(&self.outer, tensor)?;
        let each = tensor.len() / batch;
        let mut own = Vec::new();
        for (copy, shard) in self.cut.mine().enumerate() {
            let rows = self.cut.part(batch, shard).len();
            own.extend_from_slice(&self.inner.read(self.layout.copy(tensor, copy))?[..rows * each]);
        }
        self.gather(own)
    }

    fn read_into(&mut self, tensors: &[Tensor], values: &mut Vec<Vec<f32>>) -> Result<()> {
        if tensors.iter().any(|tensor| self.layout.has_rows(*tensor)) {
            *values = tensors.iter().map(|tensor| self.read(*tensor)).collect::<Result<_>>()?;
            return Ok(());
        }
        self.inner.read_into(tensors, values)
    }

    fn is_spread(&self, tensor: Tensor) -> bool {
        self.ranks.reducer.size() > 1 && self.layout.has_rows(tensor)
    }

    fn share(&self, tensor: Tensor) -> Result<Buffer> {
        match self.layout.has_rows(tensor) {
            true => Err(self.outer.misused(tensor, "each shard has rows of its own, which cannot be shared")),
            false => self.inner.share(tensor),
        }
    }

    fn uploader(&self, tensor: Tensor) -> Result<Uploader> {
        self.inner.uploader(tensor)
    }

    fn run(&mut self, routine: RoutineId, steps: &[Step], control: &mut Control<'_>) -> Result<Metrics> {
        check_steps(self.outer.routine(routine), steps)?;
        let staged = self.routines[routine.0].clone();
        // Where shards alone have something to do, they do it for all steps in turn.
        if let (Some(batch), [Stage::Shards(routines)]) = (staged.batch, &staged.stages[..]) {
            if self.ranks.reducer.any(control(0).is_break())? {
                return Ok(Metrics::default());
            }
            if staged.everywhere {
                return self.everywhere(routines, batch, steps);
            }
            return self.measure(routines, batch, steps)?.gather(&self.cut, staged.batch, steps, &self.ranks);
        }
        let mut measured = Measured::new(self.cut.of_rank());
        let ranks = self.ranks.clone();
        let mut travelling = Travelling::new(&ranks, std::mem::take(&mut self.free));
        let mut done = 0;
        for step in steps {
            // All ranks end after the same step.
            if ranks.reducer.any(control(done).is_break())? {
                break;
            }
            self.step(&staged, step, &mut travelling, &mut measured)?;
            ranks.count_step();
            done += 1;
        }
        self.free = travelling.into_memory();
        measured.gather(&self.cut, staged.batch, &steps[..done], &ranks)
    }

    fn profile(&mut self, _routine: RoutineId, _step: &Step) -> Result<Option<Vec<std::time::Duration>>> {
        Ok(None)
    }
}
