//! Compares contenders in one process, in turn, over several rounds, by CPU time.
//!
//! Every contender returns a count, which must equal the expected one: wrong results are not timed.

use nix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// The CPU time of one contender per round.
pub(crate) struct Timing {
    /// Its name.
    pub(crate) name: String,
    /// The median over all rounds.
    pub(crate) median: Duration,
    /// The shortest round.
    pub(crate) least: Duration,
}

/// A name, the expected count, and work that returns a count.
pub(crate) type Contender<'a> = (&'a str, usize, Box<dyn FnMut() -> usize + 'a>);

/// Returns the CPU time of this thread.
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
        assert_eq!(work(), *expected, "{name} returns the expected count");
    }
    for _ in 0..rounds {
        for ((name, expected, work), times) in contenders.iter_mut().zip(&mut times) {
            let before = cpu();
            let count = work();
            times.push(cpu() - before);
            assert_eq!(count, *expected, "{name} returns the expected count");
        }
    }
    let timing = |((name, ..), mut times): (&Contender<'_>, Vec<Duration>)| {
        times.sort();
        Timing { name: (*name).to_owned(), median: times[times.len() / 2], least: times[0] }
    };
    contenders.iter().zip(times).map(timing).collect()
}
