//! The adapter on which tests run.

use strait_device::{Gpu, Options, Selector};

/// The one that `STRAIT_TEST_ADAPTER` names, else Mesa's software adapter on Linux, and the first one on other systems.
pub(crate) fn name() -> String {
    let usual = if cfg!(target_os = "linux") { "llvmpipe" } else { "0" };
    std::env::var("STRAIT_TEST_ADAPTER").unwrap_or_else(|_| usual.to_owned())
}

/// Opens it; nothing where there is none, unless `STRAIT_REQUIRE_GPU` is set.
pub(crate) fn open(options: Options) -> Option<Gpu> {
    match Gpu::open_with(&Selector::parse(&name()), options) {
        Ok(gpu) => Some(gpu),
        Err(error) => {
            assert!(std::env::var_os("STRAIT_REQUIRE_GPU").is_none(), "{error}");
            eprintln!("SKIPPED: nothing was tested on a GPU, because {error}");
            None
        }
    }
}
