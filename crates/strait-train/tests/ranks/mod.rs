//! Ranks that are threads of one process: what MPI connects, without MPI.

use std::sync::{Arc, Barrier, Mutex};

use strait_compute::{Order, Reducer, Result, Summed, Summing};

/// What the ranks of a group share.
struct Board {
    /// What each has put there.
    places: Mutex<Vec<Vec<u8>>>,
    /// Where they meet.
    barrier: Barrier,
}

/// One of several threads that train together.
pub(crate) struct Thread {
    rank: usize,
    size: usize,
    board: Arc<Board>,
}

impl Thread {
    /// All ranks of a group of that many.
    pub(crate) fn group(size: usize) -> Vec<Self> {
        let board = Arc::new(Board { places: Mutex::new(vec![Vec::new(); size]), barrier: Barrier::new(size) });
        (0..size).map(|rank| Self { rank, size, board: board.clone() }).collect()
    }
}

impl Reducer for Thread {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn begin(&self, _tensor: usize, values: Vec<f32>, order: Order) -> Result<Box<dyn Summing + '_>> {
        let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        let number = |bytes: &[u8]| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        let mut parts: Vec<Vec<f32>> =
            self.gather(&bytes)?.iter().map(|bytes| bytes.chunks_exact(4).map(number).collect()).collect();
        let add = |parts: &mut Vec<Vec<f32>>, to: usize, from: usize| {
            let other = std::mem::take(&mut parts[from]);
            parts[to].iter_mut().zip(other).for_each(|(x, y)| *x += y);
        };
        match order {
            Order::Any => (1..self.size).for_each(|rank| add(&mut parts, 0, rank)),
            Order::Tree => {
                let mut apart = 1;
                while apart < self.size {
                    (0..self.size).step_by(2 * apart).for_each(|rank| add(&mut parts, rank, rank + apart));
                    apart *= 2;
                }
            }
        }
        Ok(Box::new(Summed(parts.swap_remove(0))))
    }

    fn gather(&self, own: &[u8]) -> Result<Vec<Vec<u8>>> {
        self.board.places.lock().expect("no panic")[self.rank] = own.to_vec();
        self.board.barrier.wait();
        let all = self.board.places.lock().expect("no panic").clone();
        // Nobody puts the next one there before all have read this.
        self.board.barrier.wait();
        Ok(all)
    }
}
