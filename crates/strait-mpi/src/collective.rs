//! What all ranks do together in one call.

use mpi::collective::SystemOperation;
use mpi::datatype::PartitionMut;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator, CommunicatorCollectives};
use strait_compute::{Result, Summing};

use crate::request::Request;
use crate::world::Memory;

/// Bytes that a rank sends in one call, which counts them in 32 bits.
const AT_ONCE: usize = 16 << 20;

/// A sum in the order that the library chooses.
pub(crate) struct Sum<'m> {
    request: Request,
    memory: &'m Memory,
}

impl<'m> Sum<'m> {
    pub(crate) fn begin(world: &SimpleCommunicator, values: Vec<f32>, memory: &'m Memory) -> Self {
        let free = memory.take(values.len());
        Self { request: Request::all_reduce(world, values, free), memory }
    }
}

impl Summing for Sum<'_> {
    fn poll(&mut self) -> Result<()> {
        self.request.has_ended();
        Ok(())
    }

    fn wait(self: Box<Self>) -> Result<Vec<f32>> {
        let (sum, own) = self.request.wait();
        self.memory.give(own);
        Ok(sum)
    }
}

/// What each rank has given.
pub(crate) fn gather(world: &SimpleCommunicator, own: &[u8]) -> Vec<Vec<u8>> {
    let ranks = world.size() as usize;
    let mut lengths = vec![0u64; ranks];
    world.all_gather_into(&(own.len() as u64), &mut lengths[..]);
    let mut all: Vec<Vec<u8>> = lengths.iter().map(|&length| Vec::with_capacity(length as usize)).collect();
    let rounds = lengths.iter().map(|&length| (length as usize).div_ceil(AT_ONCE)).max().unwrap_or(0);
    for round in 0..rounds {
        let part = |length: usize| (round * AT_ONCE).min(length)..((round + 1) * AT_ONCE).min(length);
        let counts: Vec<i32> = lengths.iter().map(|&length| part(length as usize).len() as i32).collect();
        let starts: Vec<i32> = counts.iter().scan(0, |end, count| Some(std::mem::replace(end, *end + count))).collect();
        let mut received = vec![0u8; counts.iter().sum::<i32>() as usize];
        let mut parts = PartitionMut::new(&mut received[..], &counts[..], &starts[..]);
        world.all_gather_varcount_into(&own[part(own.len())], &mut parts);
        for ((all, &start), &count) in all.iter_mut().zip(&starts).zip(&counts) {
            all.extend_from_slice(&received[start as usize..(start + count) as usize]);
        }
    }
    all
}

/// Whether one of the ranks says so.
pub(crate) fn any(world: &SimpleCommunicator, own: bool) -> bool {
    let mut found = 0u8;
    world.all_reduce_into(&u8::from(own), &mut found, SystemOperation::max());
    found > 0
}
