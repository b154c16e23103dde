//! One of several processes that train together.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use anyhow::Result;
use strait::Device;
use strait::compute::Reducer;
use strait::experiment::code_of;
use strait_mpi::Mpi;

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
        let cores = self.cores()?;
        let cpu = || Device::named(&cores.map_or("cpu".to_owned(), |cores| format!("cpu:{cores}")));
        let device = match (self.gpu(name), name) {
            (Some(number), _) => Device::named(&number)?,
            (None, "cpu") => cpu()?,
            (None, "auto") => Device::gpu().or_else(|_| cpu())?,
            (None, name) => Device::named(name)?,
        };
        Ok(device.with_reducer(self.mpi.clone()))
    }

    /// This rank's share of the cores that the ranks of its machine may use: `mpirun` gives several ranks the same cores, unless it binds each to its own.
    fn cores(&self) -> strait::compute::Result<Option<usize>> {
        let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let status = text("/proc/self/status");
        let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap_or_default();
        let own = format!("{}\n{}", text("/proc/sys/kernel/random/boot_id").trim(), allowed.trim());
        let all = self.mpi.gather(own.as_bytes())?;
        let all: Vec<&str> = all.iter().map(|bytes| std::str::from_utf8(bytes).unwrap_or_default()).collect();
        Ok(share(&own, &all))
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

/// The cores of a machine over the ranks on it: each says which machine it is on, and which cores it may use, as Linux writes them. Nothing where that is not told.
fn share(own: &str, all: &[&str]) -> Option<usize> {
    let (machine, mine) = own.split_once('\n')?;
    let mine = cores(mine)?;
    let here = all.iter().filter_map(|other| other.split_once('\n')).filter(|(other, _)| *other == machine);
    let lists = here.map(|(_, list)| cores(list)).collect::<Option<Vec<_>>>()?;
    let together: BTreeSet<usize> = lists.iter().flatten().copied().collect();
    Some((together.len() / lists.len().max(1)).clamp(1, mine.len().max(1)))
}

/// The numbers of a list such as `0-3,8`.
fn cores(list: &str) -> Option<Vec<usize>> {
    let of = |part: &str| -> Option<RangeInclusive<usize>> {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    let ranges = list.split(',').map(of).collect::<Option<Vec<_>>>()?;
    Some(ranges.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn ranks_share_the_cores_of_their_machine() {
        // Four ranks on two sockets of eight cores, each bound to a socket; and one on another machine.
        let all = ["a\n0-7", "a\n0-7", "a\n8-15", "a\n8-15", "b\n0-3"];
        assert_eq!([all[0], all[2], all[4]].map(|own| share(own, &all)), [Some(4), Some(4), Some(4)]);
        // Each bound to a core of its own; and more ranks than cores.
        assert_eq!(share("a\n1", &["a\n0", "a\n1"]), Some(1));
        assert_eq!(share("a\n0-1", &["a\n0-1"; 4]), Some(1));
        assert_eq!(share("\n", &["\n"; 2]), None);
    }
}
