//! How the rows of a training set reach the device: all at once where they fit, else in two places that take turns,
//! one being filled while the device trains on the other. Minibatches are the same either way, bit for bit.

use std::borrow::Cow;
use std::ops::Range;

use strait_compute::{
    Control, Device, Execution, Kind, Metrics, Op, Program, Routine, RoutineId, Shift, Step, Tensor, Uploader, go_on,
};
use strait_data::{Rows, Values};
use strait_models::{declare_rows, upload};

use crate::Result;

/// Bytes of a place that is filled while the other one is in use: some hundred steps of work.
const PLACE_BYTES: u64 = 32 << 20;

/// The places of a training set on the device.
pub(crate) struct Feed {
    places: Vec<Tensor>,
    /// The order of the rows, where the device keeps all of them.
    index: Option<Tensor>,
    /// Rows of a place.
    rows: usize,
    /// All rows.
    count: usize,
    batch: usize,
    /// The rows of a batch that are this rank's: others need not be brought.
    own: Range<usize>,
}

impl Feed {
    /// Places for all rows where the device holds them and a tensor of `width` numbers for each, else two places that take turns.
    pub(crate) fn of(program: &mut Program, device: &Device, rows: &Rows<'_>, width: usize, batch: usize) -> Self {
        if Self::fits(device, rows) && Self::room(device, rows.count, width) {
            tracing::debug!(rows = rows.count, width = rows.width, "the device keeps all rows");
            Self::resident(program, rows, batch)
        } else {
            let feed = Self::streamed(program, device, rows, width, batch);
            tracing::debug!(rows = rows.count, width = rows.width, at_once = feed.rows, "rows stream to the device");
            feed
        }
    }

    /// Whether rows of that many values take no more than the device's largest tensor.
    fn fits(device: &Device, rows: &Rows<'_>) -> bool {
        (rows.count * rows.row_bytes()) as u64 <= device.most_at_once()
    }

    /// Whether there is room for a tensor of numbers.
    pub(crate) fn room(device: &Device, rows: usize, cols: usize) -> bool {
        4 * (rows * cols) as u64 <= device.most_at_once()
    }

    /// Places for all rows, to be visited in an order.
    fn resident(program: &mut Program, rows: &Rows<'_>, batch: usize) -> Self {
        let data = declare_rows(program, "training_data", rows);
        let index = program.data("order", 1, rows.count, Kind::Index);
        Self { places: vec![data], index: Some(index), rows: rows.count, count: rows.count, batch, own: 0..batch }
    }

    /// Rows that are on the device already, in order.
    pub(crate) fn given(program: &mut Program, count: usize, width: usize, batch: usize) -> Self {
        let data = program.data("training_data", count, width, Kind::Rows);
        Self { places: vec![data], index: None, rows: count, count, batch, own: 0..batch }
    }

    /// Two places that take turns. `width` is that of the widest tensor of as many rows.
    fn streamed(program: &mut Program, device: &Device, rows: &Rows<'_>, width: usize, batch: usize) -> Self {
        let most = device.most_at_once().min(PLACE_BYTES);
        let fitting = most / rows.row_bytes().max(4 * width) as u64;
        let steps = (fitting as usize / batch).max(1);
        let count = (steps * batch).min(rows.count);
        let place = rows.first(count);
        let places = ["training_data.even", "training_data.odd"];
        let places = places.map(|name| declare_rows(program, name, &place)).to_vec();
        Self { places, index: None, rows: count, count: rows.count, batch, own: 0..batch }
    }

    /// The same for a device that is one of several ranks: it needs its own rows of each batch.
    pub(crate) fn of_rank(self, device: &Device, shards: Option<usize>) -> Result<Self> {
        Ok(Self { own: device.cut(shards)?.own(self.batch), ..self })
    }

    /// Whether the rows come in parts.
    pub(crate) fn is_streamed(&self) -> bool {
        self.places.len() > 1
    }

    /// The number of places: routines that gather from them are recorded once for each.
    pub(crate) fn places(&self) -> usize {
        self.places.len()
    }

    /// Rows of a place.
    pub(crate) fn rows_of_place(&self) -> usize {
        self.rows
    }

    /// The tensor that holds all rows, where there is one.
    pub(crate) fn whole(&self) -> Tensor {
        self.places[0]
    }

    /// Records the gathering of a minibatch from a place, of the columns from `first` on.
    pub(crate) fn gather(
        &self,
        place: usize,
        routine: &mut Routine,
        first: usize,
        shift: Option<Shift>,
        out: Tensor,
    ) -> Result<()> {
        Ok(routine.push(Op::Gather { data: self.places[place], index: self.index, first, shift, out })?)
    }

    /// Brings to the device what stays there.
    pub(crate) fn upload(&self, execution: &mut dyn Execution, rows: &Rows<'_>) -> Result<()> {
        if self.is_streamed() {
            return Ok(());
        }
        Ok(upload(execution, self.places[0], rows)?)
    }

    /// The order of the rows from now on, where the device keeps them.
    pub(crate) fn write_order(&self, execution: &mut dyn Execution, order: &[u32]) -> Result<()> {
        match self.index {
            Some(index) => Ok(execution.write_index(index, order)?),
            None => Ok(()),
        }
    }

