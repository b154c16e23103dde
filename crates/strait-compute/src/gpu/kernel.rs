//! Kernels before they are compiled: their text, their sizes and the buffers that they bind.

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex};

use strait_device::{Access, Bindings, Buffer, Dispatch, Piece, Pipeline};
use strait_shaders::{Part, Pieces, SECOND, alone, assemble, pair};

use crate::op::Update;
use crate::{Activation, Error, Result, Tensor};

/// Kernels number their own bindings below this.
const FIRST_FREE_BINDING: u32 = 32;

/// Workgroups that sum so many columns, as `columns.wgsl` has them: eight neighbours each, and others behind them where there are
/// more columns.
pub(super) fn summing(columns: usize) -> u32 {
    groups(columns, 8).min(16384)
}

/// Multiply-adds of the largest product that gains by another one beside it. Steps at batch 1000, whose products have ten times
/// as many as those at batch 100, gain nothing on an H100 if theirs are paired, and lose a tenth of their speed in mixed precision.
const SMALL: usize = 100_000_000;

/// The pipelines of these kernels, whose tensors lie in so many pieces. Texts that are new are compiled on all cores, since
/// drivers take up to a second for one.
pub(super) fn compile(
    kernels: &[&Kernel],
    gpu: &strait_device::Gpu,
    pieces: &dyn Fn(Tensor) -> usize,
) -> Result<Vec<Arc<Pipeline>>> {
    let placed = kernels.iter().map(|kernel| kernel.placed(gpu, pieces)).collect::<Result<Vec<_>>>()?;
    let texts: BTreeMap<&str, usize> = placed.iter().enumerate().map(|(i, (text, _))| (text.as_str(), i)).collect();
    let pipeline = |i: usize| gpu.pipeline(&kernels[i].name, &placed[i].0, &placed[i].1);
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(texts.len());
    let left = Mutex::new(texts.into_values());
    let next = || left.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).next();
    // A worker ends at its first error.
    let work = || -> strait_device::Result<()> {
        while let Some(i) = next() {
            pipeline(i)?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })?;
    (0..kernels.len()).map(|i| Ok(pipeline(i)?)).collect()
}

