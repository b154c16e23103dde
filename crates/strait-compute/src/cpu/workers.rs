//! Long-lived worker threads that run one job together and meet at barriers inside it.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;

use crate::{Error, Result};

/// One of the workers of a job.
#[derive(Clone, Copy)]
pub(super) struct Worker<'a> {
    pub(super) index: usize,
    count: usize,
    barrier: &'a Barrier,
}

impl Worker<'_> {
    /// Pieces of work for this worker out of `units`, which all workers take from the same counter until none are
    /// left: a worker whose core is busy elsewhere takes fewer.
    fn share<'a>(&self, counter: &'a AtomicUsize, units: usize) -> Share<'a> {
        let chunk = (units / (self.count * Share::VISITS)).max(1);
        Share { counter, units, workers: self.count, chunk, taken: 0..0 }
    }

    /// How many workers do the job.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Waits for all workers of the job.
    pub(super) fn meet(&self) {
        self.barrier.wait(self.count);
    }
}

/// What the workers of an operation tell each other.
#[derive(Default)]
pub(super) struct Counters {
    /// Work taken: most operations have one round of it, some a second one after a barrier.
    rounds: [AtomicUsize; 2],
    /// Whether an operand that may hold nothing but zeros and ones holds other numbers.
    pub(super) others: AtomicBool,
}

impl Counters {
    pub(super) fn reset(&self) {
        self.rounds.iter().for_each(|counter| counter.store(0, Ordering::Relaxed));
        self.others.store(false, Ordering::Relaxed);
    }
}

/// A worker that takes work of one operation.
#[derive(Clone, Copy)]
pub(super) struct Taking<'a> {
    pub(super) worker: Worker<'a>,
    pub(super) counters: &'a Counters,
}

impl<'a> Taking<'a> {
    /// Its share of the operation's work.
    pub(super) fn of(&self, units: usize) -> Share<'a> {
        self.worker.share(&self.counters.rounds[0], units)
    }

    /// Its share of the second round of work.
    pub(super) fn second(&self, units: usize) -> Share<'a> {
        self.worker.share(&self.counters.rounds[1], units)
    }
}

/// The work that one worker takes; see [`Worker::share`].
pub(super) struct Share<'a> {
    counter: &'a AtomicUsize,
    units: usize,
    workers: usize,
    chunk: usize,
    taken: Range<usize>,
}

impl Share<'_> {
    /// Times that a worker comes for work, if all are equally fast.
    pub(super) const VISITS: usize = 16;

    /// The units that each worker takes, if all are equally fast.
    pub(super) fn each(&self) -> usize {
        self.units / self.workers
    }
}

impl Iterator for Share<'_> {
    type Item = usize;

    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        if self.taken.is_empty() {
            let start = self.counter.fetch_add(self.chunk, Ordering::Relaxed);
            self.taken = start.min(self.units)..(start + self.chunk).min(self.units);
        }
        self.taken.next()
    }
}

/// A barrier that spins, since the work between two of them takes some hundred microseconds, and yields when it
/// would wait long.
#[derive(Default)]
struct Barrier {
    arrived: AtomicUsize,
    generation: AtomicUsize,
    broken: AtomicBool,
}

impl Barrier {
    const SPINS: usize = 20_000;

