//! A transfer that is under way, with the memory that it reads or writes.

use mpi::ffi;
use mpi::raw::AsRaw;
use mpi::topology::SimpleCommunicator;

/// A transfer that is under way. It owns its memory, so that nobody else touches that meanwhile.
pub(crate) struct Request {
    /// Null when the transfer has ended.
    request: ffi::MPI_Request,
    memory: Vec<f32>,
    /// What is read beside that.
    own: Vec<f32>,
}

impl Request {
    /// Sends numbers to a rank.
    pub(crate) fn send(world: &SimpleCommunicator, memory: Vec<f32>, to: usize, tag: i32) -> Self {
        Self::start(memory, |memory, count, request| {
            let (float, to) = (Self::float(), to as i32);
            // SAFETY: the memory holds `count` floats and stays where it is until the transfer has ended, because the request owns it.
            unsafe { ffi::MPI_Isend(memory.cast(), count, float, to, tag, world.as_raw(), request) }
        })
    }

    /// Receives numbers from a rank: as many as the memory holds.
    pub(crate) fn receive(world: &SimpleCommunicator, memory: Vec<f32>, from: usize, tag: i32) -> Self {
        Self::start(memory, |memory, count, request| {
            let (float, from) = (Self::float(), from as i32);
            // SAFETY: as above.
            unsafe { ffi::MPI_Irecv(memory.cast(), count, float, from, tag, world.as_raw(), request) }
        })
    }

    /// Adds up the numbers of all ranks, in an order that the library chooses, into memory of the same length.
    pub(crate) fn all_reduce(world: &SimpleCommunicator, own: Vec<f32>, memory: Vec<f32>) -> Self {
        let from = own.as_ptr();
        let mut started = Self::start(memory, |memory, count, request| {
            // SAFETY: a constant of the library.
            let sum = unsafe { ffi::RSMPI_SUM };
            // SAFETY: both hold `count` floats and stay where they are until the transfer has ended, because the request owns them.
            unsafe {
                ffi::MPI_Iallreduce(from.cast(), memory.cast(), count, Self::float(), sum, world.as_raw(), request)
            }
        });
        started.own = own;
        started
    }

    fn float() -> ffi::MPI_Datatype {
        // SAFETY: a constant of the library.
        unsafe { ffi::RSMPI_FLOAT }
    }

    fn start(mut memory: Vec<f32>, begin: impl FnOnce(*mut f32, i32, *mut ffi::MPI_Request) -> i32) -> Self {
        // SAFETY: a constant of the library.
        let mut request = unsafe { ffi::RSMPI_REQUEST_NULL };
        // Tensors are of less than 2³¹ numbers. Errors end the process, as MPI has it by default.
        begin(memory.as_mut_ptr(), memory.len() as i32, &mut request);
        Self { request, memory, own: Vec::new() }
    }

    /// Whether the transfer has ended; lets it go on.
    pub(crate) fn has_ended(&mut self) -> bool {
        let mut ended = 0;
        // SAFETY: the request is one of this library's, or null, which has ended.
        unsafe { ffi::MPI_Test(&mut self.request, &mut ended, ffi::RSMPI_STATUS_IGNORE) };
        ended != 0
    }

    /// Waits until the transfer has ended, and gives its memory, with what was read beside that.
    pub(crate) fn wait(mut self) -> (Vec<f32>, Vec<f32>) {
        // SAFETY: as above.
        unsafe { ffi::MPI_Wait(&mut self.request, ffi::RSMPI_STATUS_IGNORE) };
        (std::mem::take(&mut self.memory), std::mem::take(&mut self.own))
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        // SAFETY: a constant of the library.
        if self.request != unsafe { ffi::RSMPI_REQUEST_NULL } {
            // The other side may never answer, but the library still knows the memory: it stays.
            std::mem::forget((std::mem::take(&mut self.memory), std::mem::take(&mut self.own)));
        }
    }
}
