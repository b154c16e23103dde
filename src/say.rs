//! Printing that survives its reader.

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
        let _ = writeln!(std::io::stdout(), $($text)*);
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