    fn wait(&self, count: usize) {
        let generation = self.generation.load(Ordering::Acquire);
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == count {
            self.arrived.store(0, Ordering::Relaxed);
            self.generation.store(generation + 1, Ordering::Release);
            return;
        }
        let mut spins = 0;
        while self.generation.load(Ordering::Acquire) == generation {
            assert!(!self.broken.load(Ordering::Relaxed), "another worker panicked");
            spins += 1;
            if spins < Self::SPINS {
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
    }
}

/// A job with its lifetime erased; `Workers::run` does not return before all workers are done with it.
#[derive(Clone, Copy)]
struct Job(*const (dyn Fn(Worker<'_>) + Sync));

// SAFETY: the closure behind the pointer is `Sync`, and outlives the job (see `Workers::run`).
unsafe impl Send for Job {}

#[derive(Default)]
struct Desk {
    job: Option<Job>,
    /// Counts the jobs, so that each worker takes each job once.
    number: usize,
    running: usize,
    closing: bool,
}

#[derive(Default)]
struct Office {
    desk: Mutex<Desk>,
    posted: Condvar,
    finished: Condvar,
    barrier: Barrier,
}

impl Office {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// The threads. The thread that calls [`Workers::run`] is worker 0.
pub(super) struct Workers {
    office: Arc<Office>,
    threads: Vec<JoinHandle<()>>,
    /// One job at a time.
    turn: Mutex<()>,
}

impl Workers {
    pub(super) fn new(count: usize) -> Result<Self> {
        let office = Arc::new(Office::default());
        let mut workers = Self { office: office.clone(), threads: Vec::new(), turn: Mutex::new(()) };
        for index in 1..count {
            let office = office.clone();
            let thread = std::thread::Builder::new().name(format!("strait-{index}"));
            workers.threads.push(thread.spawn(move || work(&office, index, count)).map_err(Error::Workers)?);
        }
        Ok(workers)
    }

    pub(super) fn count(&self) -> usize {
        self.threads.len() + 1
    }

    /// Waits until no job runs, and keeps others from starting while the guard lives.
    pub(super) fn pause(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Runs the job on all workers at once and returns when all have finished.
    pub(super) fn run(&self, job: &(dyn Fn(Worker<'_>) + Sync)) {
        let _turn = self.pause();
        let office = &*self.office;
        // SAFETY: only the lifetime changes, and this function waits for `running == 0` before it returns or unwinds.
        let erased: &'static (dyn Fn(Worker<'_>) + Sync) = unsafe { std::mem::transmute(job) };
        {
            let mut desk = office.desk();
            desk.job = Some(Job(erased));
            desk.number += 1;
            desk.running = self.threads.len();
            office.posted.notify_all();
        }
        let own = perform(office, job, 0, self.count());
        let mut desk = office.desk();
        while desk.running > 0 {
            desk = office.finished.wait(desk).unwrap_or_else(|poisoned| poisoned.into_inner());
        }
        desk.job = None;
        drop(desk);
        let broken = office.barrier.broken.swap(false, Ordering::Relaxed);
        office.barrier.arrived.store(0, Ordering::Relaxed);
        if let Err(panic) = own {
            resume_unwind(panic);
        }
        assert!(!broken, "a worker of the CPU back end panicked");
    }
}

/// Runs one worker's part; a panic breaks the barrier, so that nobody waits for this worker.
fn perform(office: &Office, job: &(dyn Fn(Worker<'_>) + Sync), index: usize, count: usize) -> std::thread::Result<()> {
    let result = catch_unwind(AssertUnwindSafe(|| job(Worker { index, count, barrier: &office.barrier })));
    if result.is_err() {
        office.barrier.broken.store(true, Ordering::Relaxed);
    }
    result
}

fn work(office: &Office, index: usize, count: usize) {
    let mut done = 0;
    loop {
        let mut desk = office.desk();
        while !desk.closing && desk.number == done {
            desk = office.posted.wait(desk).unwrap_or_else(|poisoned| poisoned.into_inner());
        }
        if desk.closing {
            return;
        }
        done = desk.number;
        let job = desk.job;
        drop(desk);
        if let Some(job) = job {
            // SAFETY: `Workers::run` keeps the closure alive until `running` is 0, which this worker has yet to lower.
            let _ = perform(office, unsafe { &*job.0 }, index, count);
        }
        let mut desk = office.desk();
        desk.running -= 1;
        if desk.running == 0 {
            office.finished.notify_one();
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.office.desk().closing = true;
        self.office.posted.notify_all();
        for thread in self.threads.drain(..) {
            // A worker's panic has already been reported by `run`.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_meet_and_survive_a_panic() {
        let workers = Workers::new(3).expect("threads start");
        let sum = AtomicUsize::new(0);
        workers.run(&|worker| {
            sum.fetch_add(worker.index, Ordering::Relaxed);
            worker.meet();
            assert_eq!(sum.load(Ordering::Relaxed), 3, "everybody has arrived");
        });
        let panicking = catch_unwind(AssertUnwindSafe(|| {
            workers.run(&|worker| {
                assert!(worker.index != 1, "on purpose");
                worker.meet();
            });
        }));
        assert!(panicking.is_err(), "the panic reaches the caller");
        workers.run(&|worker| worker.meet());
    }
}
