//! An open device.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use wgpu::{DeviceDescriptor, Features, MemoryBudgetThresholds};

use crate::adapter::select;
use crate::pipeline::Pipeline;
use crate::{Error, Result, Selector};

/// What a device is opened with, beside its adapter.
#[derive(Clone, Copy, Default, Debug)]
pub struct Options {
    /// The share of the adapter's memory, in per cent, above which allocations fail (Vulkan and DX12).
    pub memory_percent: Option<u8>,
    /// The share of the adapter's memory, in per cent, above which the device gives itself up (Vulkan and DX12).
    pub loss_percent: Option<u8>,
    /// The largest buffer and the largest binding, in bytes, where that is less than what the adapter allows.
    pub buffer_limit: Option<u64>,
    /// Storage buffers that a kernel may bind, where the adapter allows more.
    pub most_buffers: Option<u32>,
    /// Whether kernels write to vectors of a workgroup's memory as a whole only, although the adapter would not need that.
    pub whole_vectors: bool,
    /// Whether kernels are compiled with checks of every index and loop, which cost up to a third of the speed. Without
    /// them, who opens the device promises that its kernels stay inside their buffers and end.
    pub checks: Checks,
}

/// Whether kernels are compiled with run-time checks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Checks {
    /// With checks.
    #[default]
    Checked,
    /// Without.
    Trusted,
}

/// Cooperative matrices that multiply f16 and add in f32.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Matrices {
    /// Rows, columns and terms of a matrix.
    pub edge: u32,
    /// Invocations of the subgroups that hold them.
    pub subgroup: u32,
    /// Whether they are loaded as fast from the rows of an operand as from its columns.
    pub either_way: bool,
}

/// An open device: a handle that is cheap to clone.
#[derive(Clone)]
pub struct Gpu {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) device: wgpu::Device,
    pub(crate) queue: wgpu::Queue,
    pub(crate) name: String,
    pub(crate) description: String,
    software: bool,
    pub(crate) limits: wgpu::Limits,
    pub(crate) features: Features,
    pub(crate) checks: wgpu::ShaderRuntimeChecks,
    matrices: Option<Matrices>,
    vulkan: bool,
    whole_vectors: bool,
    trouble: Arc<Trouble>,
    /// Layouts of the step's bind group, without and with the metrics.
    pub(crate) step_layouts: [wgpu::BindGroupLayout; 2],
    pub(crate) pipelines: Mutex<HashMap<String, Arc<Pipeline>>>,
    /// How many allocations come before the one that is to fail, and that one; 0 where none is.
    failing: AtomicUsize,
}

/// What the device reports from its own threads.
#[derive(Default)]
struct Trouble {
    lost: AtomicBool,
    reason: Mutex<String>,
    refusal: Mutex<Option<String>>,
}

/// What kernels with cooperative matrices need.
const MATRIX_FEATURES: Features =
    Features::EXPERIMENTAL_COOPERATIVE_MATRIX.union(Features::SHADER_F16).union(Features::SUBGROUP);

/// Storage buffers that a kernel must be able to bind, and invocations that a workgroup must be able to have: what WebGPU
/// promises, which some adapters do not keep.
const FEWEST: [u32; 2] = [8, 256];

/// NVIDIA's number in PCI.
const NVIDIA: u32 = 0x10de;

/// The adapter's square matrices of f16 with sums of f32, the larger ones first; only where subgroups have one size, since
/// kernels count on it.
fn matrices(adapter: &wgpu::Adapter, info: &wgpu::AdapterInfo) -> Option<Matrices> {
    if !adapter.features().contains(MATRIX_FEATURES) || info.subgroup_min_size != info.subgroup_max_size {
        return None;
    }
    let found = adapter.cooperative_matrix_properties();
    let has = |edge: &u32| {
        found.iter().any(|kind| {
            [kind.m_size, kind.n_size, kind.k_size] == [*edge; 3]
                && kind.ab_type == wgpu::CooperativeScalarType::F16
                && kind.cr_type == wgpu::CooperativeScalarType::F32
        })
    };
    let (subgroup, either_way) = (info.subgroup_min_size, info.vendor == NVIDIA);
    [16, 8].into_iter().find(has).map(|edge| Matrices { edge, subgroup, either_way })
}

fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Gpu {
    /// Opens an adapter.
    ///
    /// # Errors
    /// If there is no such adapter, or it cannot be opened.
    pub fn open(selector: &Selector) -> Result<Self> {
        Self::open_with(selector, Options::default())
    }

    /// Opens an adapter with options.
    ///
    /// # Errors
    /// If there is no such adapter, or it cannot be opened so.
    pub fn open_with(selector: &Selector, options: Options) -> Result<Self> {
        let adapter = select(
            selector,
            MemoryBudgetThresholds {
                for_resource_creation: options.memory_percent,
                for_device_loss: options.loss_percent,
            },
        )?;
        let info = adapter.get_info();
        let matrices = matrices(&adapter, &info);
        let mut features = adapter.features() & Features::TIMESTAMP_QUERY;
        if matrices.is_some() {
            features |= MATRIX_FEATURES;
        }
        let mut limits = adapter.limits();
        if let Some(limit) = options.buffer_limit {
            limits.max_buffer_size = limits.max_buffer_size.min(limit);
            limits.max_storage_buffer_binding_size = limits.max_storage_buffer_binding_size.min(limit);
        }
        if let Some(most) = options.most_buffers {
            limits.max_storage_buffers_per_shader_stage = limits.max_storage_buffers_per_shader_stage.min(most);
        }
        let open = |message: String| Error::Open { adapter: info.name.clone(), message };
        let found = [limits.max_storage_buffers_per_shader_stage, limits.max_compute_invocations_per_workgroup];
        if found.iter().zip(FEWEST).any(|(&found, needed)| found < needed) {
            let ([buffers, invocations], [most, largest]) = (FEWEST, found);
            return Err(open(format!(
                "kernels bind up to {buffers} buffers and have workgroups of {invocations}, but it allows {most} and \
                 {largest}: use the CPU"
            )));
        }
        let descriptor = DeviceDescriptor {
            label: Some("strait"),
            required_features: features,
            required_limits: limits.clone(),
            experimental_features: match matrices {
                // SAFETY: only cooperative matrices are used of the experimental features, in kernels that the conformance
                // test has run.
                Some(_) => unsafe { wgpu::ExperimentalFeatures::enabled() },
                None => wgpu::ExperimentalFeatures::disabled(),
            },
            ..DeviceDescriptor::default()
        };
        // wgpu 30 panics instead of giving an error where memory runs out while it opens a device on Vulkan.
        let request = || pollster::block_on(adapter.request_device(&descriptor));
        let (device, queue) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(request))
            .map_err(|_| open("wgpu panicked, most likely because the adapter's memory is exhausted".to_owned()))?
            .map_err(|error| open(error.to_string()))?;
        let trouble = Arc::new(Trouble::default());
        let (lost, refused) = (trouble.clone(), trouble.clone());
        device.set_device_lost_callback(move |reason, message| {
            *guard(&lost.reason) = if message.is_empty() { format!("{reason:?}") } else { message };
            lost.lost.store(true, Ordering::Release);
        });
        // Without a handler wgpu panics; the refusal becomes the error of the next call that checks.
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            guard(&refused.refusal).get_or_insert(error.to_string());
        }));
        let software = info.device_type == wgpu::DeviceType::Cpu;
        let kind = if software { ", software" } else { "" };
        let vulkan = info.backend == wgpu::Backend::Vulkan;
        // A write to a component of a vector may touch all of the vector, says WGSL, and so it does on Metal. In Vulkan's SPIR-V
        // each has a place of its own.
        let whole_vectors = options.whole_vectors || !vulkan;
        let description = format!("{} ({:?}{kind}, {} {})", info.name, info.backend, info.driver, info.driver_info);
        let name = info.name;
        let step_layouts = [false, true].map(|metrics| crate::pipeline::step_layout(&device, metrics));
        let pipelines = Mutex::default();
        let checks = match options.checks {
            Checks::Checked => wgpu::ShaderRuntimeChecks::checked(),
            // Integer divisions are by constants and sizes that are not 0.
            Checks::Trusted => wgpu::ShaderRuntimeChecks::unchecked(),
        };
        let shared = Shared {
            device,
            queue,
            name,
            description,
            software,
            limits,
            features,
            checks,
            matrices,
            vulkan,
            whole_vectors,
            failing: AtomicUsize::new(0),
            trouble,
            step_layouts,
            pipelines,
        };
        let gpu = Self { shared: Arc::new(shared) };
        gpu.check()?;
        Ok(gpu)
    }

    /// The adapter's name.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// The adapter, its interface and its driver, for people.
    pub fn describe(&self) -> &str {
        &self.shared.description
    }

    /// Whether it is really a program on the CPU.
    pub fn is_software(&self) -> bool {
        self.shared.software
    }

    /// Whether it can measure the time of operations.
    pub fn has_timestamps(&self) -> bool {
        self.shared.features.contains(Features::TIMESTAMP_QUERY)
    }

    /// The cooperative matrices that it has.
    pub fn matrices(&self) -> Option<Matrices> {
        self.shared.matrices
    }

    /// Whether it is driven through Vulkan.
    pub fn is_vulkan(&self) -> bool {
        self.shared.vulkan
    }

    /// Whether the invocations of a workgroup may not write to different components of the same vector in its memory.
    pub fn whole_vectors(&self) -> bool {
        self.shared.whole_vectors
    }

    /// Bytes of memory that a workgroup may share.
    pub fn workgroup_memory(&self) -> u32 {
        self.shared.limits.max_compute_workgroup_storage_size
    }

    /// The largest tensor that a kernel can bind as one piece, in bytes.
    pub fn largest_tensor(&self) -> u64 {
        let limits = &self.shared.limits;
        limits.max_buffer_size.min(limits.max_storage_buffer_binding_size)
    }

    /// Words of a piece of a tensor that is larger than that: a power of two.
    pub fn piece_words(&self) -> u32 {
        1 << (self.largest_tensor() / 4).clamp(1, 1 << 30).ilog2()
    }

    /// Storage buffers that a kernel may bind.
    pub fn most_buffers(&self) -> usize {
        self.shared.limits.max_storage_buffers_per_shader_stage as usize
    }

    /// Bytes that its buffers occupy now, where the driver's interface tells.
    pub fn memory_in_use(&self) -> Option<u64> {
        self.shared.device.generate_allocator_report().map(|report| report.total_allocated_bytes)
    }

    /// Makes the allocation of this number from now on, counted from 1, fail as if the memory were exhausted, so that programs can test what
    /// they do then; 0 makes none fail. Gives how many were left of the number before.
    pub fn fail_allocation(&self, number: usize) -> usize {
        self.shared.failing.swap(number, Ordering::Relaxed)
    }

    /// Whether this allocation is the one that is to fail.
    pub(crate) fn allocation_fails(&self) -> bool {
        let count = |left: usize| left.checked_sub(1);
        self.shared.failing.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count) == Ok(1)
    }

    /// Gives the device up: every later call is [`Error::Lost`].
    pub fn destroy(&self) {
        self.shared.device.destroy();
        let _ = self.shared.device.poll(wgpu::PollType::Poll);
    }

    /// Whether this is the same open device.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// An error if the device is lost or has refused something meanwhile.
    ///
    /// # Errors
    /// [`Error::Lost`] or [`Error::Refused`].
    pub fn check(&self) -> Result<()> {
        let trouble = &self.shared.trouble;
        if trouble.lost.load(Ordering::Acquire) {
            return Err(Error::Lost { adapter: self.shared.name.clone(), reason: guard(&trouble.reason).clone() });
        }
        match guard(&trouble.refusal).take() {
            Some(message) => Err(self.refused("a call", message)),
            None => Ok(()),
        }
    }

    pub(crate) fn lost(&self, reason: &str) -> Error {
        self.check()
            .err()
            .unwrap_or_else(|| Error::Lost { adapter: self.shared.name.clone(), reason: reason.to_owned() })
    }

    pub(crate) fn refused(&self, what: &str, message: String) -> Error {
        Error::Refused { what: what.to_owned(), message, adapter: self.shared.name.clone() }
    }

    /// Runs `call` and gives the error that it raised. Error scopes belong to the thread, so they are opened here.
    pub(crate) fn scoped<T>(&self, call: impl FnOnce(&wgpu::Device) -> T) -> (T, Option<wgpu::Error>) {
        let device = &self.shared.device;
        let internal = device.push_error_scope(wgpu::ErrorFilter::Internal);
        let memory = device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let validation = device.push_error_scope(wgpu::ErrorFilter::Validation);
        let result = call(device);
        let errors = [
            pollster::block_on(validation.pop()),
            pollster::block_on(memory.pop()),
            pollster::block_on(internal.pop()),
        ];
        (result, errors.into_iter().flatten().next())
    }
}
