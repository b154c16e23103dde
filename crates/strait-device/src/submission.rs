//! Dispatches with their bind groups made in advance, and their submission for many steps at once.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wgpu::{
    BindGroup, BindGroupDescriptor, BindGroupEntry, BufferBinding, BufferUsages, CommandEncoderDescriptor,
    ComputePassDescriptor, ComputePassTimestampWrites, PollType, QuerySetDescriptor, QueryType,
};

use crate::buffer::ReadBack;
use crate::{Gpu, Piece, Pipeline, Result};

/// Distance between two steps in the table: no adapter wants a larger alignment of uniform blocks.
const STEP_STRIDE: usize = 256;

/// What the metrics of a run are before it: a NaN that no arithmetic gives.
const UNWRITTEN: u32 = 0x7fd5_7a17;

/// A kernel with its buffers, ready to run.
pub struct Dispatch {
    pipeline: Arc<Pipeline>,
    group: BindGroup,
    workgroups: [u32; 3],
}

/// The table of steps on the device, with room for their metrics.
pub struct Table {
    steps: wgpu::Buffer,
    metrics: wgpu::Buffer,
    /// Group 1 without and with the metrics.
    groups: [BindGroup; 2],
    step_capacity: usize,
    metric_capacity: usize,
}

/// Work that is under way.
pub struct Submission {
    index: wgpu::SubmissionIndex,
    recording: Duration,
}

