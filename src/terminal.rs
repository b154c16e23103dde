//! Progress on the terminal: a bar with the error, rows per second and the time left; plain lines, one for each
//! epoch, where there is no terminal. And the signals that end training without losing it.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use signal_hook::flag;

use crate::say;
use crate::train::Event;

/// The first signal that asked the process to end, or 0.
static SIGNAL: OnceLock<Arc<AtomicUsize>> = OnceLock::new();

/// The signals that ask a process to end: Ctrl-C, what SLURM, Kubernetes and cloud machines send, and a terminal that is closed.
#[cfg(unix)]
const SIGNALS: [i32; 3] = [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP];
#[cfg(not(unix))]
const SIGNALS: [i32; 2] = [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM];

/// The signals that the process was started to ignore, as by `nohup` or in the background of a script: a bit for each. Linux tells.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

/// From now on the first SIGINT (Ctrl-C), SIGTERM or SIGHUP makes [`progress`] break, so that a trainer ends at its next slice of work
/// and hands out what it has; a second one ends the process at once. Signals that the process was started to ignore stay ignored. [`stop_code`] is the exit code that shells expect.
///
/// # Errors
/// If the system does not let them be handled.
pub fn stop_on_signals() -> std::io::Result<()> {
    let (signal, mut registered) = (Arc::new(AtomicUsize::new(0)), Ok(()));
    SIGNAL.get_or_init(|| {
        let again = Arc::new(AtomicBool::new(false));
        let ignored = ignored();
        for number in SIGNALS.into_iter().filter(|number| ignored >> (number - 1) & 1 == 0) {
            let ended = 128 + number;
            // They are called in this order, so that only a second signal finds the flag set.
            registered = flag::register_conditional_shutdown(number, ended, again.clone())
                .and_then(|_| flag::register(number, again.clone()))
                .and_then(|_| flag::register_usize(number, signal.clone(), ended as usize))
                .map(|_| ());
            if registered.is_err() {
                break;
            }
        }
        signal
    });
    registered
}

/// Whether the process was asked to end since [`stop_on_signals`].
pub fn stopping() -> bool {
    stop_code().is_some()
}

/// The exit code of a process that ends because it was asked to: 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP.
pub fn stop_code() -> Option<u8> {
    let code = SIGNAL.get().map_or(0, |signal| signal.load(Ordering::Relaxed));
    u8::try_from(code).ok().filter(|code| *code > 0)
}

/// Shows the events of training: an observer for a training run, which breaks after a signal, see [`stop_on_signals`].
///
/// ```
/// use strait::prelude::*;
/// use strait::terminal::progress;
///
/// let rows = Rows::numbers(&[0.0, 1.0, 1.0, 0.0], 2)?;
/// let mut net = Autoencoder::glorot(&[2, 1], 1)?;
/// FineTune::default().run(&Device::cpu()?, &mut net, rows)?.observe(progress()).train()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn progress() -> impl FnMut(&Event) -> ControlFlow<()> {
    let (bar, started) = (ProgressBar::hidden(), Instant::now());
    let mut terminal = Terminal { bar, stage: String::new(), started, last_error: String::new() };
    move |event| terminal.show(event)
}

/// What is shown at the moment.
struct Terminal {
    bar: ProgressBar,
    stage: String,
    started: Instant,
    last_error: String,
}

impl Terminal {
    fn show(&mut self, event: &Event) -> ControlFlow<()> {
        match event {
            Event::Rows { stage, epoch, epochs, done, rows } => {
                self.begin(stage, epochs.saturating_mul(*rows));
                let total = (epoch - 1) * rows + done;
                let speed = total as f64 / self.started.elapsed().as_secs_f64().max(1e-6);
                let left = (epochs.saturating_mul(*rows) - total) as f64 / speed.max(1e-6);
                self.bar.set_position(total as u64);
                let rest = if total == 0 { String::new() } else { format!("{speed:.0} rows/s, {left:.0} s left") };
                self.bar.set_message(format!("epoch {epoch}/{epochs}{}  {rest}", self.last_error));
            }
            Event::Epoch {
                stage,
                epoch,
                epochs,
                error,
                test_error,
                validation_error,
                free_energy_gap,
                seconds,
                rows,
                ..
            } => {
                self.begin(stage, epochs.saturating_mul(*rows));
                let test = test_error.map(|error| format!(", test error {}", shown(error))).unwrap_or_default();
                let validation =
                    validation_error.map(|error| format!(", validation error {}", shown(error))).unwrap_or_default();
                let test = test + &validation;
                let gap = free_energy_gap.map(|gap| format!(", free energy gap {gap:.3}")).unwrap_or_default();
                let error = shown(*error);
                self.last_error = format!("  error {error}{test}");
                let speed = *rows as f64 / seconds;
                let line = format!(
                    "{stage}  epoch {epoch}/{epochs}  error {error}{test}{gap}  {seconds:.1} s  {speed:.0} rows/s"
                );
                self.say(line);
                if epoch == epochs {
                    self.finish();
                }
            }
            Event::Begun { .. } => {}
            // The others were asked to end, and so was this one.
            Event::Stopped => {
                if let Some(signal) = SIGNAL.get() {
                    let _ = signal.compare_exchange(0, 128 + 15, Ordering::Relaxed, Ordering::Relaxed);
                }
            }
            Event::Note { stage, message, warning } => {
                self.say(if *warning { format!("warning: {stage}: {message}") } else { format!("{stage}: {message}") });
            }
        }
        if stopping() {
            self.finish();
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    fn say(&self, line: String) {
        if self.bar.is_hidden() {
            say!("{line}");
        } else {
            self.bar.println(line);
        }
    }

    /// Takes the bar away.
    fn finish(&mut self) {
        self.bar.finish_and_clear();
        self.bar = ProgressBar::hidden();
        self.stage.clear();
    }

    fn begin(&mut self, stage: &str, total: usize) {
        if self.stage == stage {
            return;
        }
        self.finish();
        stage.clone_into(&mut self.stage);
        self.started = Instant::now();
        self.last_error.clear();
        self.bar = if crate::is_quiet() { ProgressBar::hidden() } else { ProgressBar::new(total as u64) };
        let style = ProgressStyle::with_template("{prefix} {bar:16} {msg}");
        self.bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        self.bar.set_prefix(self.stage.clone());
    }
}

/// An error with the digits that matter: shares of rows are small.
fn shown(error: f64) -> String {
    if error < 1.0 { format!("{error:.4}") } else { format!("{error:.3}") }
}
