//! What can go wrong with a GPU.

/// An error of the GPU layer.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no GPU.
    #[error(
        "no GPU was found: install a Vulkan driver for it (on Debian or Ubuntu the package of your vendor, or \
         mesa-vulkan-drivers), or use the CPU; software adapters are used only when named ({})",
        list(found)
    )]
    NoAdapter {
        /// The adapters that there are.
        found: Vec<String>,
    },
    /// There is no adapter of that name or number.
    #[error("there is no adapter `{wanted}` ({})", list(found))]
    UnknownAdapter {
        /// What was asked for.
        wanted: String,
        /// The adapters that there are.
        found: Vec<String>,
    },
    /// An adapter cannot be opened.
    #[error("the adapter `{adapter}` cannot be opened: {message}")]
    Open {
        /// Its name.
        adapter: String,
        /// Why.
        message: String,
    },
    /// A buffer is larger than the adapter allows.
    #[error(
        "tensor `{label}` needs {bytes} bytes, but `{adapter}` allows {limit} for a buffer: use a smaller batch, \
         layer or data set"
    )]
    TooLarge {
        /// What the buffer is for.
        label: String,
        /// The bytes asked for.
        bytes: u64,
        /// The bytes allowed.
        limit: u64,
        /// The adapter.
        adapter: String,
    },
    /// The device has not enough memory.
    #[error("`{adapter}` has no memory left for `{label}` of {bytes} bytes: use a smaller batch, layer or data set")]
    OutOfMemory {
        /// What the buffer is for.
        label: String,
        /// The bytes asked for.
        bytes: u64,
        /// The adapter.
        adapter: String,
    },
    /// The device is gone.
    #[error("the device `{adapter}` was lost: {reason}")]
    Lost {
        /// The adapter.
        adapter: String,
        /// Why.
        reason: String,
    },
    /// A kernel does not compile.
    #[error("`{adapter}` rejects the kernel `{kernel}`: {message}")]
    Shader {
        /// The kernel.
        kernel: String,
        /// Why.
        message: String,
        /// The adapter.
        adapter: String,
    },
    /// A call was refused.
    #[error("`{adapter}` refuses {what}: {message}")]
    Refused {
        /// What was asked for.
        what: String,
        /// Why.
        message: String,
        /// The adapter.
        adapter: String,
    },
}

/// The result of the GPU layer's calls.
pub type Result<T> = std::result::Result<T, Error>;

fn list(found: &[String]) -> String {
    if found.is_empty() { "there is none at all".to_owned() } else { format!("there are: {}", found.join("; ")) }
}
