//! The progress line on a terminal, for scans and requests that run longer than [`DELAY`].

use crate::respond::VerifyStep;
use crate::source::Run;
use ddpatrol_scan::quantity::{bytes, count, number};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The time until the line appears.
const DELAY: Duration = Duration::from_millis(500);
const TICK: Duration = Duration::from_millis(100);

/// The thread that draws the line. Dropping this stops the thread and clears the line.
pub(super) struct Progress {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    /// Starts drawing the counters of `run` on standard error.
    pub(super) fn start(run: Arc<Run>) -> Self {
        Self::draw(move |bar, started| show(bar, &run, started))
    }

    /// Runs `work` and draws what the program waits for, such as `verifying 30 tokens`, if standard error is
    /// a terminal.
    pub(super) fn during<T>(what: String, work: impl FnOnce() -> T) -> T {
        let _progress = io::stderr().is_terminal().then(|| {
            Self::draw(move |bar, started| {
                bar.set_message(format!("{what}, {} s", started.elapsed().as_secs()));
                bar.tick();
            })
        });
        work()
    }

    /// Runs a verification and draws how many tokens the issuers have answered about, if standard error is a
    /// terminal.
    pub(super) fn verifying<T>(work: impl FnOnce(&(dyn Fn(VerifyStep) + Sync)) -> T) -> T {
        let steps = Arc::new(Steps::default());
        let drawn = Arc::clone(&steps);
        let _progress = io::stderr().is_terminal().then(|| {
            Self::draw(move |bar, started| {
                bar.set_message(format!("{}, {} s", drawn.text(), started.elapsed().as_secs()));
                bar.tick();
            })
        });
        work(&|step| steps.record(step))
    }

    fn draw(show: impl Fn(&ProgressBar, Instant) + Send + 'static) -> Self {
        let (stop, stopped) = channel::<()>();
        let thread = std::thread::spawn(move || {
            let started = Instant::now();
            if stopped.recv_timeout(DELAY) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
                bar.set_style(style);
            }
            loop {
                show(&bar, started);
                if stopped.recv_timeout(TICK) != Err(RecvTimeoutError::Timeout) {
                    break;
                }
            }
            bar.finish_and_clear();
        });
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

/// The state of a verification.
#[derive(Default)]
struct Steps {
    tokens: AtomicUsize,
    answered: AtomicUsize,
    /// The rejected tokens that wait to be verified again.
    waiting: AtomicUsize,
}

impl Steps {
    fn record(&self, step: VerifyStep) {
        match step {
            VerifyStep::Started { tokens } => {
                self.tokens.store(tokens, Ordering::Relaxed);
                self.answered.store(0, Ordering::Relaxed);
                self.waiting.store(0, Ordering::Relaxed);
            }
            VerifyStep::Answered => {
                self.answered.fetch_add(1, Ordering::Relaxed);
            }
            VerifyStep::Paused { rejected, .. } => self.waiting.store(rejected, Ordering::Relaxed),
        }
    }

    fn text(&self) -> String {
        match self.waiting.load(Ordering::Relaxed) {
            0 => {
                let answered = number(self.answered.load(Ordering::Relaxed));
                let tokens = count(self.tokens.load(Ordering::Relaxed), "token");
                format!("verified {answered} of {tokens}")
            }
            rejected => format!("waiting to verify {} again", count(rejected, "rejected token")),
        }
    }
}

/// Draws a bar of git objects while a history is read, otherwise the number of scanned files.
fn show(bar: &ProgressBar, run: &Run, started: Instant) {
    let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let read = load(&run.tally.bytes);
    let rate = (read as f64 / started.elapsed().as_secs_f64()) as u64;
    let (files, objects) = (load(&run.tally.files), load(&run.tally.objects));
    let known = load(&run.tally.objects_known);
    let template = match known {
        0 => "{spinner} {msg}",
        _ => "{spinner} [{bar:24}] {msg}",
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    let what = match known {
        0 => count(files, "file"),
        known => {
            bar.set_length(known);
            bar.set_position(objects.min(known));
            format!("{} of {}", number(objects), count(known, "git object"))
        }
    };
    bar.set_message(format!("{what}, {}, {}/s", bytes(read), bytes(rate)));
    bar.tick();
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // If the thread panicked, there is no line to clear.
            let _ = thread.join();
        }
    }
}
