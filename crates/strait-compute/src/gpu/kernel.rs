//! Kernels before they are compiled: their text, their sizes and the buffers that they bind.

use strait_device::{Access, Bindings, Buffer, Dispatch};
use strait_shaders::{Part, Pieces, assemble};

use crate::op::Update;
use crate::{Activation, Error, Result, Tensor};

/// Kernels number their own bindings below this.
const FIRST_FREE_BINDING: u32 = 32;

/// A kernel before it is compiled.
pub(super) struct Kernel {
    pub(super) name: String,
    pub(super) extensions: &'static [&'static str],
    pub(super) constants: Vec<(&'static str, u32)>,
    pub(super) parts: Vec<Part>,
    pub(super) main: String,
    pub(super) sizes: Vec<u32>,
    pub(super) buffers: Vec<(u32, Access, Tensor)>,
    pub(super) metrics: bool,
    pub(super) workgroups: [u32; 3],
}

impl Kernel {
    /// A kernel that does nothing yet.
    pub(super) fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            extensions: &[],
            constants: vec![],
            parts: vec![],
            main: String::new(),
            sizes: vec![],
            buffers: vec![],
            metrics: false,
            workgroups: [1; 3],
        }
    }

    /// The kernel's name and its WGSL text.
    pub(super) fn source(&self) -> (String, String) {
        (self.name.clone(), assemble(self.extensions, &self.constants, &self.parts, &self.main))
    }

    /// The kernel on a device, bound to the buffers of its tensors.
    pub(super) fn compile(&self, gpu: &strait_device::Gpu, buffers: &[Buffer]) -> Result<Dispatch> {
        let (name, mut text) = self.source();
        let (mut accesses, mut bound) = (Vec::new(), Vec::new());
        // Bindings behind those that kernels number themselves.
        let mut free = FIRST_FREE_BINDING..;
        for &(binding, access, tensor) in &self.buffers {
            let pieces = buffers[tensor.id].pieces();
            let others: Vec<u32> = free.by_ref().take(pieces.len() - 1).collect();
            bound.extend(std::iter::once(binding).chain(others.iter().copied()).zip(pieces));
            accesses.extend(std::iter::once(binding).chain(others.iter().copied()).map(|binding| (binding, access)));
            if !others.is_empty() {
                text = Pieces { binding, others, words: gpu.piece_words() }.apply(&text);
            }
        }
        let most = gpu.most_buffers();
        if bound.len() + usize::from(self.metrics) > most {
            return Err(Error::Pieces { kernel: name, needed: bound.len(), most });
        }
        let pipeline = gpu.pipeline(&name, &text, &Bindings { buffers: accesses, metrics: self.metrics })?;
        Ok(gpu.dispatch(&pipeline, &self.sizes, &bound, self.workgroups)?)
    }

    /// The buffers that it binds, where tensors lie in so many pieces.
    pub(super) fn bound(&self, pieces: &dyn Fn(Tensor) -> usize) -> usize {
        self.buffers.iter().map(|&(_, _, tensor)| pieces(tensor)).sum::<usize>() + usize::from(self.metrics)
    }
}

pub(super) fn activation_code(activation: Activation) -> u32 {
    match activation {
        Activation::Linear => 0,
        Activation::Logistic => 1,
        Activation::Tanh => 2,
        Activation::Relu => 3,
        Activation::Softplus => 4,
    }
}

pub(super) fn update_code(update: &Update) -> strait_shaders::Update {
    match update {
        Update::Store { .. } => strait_shaders::Update::Store,
        Update::Momentum { .. } => strait_shaders::Update::Momentum,
        Update::Adam { .. } => strait_shaders::Update::Adam,
    }
}

pub(super) fn groups(count: usize, each: usize) -> u32 {
    count.div_ceil(each) as u32
}

/// A kernel whose invocations take the elements of a tensor in turn.
pub(super) fn by_element(name: &str, out: Tensor, constants: Vec<(&'static str, u32)>) -> Kernel {
    let workgroups = groups(out.len(), 64).min(4096);
    Kernel {
        constants,
        sizes: vec![out.len() as u32, 64 * workgroups],
        workgroups: [workgroups, 1, 1],
        ..Kernel::named(name)
    }
}

/// A function `name` of an element of a tensor that may be missing: then it is `none` everywhere.
pub(super) fn optional(
    name: &str,
    binding: u32,
    tensor: Option<Tensor>,
    none: &str,
    buffers: &mut Vec<(u32, Access, Tensor)>,
) -> String {
    let Some(tensor) = tensor else {
        return format!("fn {name}(i: u32) -> f32 {{ return {none}; }}\n");
    };
    buffers.push((binding, Access::Read, tensor));
    format!(
        "@group(0) @binding({binding}) var<storage, read> of_{name}: array<f32>;
fn {name}(i: u32) -> f32 {{ return of_{name}[i]; }}
"
    )
}

/// Operands that are read, at bindings 1, 2, ...
pub(super) fn reads(tensors: &[Option<Tensor>]) -> Vec<(u32, Access, Tensor)> {
    let numbered = tensors.iter().enumerate();
    numbered.filter_map(|(i, tensor)| tensor.map(|tensor| (i as u32 + 1, Access::Read, tensor))).collect()
}
