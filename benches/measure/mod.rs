//! Compares contenders in one process: in turn, several rounds, CPU seconds before wall seconds.
//!
//! Every contender returns a count, which must be what was expected of it before any time counts:
//! a wrong answer cannot be fast.

use nix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// One contender's CPU seconds per round.
pub(crate) struct Timing {
    /// Its name.
    pub(crate) name: String,
    /// The median over all rounds.
    pub(crate) median: Duration,
    /// The shortest round.
    pub(crate) least: Duration,
}

/// A named piece of work that returns the count by which it is checked.
pub(crate) type Contender<'a> = (&'a str, usize, Box<dyn FnMut() -> usize + 'a>);

/// The CPU time of this thread.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("the clock exists");
    Duration::new(time.tv_sec() as u64, time.tv_nsec() as u32)
}

/// Runs all contenders in turn for `rounds` rounds.
///
/// # Panics
/// If a contender's count is not the expected one.
pub(crate) fn compare(rounds: usize, contenders: &mut [Contender<'_>]) -> Vec<Timing> {
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); contenders.len()];
    for (name, expected, work) in contenders.iter_mut() {
        assert_eq!(work(), *expected, "{name} finds what is there");
    }
    for _ in 0..rounds {
        for ((name, expected, work), times) in contenders.iter_mut().zip(&mut times) {
            let before = cpu();
            let count = work();
            times.push(cpu() - before);
            assert_eq!(count, *expected, "{name} finds what is there");
        }
    }
    let timing = |((name, ..), mut times): (&Contender<'_>, Vec<Duration>)| {
        times.sort();
        Timing { name: (*name).to_owned(), median: times[times.len() / 2], least: times[0] }
    };
    contenders.iter().zip(times).map(timing).collect()
}
