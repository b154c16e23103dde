//! Printing that survives its reader.

use std::sync::atomic::{AtomicBool, Ordering};

/// Whether [`say!`](crate::say) prints nothing.
static QUIET: AtomicBool = AtomicBool::new(false);

/// From now on [`say!`](crate::say) prints nothing, or does again; warnings and errors stay.
pub fn set_quiet(quiet: bool) {
    QUIET.store(quiet, Ordering::Relaxed);
}

/// Whether [`say!`](crate::say) prints nothing.
pub fn is_quiet() -> bool {
    QUIET.load(Ordering::Relaxed)
}

/// [`println!`] for programs whose work is worth more than their output: where nobody reads standard output any more, because the
/// terminal was closed or a pipe has ended, it prints nothing, and panics neither.
///
/// ```
/// strait::say!("epoch {}", 1);
/// strait::say!();
/// ```
#[macro_export]
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        if !$crate::is_quiet() {
            let _ = writeln!(std::io::stdout(), $($text)*);
        }
    }};
}

/// [`say!`] on standard error.
///
/// ```
/// strait::warn!("{} rows are left out", 3);
/// ```
#[macro_export]
macro_rules! warn {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($text)*);
    }};
}