/// What there is to know of a product beside its text.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    /// Invocations of a workgroup.
    pub(super) invocations: u32,
    /// Whether there are workgroups for other work behind those of the product.
    pub(super) others: bool,
    /// Its multiply-adds.
    pub(super) work: usize,
}

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
    /// Of a product, whose text has no main function yet.
    pub(super) product: Option<Entry>,
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
            product: None,
        }
    }

    /// With more sizes behind those that it has.
    pub(super) fn with(mut self, sizes: Vec<u32>) -> Self {
        self.sizes.extend(sizes);
        self
    }

    /// Drawing from this stream, which is the last of its sizes: what differs in nothing else is one kernel.
    pub(super) fn drawing(mut self, stream: u32) -> Self {
        if let Some(last) = self.sizes.last_mut() {
            *last = stream;
        }
        self
    }

    /// This product and another, neither of which depends on the other, in one kernel; nothing where that is not possible or
    /// one of them keeps a GPU busy by itself.
    pub(super) fn beside(&self, other: &Self, most_buffers: usize, pieces: &dyn Fn(Tensor) -> usize) -> Option<Self> {
        let (first, second) = self.product.zip(other.product)?;
        let workgroups = [self, other].map(|kernel| kernel.workgroups[0] * kernel.workgroups[1]).iter().sum();
        if first.work.max(second.work) > SMALL
            || first.invocations != second.invocations
            || self.metrics && other.metrics
            || self.extensions != other.extensions
            || self.bound(pieces) + other.bound(pieces) > most_buffers
            || workgroups > u32::from(u16::MAX)
        {
            return None;
        }
        let texts = [self, other].map(Self::body);
        let shifted = other.buffers.iter().map(|&(binding, access, tensor)| (binding + SECOND, access, tensor));
        Some(Self {
            name: format!("{} beside {}", self.name, other.name),
            extensions: self.extensions,
            parts: vec![Part::Prelude],
            main: pair(texts.each_ref().map(String::as_str), [first.others, second.others], first.invocations),
            sizes: [self.sizes.as_slice(), &other.sizes].concat(),
            buffers: self.buffers.iter().copied().chain(shifted).collect(),
            metrics: self.metrics || other.metrics,
            workgroups: [workgroups, 1, 1],
            ..Self::named("")
        })
    }

    /// What the text has beside the extensions, the prelude and a product's main function.
    fn body(&self) -> String {
        let parts: Vec<Part> = self.parts.iter().copied().filter(|part| *part != Part::Prelude).collect();
        assemble(&[], &self.constants, &parts, &self.main)
    }

    /// The kernel's name and its WGSL text.
    pub(super) fn source(&self) -> (String, String) {
        let main = self.product.map(|entry| alone(entry.invocations, entry.others)).unwrap_or_default();
        (self.name.clone(), assemble(self.extensions, &self.constants, &self.parts, &(self.main.clone() + &main)))
    }

    /// For each tensor the bindings of its pieces: the kernel's own number for the first, and for the others numbers behind those.
    fn numbered(&self, pieces: &dyn Fn(Tensor) -> usize) -> Vec<Vec<u32>> {
        let mut free = FIRST_FREE_BINDING..;
        let mut of = |&(binding, _, tensor): &(u32, Access, Tensor)| {
            std::iter::once(binding).chain(free.by_ref().take(pieces(tensor) - 1)).collect()
        };
        self.buffers.iter().map(&mut of).collect()
    }

    /// Its text for tensors that lie in so many pieces, and what it binds.
    fn placed(&self, gpu: &strait_device::Gpu, pieces: &dyn Fn(Tensor) -> usize) -> Result<(String, Bindings)> {
        let (most, needed) = (gpu.most_buffers(), self.bound(pieces));
        if needed > most {
            return Err(Error::Pieces { kernel: self.name.clone(), needed, most });
        }
        let (_, mut text) = self.source();
        let mut accesses = Vec::new();
        for (&(_, access, _), numbers) in self.buffers.iter().zip(self.numbered(pieces)) {
            accesses.extend(numbers.iter().map(|&binding| (binding, access)));
            let (binding, others) = (numbers[0], numbers[1..].to_vec());
            if !others.is_empty() {
                text = Pieces { binding, others, words: gpu.piece_words() }.apply(&text);
            }
        }
        Ok((text, Bindings { buffers: accesses, metrics: self.metrics }))
    }

    /// The compiled kernel with the buffers of its tensors.
    pub(super) fn bind(
        &self,
        pipeline: &Arc<Pipeline>,
        gpu: &strait_device::Gpu,
        buffers: &[Buffer],
    ) -> Result<Dispatch> {
        let numbers = self.numbered(&|tensor| buffers[tensor.id].pieces().len());
        let pieces = self.buffers.iter().flat_map(|&(_, _, tensor)| buffers[tensor.id].pieces());
        let bound: Vec<(u32, Piece<'_>)> = numbers.into_iter().flatten().zip(pieces).collect();
        Ok(gpu.dispatch(pipeline, &self.sizes, &bound, self.workgroups)?)
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

/// Sizes as kernels read them.
pub(super) fn words<const N: usize>(sizes: [usize; N]) -> Vec<u32> {
    sizes.map(|size| size as u32).to_vec()
}

/// A kernel whose invocations take the elements of a tensor in turn.
pub(super) fn by_element(name: &str, parts: &[Part], out: Tensor, constants: Vec<(&'static str, u32)>) -> Kernel {
    let workgroups = groups(out.len(), 64).min(4096);
    Kernel {
        constants,
        parts: [&[Part::Prelude, Part::Elements], parts].concat(),
        sizes: vec![out.len() as u32, 64 * workgroups],
        workgroups: [workgroups, 1, 1],
        ..Kernel::named(name)
    }
}

/// A kernel with one invocation for each element; a workgroup takes `each` columns of a row.
pub(super) fn by_place(name: &str, [rows, cols]: [usize; 2], each: usize) -> Kernel {
    Kernel { sizes: words([rows, cols]), workgroups: [groups(cols, each), rows as u32, 1], ..Kernel::named(name) }
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

/// A function `put_NAME` that writes an element of a result that may not be wanted: then it does nothing.
pub(super) fn wanted(
    name: &str,
    binding: u32,
    tensor: Option<Tensor>,
    buffers: &mut Vec<(u32, Access, Tensor)>,
) -> String {
    let Some(tensor) = tensor else {
        return format!("fn put_{name}(i: u32, x: f32) {{}}\n");
    };
    buffers.push((binding, Access::Write, tensor));
    format!(
        "@group(0) @binding({binding}) var<storage, read_write> {name}: array<f32>;
fn put_{name}(i: u32, x: f32) {{ {name}[i] = x; }}
"
    )
}

/// Operands that are read, and behind them results, at bindings 1, 2, ...
pub(super) fn bound(reads: &[Tensor], writes: &[Tensor]) -> Vec<(u32, Access, Tensor)> {
    let reads = reads.iter().map(|tensor| (Access::Read, *tensor));
    let all = reads.chain(writes.iter().map(|tensor| (Access::Write, *tensor)));
    (1..).zip(all).map(|(binding, (access, tensor))| (binding, access, tensor)).collect()
}
