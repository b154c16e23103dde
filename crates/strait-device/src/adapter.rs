//! Listing and choosing adapters.

use wgpu::{Backends, DeviceType, Instance, InstanceDescriptor, MemoryBudgetThresholds};

use crate::{Error, Result};

/// An adapter, for people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AdapterInfo {
    /// Its number, by which it can be asked for.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// The graphics interface: Vulkan, Metal or DX12.
    pub backend: String,
    /// Whether it is a real GPU and not a program on the CPU.
    pub hardware: bool,
}

impl std::fmt::Display for AdapterInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let software = if self.hardware { "" } else { ", software" };
        write!(f, "{}: {} ({}{software})", self.index, self.name, self.backend)
    }
}

/// Which adapter to open.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Selector {
    /// The best real GPU: discrete before integrated before virtual.
    Hardware,
    /// The adapter of that number in [`adapters`].
    Index(usize),
    /// The first adapter whose name contains this, in any case.
    Name(String),
}

impl Selector {
    /// A number selects by number, anything else by name.
    pub fn parse(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Name(text.to_owned()), Self::Index)
    }
}

/// The adapters of this machine.
///
/// ```
/// for adapter in strait_device::adapters() {
///     println!("{adapter}");
/// }
/// ```
pub fn adapters() -> Vec<AdapterInfo> {
    let all = enumerate(MemoryBudgetThresholds::default());
    all.iter().enumerate().map(|(index, adapter)| describe(index, adapter)).collect()
}

fn enumerate(memory_budget_thresholds: MemoryBudgetThresholds) -> Vec<wgpu::Adapter> {
    let instance = Instance::new(InstanceDescriptor {
        memory_budget_thresholds,
        ..InstanceDescriptor::new_without_display_handle()
    });
    pollster::block_on(instance.enumerate_adapters(Backends::VULKAN | Backends::METAL | Backends::DX12))
}

fn describe(index: usize, adapter: &wgpu::Adapter) -> AdapterInfo {
    let info = adapter.get_info();
    AdapterInfo {
        index,
        hardware: info.device_type != DeviceType::Cpu,
        backend: format!("{:?}", info.backend),
        name: info.name,
    }
}

/// The adapter that a selector names.
pub(crate) fn select(selector: &Selector, thresholds: MemoryBudgetThresholds) -> Result<wgpu::Adapter> {
    let mut all = enumerate(thresholds);
    let infos: Vec<AdapterInfo> = all.iter().enumerate().map(|(index, adapter)| describe(index, adapter)).collect();
    let chosen = match selector {
        Selector::Hardware => {
            let rank = |index: &usize| match all[*index].get_info().device_type {
                DeviceType::DiscreteGpu => 0,
                DeviceType::IntegratedGpu => 1,
                DeviceType::VirtualGpu => 2,
                DeviceType::Other => 3,
                DeviceType::Cpu => 4,
            };
            (0..all.len()).filter(|index| infos[*index].hardware).min_by_key(rank)
        }
        Selector::Index(index) => Some(*index).filter(|index| *index < all.len()),
        Selector::Name(name) => {
            let wanted = name.to_lowercase();
            infos.iter().position(|info| !wanted.is_empty() && info.name.to_lowercase().contains(&wanted))
        }
    };
    chosen.map(|index| all.swap_remove(index)).ok_or_else(|| {
        let found = infos.iter().map(AdapterInfo::to_string).collect();
        match selector {
            Selector::Hardware => Error::NoAdapter { found },
            Selector::Index(index) => Error::UnknownAdapter { wanted: index.to_string(), found },
            Selector::Name(name) => Error::UnknownAdapter { wanted: name.clone(), found },
        }
    })
}