impl Gpu {
    /// Binds buffers and sizes to a kernel.
    ///
    /// # Errors
    /// If the device is lost or refuses.
    pub fn dispatch(
        &self,
        pipeline: &Arc<Pipeline>,
        sizes: &[u32],
        buffers: &[(u32, Piece<'_>)],
        workgroups: [u32; 3],
    ) -> Result<Dispatch> {
        let bytes = (size_of_val(sizes) as u64).next_multiple_of(16);
        let usage = BufferUsages::UNIFORM | BufferUsages::COPY_DST;
        let size = self.allocate("sizes", bytes, usage)?;
        self.write_piece(&size, "sizes", size_of_val(sizes), |mut room| {
            room.copy_from_slice(bytemuck::cast_slice(sizes))
        })?;
        let all = std::iter::once((0, &size)).chain(buffers.iter().map(|&(binding, Piece(raw))| (binding, raw)));
        let entries: Vec<_> =
            all.map(|(binding, raw)| BindGroupEntry { binding, resource: raw.as_entire_binding() }).collect();
        let label = Some(pipeline.name.as_str());
        let (group, error) = self.scoped(|device| {
            device.create_bind_group(&BindGroupDescriptor { label, layout: &pipeline.layout, entries: &entries })
        });
        self.check()?;
        if let Some(error) = error {
            return Err(self.refused(&format!("the buffers of the kernel `{}`", pipeline.name), error.to_string()));
        }
        if let Some(most) = Some(self.shared.limits.max_compute_workgroups_per_dimension)
            .filter(|most| workgroups.iter().any(|count| count > most))
        {
            let message = format!("{workgroups:?} workgroups, of which {most} are allowed in each dimension");
            return Err(self.refused(&format!("the kernel `{}`", pipeline.name), message));
        }
        Ok(Dispatch { pipeline: pipeline.clone(), group, workgroups })
    }

    /// A table with room for this many steps of `step_bytes` and for this many metrics.
    ///
    /// # Errors
    /// If the device is lost, refuses, or has no room.
    pub fn table(&self, steps: usize, step_bytes: usize, metrics: usize) -> Result<Table> {
        let step_usage = BufferUsages::UNIFORM | BufferUsages::COPY_DST;
        let step_buffer = self.allocate("steps", (steps.max(1) * STEP_STRIDE) as u64, step_usage)?;
        let metric_usage = BufferUsages::STORAGE | BufferUsages::COPY_SRC | BufferUsages::COPY_DST;
        let metric_buffer = self.allocate("metrics", (metrics.max(1) * 4) as u64, metric_usage)?;
        let (groups, error) = self.scoped(|device| {
            [false, true].map(|with| {
                let size = std::num::NonZeroU64::new(step_bytes.next_multiple_of(16) as u64);
                let block = BufferBinding { buffer: &step_buffer, offset: 0, size };
                let step = BindGroupEntry { binding: 0, resource: wgpu::BindingResource::Buffer(block) };
                let sums = BindGroupEntry { binding: 1, resource: metric_buffer.as_entire_binding() };
                let entries = if with { vec![step, sums] } else { vec![step] };
                let layout = &self.shared.step_layouts[usize::from(with)];
                device.create_bind_group(&BindGroupDescriptor { label: Some("step"), layout, entries: &entries })
            })
        });
        self.check()?;
        if let Some(error) = error {
            return Err(self.refused("the table of steps", error.to_string()));
        }
        Ok(Table { steps: step_buffer, metrics: metric_buffer, groups, step_capacity: steps, metric_capacity: metrics })
    }

    /// Writes the steps of a run that gives so many metrics.
    ///
    /// # Errors
    /// If the device is lost or refuses.
    pub fn write_steps<T: bytemuck::Pod>(&self, table: &Table, steps: &[T], metrics: usize) -> Result<()> {
        self.write_piece(&table.metrics, "metrics", 4 * metrics, |mut room| {
            let block = [UNWRITTEN; 256];
            for start in (0..room.len()).step_by(size_of_val(&block)) {
                let mut next = room.slice(start..);
                let length = next.len().min(size_of_val(&block));
                next.slice(..length).copy_from_slice(&bytemuck::bytes_of(&block)[..length]);
            }
        })?;
        let (size, bytes) = (size_of::<T>(), steps.len() * STEP_STRIDE);
        self.write_piece(&table.steps, "steps", bytes, |mut room| {
            room.fill(0);
            for (number, step) in steps.iter().enumerate() {
                room.slice(number * STEP_STRIDE..).slice(..size).copy_from_slice(bytemuck::bytes_of(step));
            }
        })
    }

    /// Reads the metrics of a run, so many of them.
    ///
    /// # Errors
    /// If the device is lost or refuses, also where it did not do all of the work and nothing but that tells: so it is on Metal
    /// when memory runs out or a kernel takes too long.
    pub fn read_metrics(&self, table: &Table, count: usize) -> Result<Vec<f32>> {
        let mut metrics = vec![0.0_f32; count];
        let bytes = bytemuck::cast_slice_mut(&mut metrics);
        self.read_together(&mut [ReadBack { raw: &table.metrics, label: "metrics", bytes }])?;
        if metrics.iter().any(|metric| metric.to_bits() == UNWRITTEN) {
            return Err(self.lost("it gave steps up without a word, most likely because its memory is exhausted"));
        }
        Ok(metrics)
    }

    /// Submits the dispatches once for each step of the table in this range, in one compute pass.
    ///
    /// # Errors
    /// If the device is lost or refuses.
    pub fn submit(&self, dispatches: &[Dispatch], table: &Table, steps: Range<usize>) -> Result<Submission> {
        self.check()?;
        let ((index, recording), error) = self.scoped(|device| {
            let start = Instant::now();
            let mut encoder = device.create_command_encoder(&CommandEncoderDescriptor::default());
            {
                let mut pass = encoder.begin_compute_pass(&ComputePassDescriptor::default());
                for step in steps {
                    dispatches.iter().for_each(|dispatch| dispatch.encode(&mut pass, table, step));
                }
            }
            let commands = encoder.finish();
            let recording = start.elapsed();
            (self.shared.queue.submit([commands]), recording)
        });
        self.check()?;
        match error {
            Some(error) => Err(self.refused("a submission", error.to_string())),
            None => Ok(Submission { index, recording }),
        }
    }

    /// Waits for a submission to end.
    ///
    /// # Errors
    /// If the device is lost.
    pub fn wait(&self, submission: Submission) -> Result<()> {
        let wait = PollType::Wait { submission_index: Some(submission.index), timeout: None };
        let polled = self.shared.device.poll(wait);
        self.check()?;
        polled.map(|_| ()).map_err(|error| self.lost(&error.to_string()))
    }

    /// Runs the dispatches one after the other for the first step of the table, and gives the time of each; nothing
    /// if the adapter cannot measure it.
    ///
    /// # Errors
    /// If the device is lost or refuses.
    pub fn profile(&self, dispatches: &[Dispatch], table: &Table) -> Result<Option<Vec<Duration>>> {
        if !self.has_timestamps() {
            return Ok(None);
        }
        let count = 2 * dispatches.len() as u32;
        let bytes = u64::from(count) * 8;
        let usage = BufferUsages::QUERY_RESOLVE | BufferUsages::COPY_SRC;
        let times = self.allocate("times", bytes, usage)?;
        let ((), error) = self.scoped(|device| {
            let descriptor = QuerySetDescriptor { label: Some("times"), ty: QueryType::Timestamp, count };
            let query_set = device.create_query_set(&descriptor);
            let mut encoder = device.create_command_encoder(&CommandEncoderDescriptor::default());
            for (i, dispatch) in dispatches.iter().enumerate() {
                let timestamp_writes = Some(ComputePassTimestampWrites {
                    query_set: &query_set,
                    beginning_of_pass_write_index: Some(2 * i as u32),
                    end_of_pass_write_index: Some(2 * i as u32 + 1),
                });
                let mut pass = encoder.begin_compute_pass(&ComputePassDescriptor { label: None, timestamp_writes });
                dispatch.encode(&mut pass, table, 0);
            }
            encoder.resolve_query_set(&query_set, 0..count, &times, 0);
            self.shared.queue.submit([encoder.finish()]);
        });
        self.check()?;
        if let Some(error) = error {
            return Err(self.refused("profiling", error.to_string()));
        }
        let mut ticks = vec![0_u64; count as usize];
        let bytes = bytemuck::cast_slice_mut(&mut ticks);
        self.read_together(&mut [ReadBack { raw: &times, label: "times", bytes }])?;
        let period = f64::from(self.shared.queue.get_timestamp_period());
        let time = |pair: &[u64]| Duration::from_nanos((pair[1].saturating_sub(pair[0]) as f64 * period) as u64);
        Ok(Some(ticks.chunks_exact(2).map(time).collect()))
    }
}

impl Submission {
    /// The host's time to record its commands.
    pub fn recording(&self) -> Duration {
        self.recording
    }
}

impl Dispatch {
    fn encode(&self, pass: &mut wgpu::ComputePass<'_>, table: &Table, step: usize) {
        pass.set_pipeline(&self.pipeline.raw);
        pass.set_bind_group(0, &self.group, &[]);
        let group = &table.groups[usize::from(self.pipeline.metrics)];
        pass.set_bind_group(1, group, &[(step * STEP_STRIDE) as u32]);
        let [x, y, z] = self.workgroups;
        pass.dispatch_workgroups(x, y, z);
    }

    /// The kernel's name.
    pub fn name(&self) -> &str {
        &self.pipeline.name
    }
}

impl Table {
    /// Whether it has room for so much.
    pub fn holds(&self, steps: usize, metrics: usize) -> bool {
        self.step_capacity >= steps && self.metric_capacity >= metrics
    }
}
