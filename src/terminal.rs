//! Progress on the terminal: a bar with the error, rows per second and the time left; plain lines, one for each
//! epoch, where there is no terminal. And Ctrl-C, which ends training without losing it.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};

use crate::train::Event;

/// Whether Ctrl-C was pressed.
static STOP: AtomicBool = AtomicBool::new(false);

/// From now on the first Ctrl-C makes [`progress`] break, so that a trainer ends at its next slice of work and
/// hands out what it has; the second one ends the process.
///
/// # Errors
/// If another handler has been set.
pub fn stop_on_ctrl_c() -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(|| {
        if STOP.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    })
}

/// Whether Ctrl-C was pressed since [`stop_on_ctrl_c`].
pub fn stopping() -> bool {
    STOP.load(Ordering::Relaxed)
}

/// Shows the events of training: an observer for a training run, which breaks after Ctrl-C, see [`stop_on_ctrl_c`].
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
                let rest = if total == 0 { String::new() } else { format!("{speed:.0} images/s, {left:.0} s left") };
                self.bar.set_message(format!("epoch {epoch}/{epochs}{}  {rest}", self.last_error));
            }
            Event::Epoch { stage, epoch, epochs, error, test_error, free_energy_gap, seconds, rows } => {
                self.begin(stage, epochs.saturating_mul(*rows));
                let test = test_error.map(|error| format!(", test error {}", shown(error))).unwrap_or_default();
                let gap = free_energy_gap.map(|gap| format!(", free energy gap {gap:.3}")).unwrap_or_default();
                let error = shown(*error);
                self.last_error = format!("  error {error}{test}");
                let speed = *rows as f64 / seconds;
                let line = format!(
                    "{stage}  epoch {epoch}/{epochs}  error {error}{test}{gap}  {seconds:.1} s  {speed:.0} images/s"
                );
                if self.bar.is_hidden() {
                    println!("{line}");
                } else {
                    self.bar.println(line);
                }
                if epoch == epochs {
                    self.finish();
                }
            }
        }
        if stopping() {
            self.finish();
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
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
        self.bar = ProgressBar::new(total as u64);
        let style = ProgressStyle::with_template("{prefix} {bar:16} {msg}");
        self.bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        self.bar.set_prefix(self.stage.clone());
    }
}

/// An error with the digits that matter: shares of rows are small.
fn shown(error: f64) -> String {
    if error < 1.0 { format!("{error:.4}") } else { format!("{error:.3}") }
}
