//! How the ranks of a machine share its cores.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use strait::compute::{Reducer, Result};

/// A rank's share of the cores that the ranks of its machine may use, where the system tells: `mpirun` gives several ranks the same cores, unless it binds each to its own.
pub(crate) fn share_of(ranks: &dyn Reducer) -> Result<Option<usize>> {
    let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let status = text("/proc/self/status");
    let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap_or_default();
    let own = format!("{}\n{}", text("/proc/sys/kernel/random/boot_id").trim(), allowed.trim());
    let all = ranks.gather(own.as_bytes())?;
    let all: Vec<&str> = all.iter().map(|bytes| std::str::from_utf8(bytes).unwrap_or_default()).collect();
    Ok(share(&own, &all))
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
