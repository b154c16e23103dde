//! Sums in a fixed order: neighbours, pairs of neighbours, and so on.

use mpi::topology::SimpleCommunicator;
use mpi::traits::Communicator;
use strait_compute::{Result, Summing};

use crate::request::Request;
use crate::world::Memory;

/// Sums whose messages have different tags. Tags go up to at least 32,767; a sum has at most eight stages.
const SUMS: usize = 4096;

/// A sum that is exchanged with the rank 1, 2, 4, ... apart in turn. Addition is commutative, so that both of a pair get the same bits.
pub(crate) struct Tree<'m> {
    world: SimpleCommunicator,
    memory: &'m Memory,
    number: usize,
    /// How far away the rank is that it exchanges with.
    apart: usize,
    /// The sum so far, which is sent, and that of the other, which is received; nothing at the end.
    exchange: Option<[Request; 2]>,
    sum: Vec<f32>,
}

impl<'m> Tree<'m> {
    pub(crate) fn begin(world: SimpleCommunicator, values: Vec<f32>, number: usize, memory: &'m Memory) -> Self {
        let mut tree = Self { world, memory, number, apart: 1, exchange: None, sum: values };
        tree.exchange_next();
        tree
    }

    /// Begins the next exchange, if there is one.
    fn exchange_next(&mut self) {
        if self.apart >= self.world.size() as usize {
            return;
        }
        let other = self.world.rank() as usize ^ self.apart;
        let tag = (self.number % SUMS * 8) as i32 + self.apart.trailing_zeros() as i32;
        let own = std::mem::take(&mut self.sum);
        let free = self.memory.take(own.len());
        let receiving = Request::receive(&self.world, free, other, tag);
        self.exchange = Some([Request::send(&self.world, own, other, tag), receiving]);
    }

    /// Adds what the other has sent, and goes on.
    fn take(&mut self, [sent, received]: [Request; 2]) {
        let (received, _) = received.wait();
        (self.sum, _) = sent.wait();
        self.sum.iter_mut().zip(&received).for_each(|(x, y)| *x += y);
        self.memory.give(received);
        self.apart *= 2;
        self.exchange_next();
    }
}

impl Summing for Tree<'_> {
    fn poll(&mut self) -> Result<()> {
        if let Some([sent, received]) = &mut self.exchange
            && received.has_ended()
            && sent.has_ended()
            && let Some(exchange) = self.exchange.take()
        {
            self.take(exchange);
        }
        Ok(())
    }

    fn wait(mut self: Box<Self>) -> Result<Vec<f32>> {
        while let Some(exchange) = self.exchange.take() {
            self.take(exchange);
        }
        Ok(std::mem::take(&mut self.sum))
    }
}