    /// Runs one step's gathering of its minibatch.
    pub(crate) fn fetch(
        &self,
        execution: &mut dyn Execution,
        routine: RoutineId,
        step: &Step,
        source: Option<(&Rows<'_>, &[u32])>,
    ) -> strait_compute::Result<Metrics> {
        let Some((rows, order)) = source.filter(|_| self.is_streamed()) else {
            return execution.run(routine, &[*step], &mut go_on);
        };
        let start = step.offset as usize;
        let order = self.needed(&order[start..start + step.rows as usize]);
        fill_in_order(&execution.uploader(self.places[0])?, rows, &order)?;
        execution.run(routine, &[Step { offset: 0, ..*step }], &mut go_on)
    }

    /// An order of whole batches in which rows that are not needed here are others that are: rows of a file that nobody needs are not read.
    fn needed<'o>(&self, order: &'o [u32]) -> Cow<'o, [u32]> {
        if self.own == (0..self.batch) {
            return Cow::Borrowed(order);
        }
        let mut order = order.to_vec();
        for batch in order.chunks_mut(self.batch) {
            let any = batch.get(self.own.start).copied().unwrap_or(0);
            let others = (0..batch.len()).filter(|row| !self.own.contains(row));
            others.for_each(|row| batch[row] = any);
        }
        Cow::Owned(order)
    }

    /// The parts of an order that are brought to the device one after the other. The first ones are short, because the device has
    /// nothing to do while it waits for the first; from part to part they double, up to what a place holds.
    fn parts<'a>(&self, mut order: &'a [u32]) -> Vec<&'a [u32]> {
        let mut length = self.batch * (self.rows / self.batch).div_ceil(8);
        let mut parts = Vec::new();
        while !order.is_empty() {
            let (part, rest) = order.split_at(length.min(order.len()));
            parts.push(part);
            order = rest;
            length = (2 * length).min(self.rows);
        }
        parts
    }

    /// Runs steps over the rows in an order, with `routines` for the places.
    pub(crate) fn run(
        &self,
        execution: &mut dyn Execution,
        routines: &[RoutineId],
        steps: &[Step],
        source: Option<(&Rows<'_>, &[u32])>,
        control: &mut Control<'_>,
    ) -> strait_compute::Result<Metrics> {
        self.visit(execution, routines, steps, source, control, |_, _, _| Ok(()))
    }

    /// The same; after a place's steps, `after` may look at what they left, with the place and the number of its rows.
    pub(crate) fn visit(
        &self,
        execution: &mut dyn Execution,
        routines: &[RoutineId],
        steps: &[Step],
        source: Option<(&Rows<'_>, &[u32])>,
        control: &mut Control<'_>,
        mut after: impl FnMut(&mut dyn Execution, usize, usize) -> strait_compute::Result<()>,
    ) -> strait_compute::Result<Metrics> {
        let (Some((rows, order)), Some(begin)) = (source.filter(|_| self.is_streamed()), steps.first()) else {
            let metrics = execution.run(routines[0], steps, control)?;
            after(execution, 0, self.rows)?;
            return Ok(metrics);
        };
        let uploaders = self.places.iter().map(|place| execution.uploader(*place));
        let uploaders: Vec<Uploader> = uploaders.collect::<strait_compute::Result<_>>()?;
        // Steps may start and end in the middle of an epoch.
        let begin = begin.offset as usize;
        let end = steps.last().map_or(begin, |last| (last.offset + last.rows) as usize);
        let order = self.needed(&order[begin..end]);
        let parts = self.parts(&order);
        let mut start = 0;
        fill_in_order(&uploaders[0], rows, parts[0])?;
        let mut metrics = Metrics::default();
        for (number, part) in parts.iter().enumerate() {
            let first = start / self.batch;
            let own = |step: &Step| Step { offset: step.offset - (begin + start) as u32, ..*step };
            let end = (first + part.len().div_ceil(self.batch)).min(steps.len());
            let own: Vec<Step> = steps[first..end].iter().map(own).collect();
            let (place, next) = (number % self.places.len(), (number + 1) % self.places.len());
            let ran = std::thread::scope(|scope| {
                let filling =
                    parts.get(number + 1).map(|part| scope.spawn(|| fill_in_order(&uploaders[next], rows, part)));
                let ran = execution.run(routines[place], &own, &mut |done| control(first + done));
                let filled = filling
                    .map_or(Ok(()), |filling| filling.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
                filled.and(ran)
            })?;
            let stopped = ran.steps < own.len();
            metrics.append(ran);
            if stopped {
                break;
            }
            after(execution, place, part.len())?;
            start += part.len();
        }
        Ok(metrics)
    }

    /// Rows of the data.
    pub(crate) fn count(&self) -> usize {
        self.count
    }
}

/// Writes these rows to a place, in this order.
fn fill_in_order(place: &Uploader, rows: &Rows<'_>, order: &[u32]) -> strait_compute::Result<()> {
    fn ordered<'a, T>(values: &'a [T], width: usize, order: &'a [u32]) -> impl ExactSizeIterator<Item = &'a [T]> {
        order.iter().map(move |&row| &values[row as usize * width..][..width])
    }
    match rows.values {
        Values::Bytes(bytes) => place.write_bytes(ordered(bytes, rows.width, order)),
        Values::Numbers(numbers) => place.write(ordered(numbers, rows.width, order)),
        Values::Halves(numbers) => {
            let row = |&row: &u32| numbers.range(row as usize * rows.width..(row as usize + 1) * rows.width).widened();
            let wide: Vec<f32> = order.iter().flat_map(row).collect();
            place.write(wide.chunks_exact(rows.width))
        }
    }
}
