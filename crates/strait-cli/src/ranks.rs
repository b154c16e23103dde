//! One of several processes that train together.

use std::time::Duration;

use anyhow::Result;
use strait::Device;
use strait::compute::Reducer;
use strait::experiment::code_of;
use strait_mpi::Mpi;

use crate::cores;

/// One of the processes that `mpirun` has started.
pub(crate) struct Rank {
    mpi: Mpi,
}

/// Does the same on all ranks. One that fails ends all of them, with its exit code.
pub(crate) fn run(round_sums: bool, work: impl FnOnce(&Rank) -> Result<()>) -> Result<()> {
    let mpi = Mpi::world()?;
    let rank = Rank { mpi: if round_sums { mpi.rounded() } else { mpi } };
    let Err(error) = work(&rank) else { return Ok(()) };
    let number = rank.mpi.rank();
    if rank.mpi.size() == 1 {
        return Err(error);
    }
    if number > 0 {
        // What all ranks find out is told by the first one, which then ends the others.
        std::thread::sleep(Duration::from_millis(500));
    }
    strait::warn!("Error: rank {number}: {error:#}");
    rank.mpi.abort(code_of(error.as_ref()))
}

impl Rank {
    pub(crate) fn is_first(&self) -> bool {
        self.mpi.rank() == 0
    }

    pub(crate) fn describe(&self) -> String {
        self.mpi.describe()
    }

    /// The device of this name on this rank: where there are several GPUs, the ranks of a machine take one after the other.
    pub(crate) fn device(&self, name: &str) -> strait::compute::Result<Device> {
        // All ranks ask for their share of the cores, whichever device each of them finds.
        let cores = cores::share_of(&self.mpi)?;
        let cpu = || Device::named(&cores.map_or("cpu".to_owned(), |cores| format!("cpu:{cores}")));
        let device = match (self.gpu(name), name) {
            (Some(number), _) => Device::named(&number)?,
            (None, "cpu") => cpu()?,
            (None, "auto") => Device::gpu().or_else(|_| cpu())?,
            (None, name) => Device::named(name)?,
        };
        Ok(device.with_reducer(self.mpi.clone()))
    }

    #[cfg(feature = "gpu")]
    fn gpu(&self, name: &str) -> Option<String> {
        let adapters = if matches!(name, "auto" | "gpu") { strait::gpu::adapters() } else { Vec::new() };
        let hardware: Vec<usize> = adapters.iter().filter(|it| it.hardware).map(|it| it.index).collect();
        (hardware.len() > 1).then(|| hardware[self.mpi.local_rank() % hardware.len()].to_string())
    }

    #[cfg(not(feature = "gpu"))]
    fn gpu(&self, _name: &str) -> Option<String> {
        None
    }
}
