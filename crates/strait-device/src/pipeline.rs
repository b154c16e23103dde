//! Compute pipelines, made once for each kernel.

use std::sync::Arc;
use std::time::Instant;

use wgpu::{
    BindGroupLayout, BindGroupLayoutDescriptor, BindGroupLayoutEntry, BindingType, BufferBindingType,
    ComputePipelineDescriptor, PipelineLayoutDescriptor, ShaderModuleDescriptor, ShaderSource, ShaderStages,
};

use crate::{Error, Gpu, Result};

/// How a kernel uses a buffer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// It only reads.
    Read,
    /// It writes, and may read.
    Write,
}

/// What a kernel binds: in group 0 a uniform block of sizes at 0 and these buffers; in group 1 the step at 0, and at 1
/// the metrics if it writes them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bindings {
    /// Binding numbers with their use.
    pub buffers: Vec<(u32, Access)>,
    /// Whether the metrics are bound.
    pub metrics: bool,
}

/// A compiled kernel.
pub struct Pipeline {
    pub(crate) raw: wgpu::ComputePipeline,
    pub(crate) layout: BindGroupLayout,
    pub(crate) metrics: bool,
    pub(crate) name: String,
}

fn entry(binding: u32, kind: BufferBindingType, dynamic: bool) -> BindGroupLayoutEntry {
    let ty = BindingType::Buffer { ty: kind, has_dynamic_offset: dynamic, min_binding_size: None };
    BindGroupLayoutEntry { binding, visibility: ShaderStages::COMPUTE, ty, count: None }
}

/// The layout of group 1.
pub(crate) fn step_layout(device: &wgpu::Device, metrics: bool) -> BindGroupLayout {
    let step = entry(0, BufferBindingType::Uniform, true);
    let sums = entry(1, BufferBindingType::Storage { read_only: false }, false);
    let entries = if metrics { vec![step, sums] } else { vec![step] };
    device.create_bind_group_layout(&BindGroupLayoutDescriptor { label: Some("step"), entries: &entries })
}

impl Gpu {
    /// The names and texts of the kernels that were compiled so far.
    pub fn kernels(&self) -> Vec<(String, String)> {
        let pipelines = self.shared.pipelines.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut kernels: Vec<(String, String)> =
            pipelines.iter().map(|(text, pipeline)| (pipeline.name.clone(), text.clone())).collect();
        kernels.sort();
        kernels
    }

    /// The pipeline of a kernel whose entry point is `main`; compiled when it is asked for the first time. Several threads may
    /// compile at a time.
    ///
    /// # Errors
    /// [`Error::Shader`] or [`Error::Lost`].
    pub fn pipeline(&self, name: &str, text: &str, bindings: &Bindings) -> Result<Arc<Pipeline>> {
        self.check()?;
        let pipelines = || self.shared.pipelines.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(pipeline) = pipelines().get(text) {
            return Ok(pipeline.clone());
        }
        let mut entries = vec![entry(0, BufferBindingType::Uniform, false)];
        entries.extend(bindings.buffers.iter().map(|&(binding, access)| {
            entry(binding, BufferBindingType::Storage { read_only: access == Access::Read }, false)
        }));
        let start = Instant::now();
        let (made, error) = self.scoped(|device| {
            let layout =
                device.create_bind_group_layout(&BindGroupLayoutDescriptor { label: Some(name), entries: &entries });
            let step = &self.shared.step_layouts[usize::from(bindings.metrics)];
            let pipeline_layout = device.create_pipeline_layout(&PipelineLayoutDescriptor {
                label: Some(name),
                bind_group_layouts: &[Some(&layout), Some(step)],
                ..PipelineLayoutDescriptor::default()
            });
            let source = ShaderSource::Wgsl(text.into());
            let descriptor = ShaderModuleDescriptor { label: Some(name), source };
            let checks = self.shared.checks;
            // SAFETY: the caller's kernels stay inside their buffers and their loops end, as the options ask.
            let module = unsafe { device.create_shader_module_trusted(descriptor, checks) };
            let raw = device.create_compute_pipeline(&ComputePipelineDescriptor {
                label: Some(name),
                layout: Some(&pipeline_layout),
                module: &module,
                entry_point: Some("main"),
                compilation_options: wgpu::PipelineCompilationOptions {
                    zero_initialize_workgroup_memory: false,
                    ..wgpu::PipelineCompilationOptions::default()
                },
                cache: None,
            });
            Pipeline { raw, layout, metrics: bindings.metrics, name: name.to_owned() }
        });
        self.check()?;
        if let Some(error) = error {
            let (kernel, adapter) = (name.to_owned(), self.name().to_owned());
            return Err(Error::Shader { kernel, message: error.to_string(), adapter });
        }
        tracing::debug!(kernel = name, time = ?start.elapsed(), "compiled a kernel");
        Ok(pipelines().entry(text.to_owned()).or_insert_with(|| Arc::new(made)).clone())
    }
}
