//! A device by its name.

use std::sync::Arc;
use std::time::Instant;

use crate::shards::{Ranks, Sharded};
use crate::{
    Alone, Backend, Cpu, Cut, Error, Execution, Hardware, Operands, Order, Precision, Program, Reducer, Result, Spent,
};

/// A device on which programs run: a handle that is cheap to clone.
///
/// ```
/// let device = strait_compute::Device::cpu()?;
/// println!("{}", device.describe());
/// # Ok::<(), strait_compute::Error>(())
/// ```
#[derive(Clone)]
pub struct Device {
    backend: Arc<dyn Backend>,
    /// The ranks that train together, of which this is one.
    ranks: Arc<Ranks>,
}

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Device({})", self.describe())
    }
}

impl Device {
    /// The device of a back end.
    pub fn new(backend: impl Backend + 'static) -> Self {
        Self { backend: Arc::new(backend), ranks: Arc::new(Ranks::new(Box::new(Alone))) }
    }

    /// The CPU with one worker thread for each of its cores.
    ///
    /// # Errors
    /// When the threads cannot be started.
    pub fn cpu() -> Result<Self> {
        Ok(Self::new(Cpu::new()?))
    }

    /// The GPU that wgpu finds best: a discrete one before an integrated one, never a software one.
    ///
    /// # Errors
    /// When there is no GPU, with what to install, or strait was built without its feature `gpu`.
    pub fn gpu() -> Result<Self> {
        Self::adapter("gpu")
    }

    #[cfg(feature = "gpu")]
    fn adapter(name: &str) -> Result<Self> {
        let selector = match name {
            "gpu" => strait_device::Selector::Hardware,
            name => strait_device::Selector::parse(name),
        };
        Ok(Self::new(crate::Gpu::new(&selector)?))
    }

    #[cfg(not(feature = "gpu"))]
    fn adapter(name: &str) -> Result<Self> {
        Err(Error::WithoutGpu(name.to_owned()))
    }

    /// A GPU if there is one that works, else the CPU.
    ///
    /// # Errors
    /// When not even the CPU's threads can be started.
    pub fn best() -> Result<Self> {
        Self::gpu().or_else(|error| {
            tracing::debug!(%error, "the CPU is used");
            Self::cpu()
        })
    }

    /// The device that a user names: `auto`, `cpu` (or `cpu:N` for N threads), `gpu`, the number of an adapter in `strait_device::adapters`,
    /// or a part of an adapter's name in any case (which is how a software adapter is asked for).
    ///
    /// # Errors
    /// When there is no such device; the message lists those that there are, or says that strait was built for none but the CPU.
    pub fn named(name: &str) -> Result<Self> {
        match name {
            "auto" => Self::best(),
            "cpu" => Self::cpu(),
            threads if threads.starts_with("cpu:") => match threads["cpu:".len()..].parse() {
                Ok(threads @ 1..=1024) => Ok(Self::new(Cpu::with_threads(threads)?)),
                _ => Err(Error::Threads(threads.to_owned())),
            },
            other => Self::adapter(other),
        }
    }

    /// What the device is, for people.
    pub fn describe(&self) -> String {
        self.backend.describe()
    }

    /// What kind of device it is.
    pub fn hardware(&self) -> Hardware {
        self.backend.hardware()
    }

    /// The numbers that products multiply in routines of this precision; see [`Backend::operands`].
    pub fn operands(&self, precision: Precision) -> Operands {
        self.backend.operands(precision)
    }

    /// The precision in which it trains fastest without a loss that shows in the results of training.
    pub fn fastest(&self) -> Precision {
        self.backend.fastest()
    }

    /// The precision of that name, `auto` being the fastest; nothing for any other name.
    ///
    /// ```
    /// use strait_compute::{Device, Precision};
    /// let device = Device::cpu()?;
    /// assert_eq!(device.precision("mixed"), Some(Precision::Mixed));
    /// assert_eq!(device.precision("auto"), Some(device.fastest()));
    /// # Ok::<(), strait_compute::Error>(())
    /// ```
    pub fn precision(&self, name: &str) -> Option<Precision> {
        match name {
            "auto" => Some(self.fastest()),
            name => Precision::ALL.into_iter().find(|precision| precision.name() == name),
        }
    }

    /// Bytes that programs occupy in its memory now, where it tells.
    pub fn memory_in_use(&self) -> Option<u64> {
        self.backend.memory_in_use()
    }

    /// The names and WGSL texts of the kernels that it has compiled so far, where it has any.
    pub fn kernels(&self) -> Vec<(String, String)> {
        self.backend.kernels()
    }

    /// Bytes of the largest tensor that it can hold, where there is a limit.
    pub fn largest_tensor(&self) -> Option<u64> {
        self.backend.largest_tensor()
    }

