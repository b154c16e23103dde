//! All processes that were started together.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use mpi::Threading;
use mpi::environment::Universe;
use mpi::topology::SimpleCommunicator;
use mpi::traits::Communicator;
use strait_compute::{Order, Reducer, Result, Summed, Summing};

use crate::Error;
use crate::collective::{Sum, any, gather};
use crate::rounded::Residuals;
use crate::tree::Tree;

/// The processes that `mpirun` has started together: the ranks of a training run. Clones are the same processes; MPI ends with the last of them.
///
/// One thread, that which trains, calls MPI.
#[derive(Clone)]
pub struct Mpi {
    shared: Arc<Shared>,
    /// Where sums travel in 16 bits, what rounding has left behind.
    residuals: Option<Arc<Mutex<Residuals>>>,
}

struct Shared {
    universe: Universe,
    local_rank: usize,
    /// Sums that have begun, by which their messages are told apart.
    sums: AtomicUsize,
    memory: Memory,
}

impl Drop for Shared {
    fn drop(&mut self) {
        // The others would wait for a rank that panics, and MPI would wait for them to end with it.
        if std::thread::panicking() {
            self.universe.world().abort(101);
        }
    }
}

/// Memory that was used before.
#[derive(Default)]
pub(crate) struct Memory(Mutex<Vec<Vec<f32>>>);

impl Memory {
    /// Some of this length.
    pub(crate) fn take(&self, length: usize) -> Vec<f32> {
        let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match free.iter().position(|memory| memory.len() == length) {
            Some(place) => free.swap_remove(place),
            None => vec![0.0; length],
        }
    }

    pub(crate) fn give(&self, memory: Vec<f32>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
    }
}

impl fmt::Debug for Mpi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mpi(rank {} of {})", self.rank(), self.size())
    }
}

impl Mpi {
    /// All processes that `mpirun` has started together; one that was started without it is alone.
    ///
    /// # Errors
    /// [`Error::Twice`] if MPI was initialised before.
    pub fn world() -> crate::Result<Self> {
        let (universe, _) = mpi::initialize_with_threading(Threading::Funneled).ok_or(Error::Twice)?;
        let local_rank = universe.world().split_shared(universe.world().rank()).rank() as usize;
        let shared = Shared { universe, local_rank, sums: AtomicUsize::new(0), memory: Memory::default() };
        Ok(Self { shared: Arc::new(shared), residuals: None })
    }

    /// The same, whose sums travel in 16 bits (bfloat16), which halves what a slow network has to carry. What rounding leaves behind is added to the next sum of the
    /// same tensor (error feedback, Seide et al. 2014). Sums then do not have the same bits on other numbers of ranks.
    pub fn rounded(self) -> Self {
        Self { residuals: Some(Arc::default()), ..self }
    }

    /// The number of this process among those on the same machine: which of its GPUs it should take.
    pub fn local_rank(&self) -> usize {
        self.shared.local_rank
    }

    /// Which library connects them.
    pub fn describe(&self) -> String {
        let version = mpi::environment::library_version().unwrap_or_default();
        // The name and the version; the rest is for who builds it.
        let name = version.split([',', '\n']).next().unwrap_or_default().replace("Version:", "");
        let words: Vec<&str> = name.split_whitespace().collect();
        format!("rank {} of {}, {}", self.rank(), self.size(), words.join(" "))
    }

    /// Ends all processes with this exit code, whatever they do.
    pub fn abort(&self, code: u8) -> ! {
        self.world_now().abort(i32::from(code))
    }

    fn world_now(&self) -> SimpleCommunicator {
        self.shared.universe.world()
    }
}

impl Reducer for Mpi {
    fn rank(&self) -> usize {
        self.world_now().rank() as usize
    }

    fn size(&self) -> usize {
        self.world_now().size() as usize
    }

    fn begin(&self, tensor: usize, mut values: Vec<f32>, order: Order) -> Result<Box<dyn Summing + '_>> {
        let (world, memory) = (self.world_now(), &self.shared.memory);
        let number = self.shared.sums.fetch_add(1, Ordering::Relaxed);
        if let Some(residuals) = &self.residuals {
            residuals.lock().unwrap_or_else(PoisonError::into_inner).sum(&world, tensor, &mut values);
            return Ok(Box::new(Summed(values)));
        }
        Ok(match order {
            Order::Tree => Box::new(Tree::begin(world, values, number, memory)),
            Order::Any => Box::new(Sum::begin(&world, values, memory)),
        })
    }

    fn gather(&self, own: &[u8]) -> Result<Vec<Vec<u8>>> {
        Ok(gather(&self.world_now(), own))
    }

    fn any(&self, own: bool) -> Result<bool> {
        Ok(any(&self.world_now(), own))
    }
}
