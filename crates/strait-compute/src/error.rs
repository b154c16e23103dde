//! What can go wrong while a program is recorded, loaded or run.

/// An error of the compute layer. Every message names the tensor or the operation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An operation was recorded with operands that do not fit together.
    #[error("{op}: {message}")]
    Shape {
        /// The operation.
        op: &'static str,
        /// Which operands, with their shapes.
        message: String,
    },
    /// Host values of the wrong number were written to a tensor.
    #[error("tensor `{tensor}` takes {expected} values, but {found} were given")]
    Length {
        /// The tensor's name.
        tensor: String,
        /// The number of values that it holds.
        expected: usize,
        /// The number of values given.
        found: usize,
    },
    /// A tensor was used as something that it is not (numbers as bytes, a stranger to the program).
    #[error("tensor `{tensor}`: {message}")]
    Tensor {
        /// The tensor's name.
        tensor: String,
        /// What is wrong.
        message: String,
    },
    /// A step points outside the data.
    #[error("step {step}: {message}")]
    Step {
        /// The index in the table of steps.
        step: usize,
        /// What is wrong.
        message: String,
    },
    /// The host has not enough memory for a tensor.
    #[error(
        "tensor `{tensor}` needs {bytes} bytes of host memory, which are not to be had: use a smaller data set, batch or layer"
    )]
    HostMemory {
        /// The tensor's name.
        tensor: String,
        /// The bytes asked for.
        bytes: usize,
    },
    /// The worker threads of the CPU back end could not be started.
    #[error("the CPU back end could not start its worker threads: {0}")]
    Workers(std::io::Error),
    /// A number of threads that makes no sense.
    #[error("`{0}` is no device: after `cpu:` stands a number of threads from 1 to 1024")]
    Threads(String),
    /// An instruction set that the processor does not have.
    #[error("this processor does not have {0}")]
    Isa(&'static str),
    /// The tensors of a kernel lie in more pieces than the adapter can bind.
    #[error(
        "the kernel `{kernel}` would bind {needed} buffers, since its tensors are larger than one may be, but the adapter \
         allows {most}: use a smaller batch or layer"
    )]
    Pieces {
        /// The kernel.
        kernel: String,
        /// The buffers that it needs.
        needed: usize,
        /// The buffers that it may bind.
        most: usize,
    },
    /// The ranks of a training run cannot train together, or the connection between them failed.
    #[error("{0}")]
    Ranks(String),
    /// A GPU was asked for, but there is no back end for any.
    #[error(
        "there is no device `{0}`, since this program was built without strait's feature `gpu`: use `cpu`, or build it with that"
    )]
    WithoutGpu(String),
    /// An error of the GPU layer.
    #[cfg(feature = "gpu")]
    #[error(transparent)]
    Gpu(#[from] strait_device::Error),
}

/// The result of the compute layer's calls.
pub type Result<T> = std::result::Result<T, Error>;