    /// Bytes of rows that it takes at once: what its largest tensor holds. The CPU has no such limit; 256 MiB keep a large data set from
    /// being in memory as a whole.
    pub fn most_at_once(&self) -> u64 {
        self.largest_tensor().unwrap_or(256 << 20)
    }

    /// Compiles what these programs need; see [`Backend::prepare`].
    ///
    /// ```
    /// use strait_compute::{Device, Kind, Op, Program, Routine};
    /// let programs = [10, 20].map(|width| {
    ///     let mut program = Program::default();
    ///     let x = program.data("x", 5, width, Kind::Values);
    ///     let mut routine = Routine::new("length");
    ///     routine.push(Op::Dot { x, y: x }).expect("the shapes fit");
    ///     program.add(routine);
    ///     program
    /// });
    /// let device = Device::cpu()?;
    /// device.prepare(&programs)?;
    /// let loaded = programs.map(|program| device.load(program));
    /// # assert!(loaded.iter().all(|loaded| loaded.is_ok()));
    /// # Ok::<(), strait_compute::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Backend::prepare`].
    pub fn prepare(&self, programs: &[Program]) -> Result<()> {
        self.backend.prepare(programs)
    }

    /// Loads a program; see [`Backend::load`].
    ///
    /// # Errors
    /// As [`Backend::load`].
    pub fn load(&self, program: Program) -> Result<Box<dyn Execution>> {
        self.load_sharing(program, &[])
    }

    /// Loads a program that shares tensors with others on this device; see [`Backend::load`].
    ///
    /// # Errors
    /// As [`Backend::load`].
    pub fn load_sharing(
        &self,
        program: Program,
        shared: &[(crate::Tensor, crate::Buffer)],
    ) -> Result<Box<dyn Execution>> {
        let (start, bytes) = (Instant::now(), program.bytes());
        let routines: Vec<String> = program.routines().iter().map(|routine| routine.name().to_owned()).collect();
        let loaded = self.backend.load(program, shared)?;
        tracing::debug!(?routines, bytes, time = ?start.elapsed(), "loaded a program");
        Ok(loaded)
    }

    /// The same device as one of the ranks that train together. Everything but training happens on each rank by itself.
    pub fn with_reducer(&self, reducer: impl Reducer + 'static) -> Self {
        Self { backend: self.backend.clone(), ranks: Arc::new(Ranks::new(Box::new(reducer))) }
    }

    /// What connects it with the other ranks that train together; itself alone, unless [`Device::with_reducer`] has made it one of several.
    pub fn reducer(&self) -> &dyn Reducer {
        &*self.ranks.reducer
    }

    /// Time and bytes spent on sums over ranks so far.
    pub fn spent_on_sums(&self) -> Spent {
        self.ranks.spent()
    }

    /// Whether `own` is true on at least one rank (a logical or over all ranks).
    ///
    /// # Errors
    /// When the connection fails.
    pub fn any_rank(&self, own: bool) -> Result<bool> {
        self.ranks.reducer.any(own)
    }

    /// The first rank whose rows had a loss that was not finite since this was last called.
    pub fn take_not_finite(&self) -> Option<usize> {
        self.ranks.take_not_finite()
    }

    /// How batches are cut into this number of shards, or into one per rank.
    ///
    /// # Errors
    /// [`Error::Ranks`] if the number of shards is not a power of two, or not a multiple of the number of ranks.
    pub fn cut(&self, shards: Option<usize>) -> Result<Cut> {
        let (rank, ranks) = (self.reducer().rank(), self.reducer().size());
        match shards {
            Some(shards) if !shards.is_power_of_two() => {
                let message = format!(
                    "{shards} shards: the number must be a power of two, such as 8, which 1, 2, 4 or 8 ranks can share"
                );
                Err(Error::Ranks(message))
            }
            Some(shards) if !shards.is_multiple_of(ranks) => {
                let message =
                    format!("{shards} shards cannot be shared by {ranks} ranks: start a number that divides them");
                Err(Error::Ranks(message))
            }
            shards => Ok(Cut::new(shards.unwrap_or(ranks), rank, ranks)),
        }
    }

    /// Loads a program that is trained by all ranks, each with its shards of the rows of every batch; see [`Device::cut`].
    ///
    /// # Errors
    /// As [`Device::cut`] and [`Backend::load`], and where a program has sums over rows in a form that cannot be added up.
    pub fn load_in_shards(
        &self,
        program: Program,
        shared: &[(crate::Tensor, crate::Buffer)],
        shards: Option<usize>,
    ) -> Result<Box<dyn Execution>> {
        let cut = self.cut(shards)?;
        if cut.shards() == 1 {
            return self.load_sharing(program, shared);
        }
        let order = if shards.is_some() { Order::Tree } else { Order::Any };
        Ok(Box::new(Sharded::load(&*self.backend, program, shared, (cut, order), self.ranks.clone())?))
    }
}
