//! A line of progress on a terminal, for scans that take longer than a moment.

use crate::report::text::{bytes, count};
use crate::source::Run;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Scans that end sooner show nothing.
const DELAY: Duration = Duration::from_millis(500);
const TICK: Duration = Duration::from_millis(100);

/// A thread that draws; it stops and clears its line when it is finished or dropped.
pub(super) struct Progress {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    /// Starts to draw on standard error what `run` counts.
    pub(super) fn start(run: Arc<Run>) -> Self {
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
                let files = run.tally.files.load(Ordering::Relaxed);
                let read = run.tally.bytes.load(Ordering::Relaxed);
                let rate = (read as f64 / started.elapsed().as_secs_f64()) as u64;
                let (files, read) = (count(files, "file"), bytes(read));
                bar.set_message(format!("{files}, {read}, {}/s", bytes(rate)));
                bar.tick();
                if stopped.recv_timeout(TICK) != Err(RecvTimeoutError::Timeout) {
                    break;
                }
            }
            bar.finish_and_clear();
        });
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing left to clear.
            let _ = thread.join();
        }
    }
}
