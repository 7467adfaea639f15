//! Decides which searches run, wait or are refused, so that nobody's searches keep others from
//! searching.
//!
//! A person gets a slot only if more slots are free than the person holds, so one is left for
//! others. Waiting people take turns, and so do the tokens of one person. If too many searches
//! wait, the newest of whoever has most of them waiting is refused.

use super::TIME_LIMIT;
use ddpatrol_token::Uuid;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// Maximum number of waiting searches.
const MAX_WAITING: usize = 29;
/// Maximum number of searches of one person, running or waiting.
const MAX_PER_PERSON: usize = 16;
/// Maximum time in the queue: longer than a search may run, so that whoever is next gets a slot.
const MAX_WAIT: Duration = TIME_LIMIT.saturating_add(Duration::from_secs(1));
/// The number of latest turns that are remembered.
const REMEMBERED: usize = 64;

/// Too many searches run at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many searches at the same time; try again in a second")]
pub struct Busy;

/// Who searches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Searcher {
    /// The person.
    pub person: Uuid,
    /// The person's token that makes the request.
    pub token: Uuid,
}

/// Limits the number of searches.
#[derive(Debug)]
pub struct Searches {
    slots: usize,
    state: Mutex<State>,
}

/// The right to search, given back when dropped.
#[derive(Debug)]
pub struct Admission<'a> {
    searches: &'a Searches,
    id: u64,
}

#[derive(Debug)]
struct Running {
    id: u64,
    searcher: Searcher,
}

#[derive(Debug)]
struct Waiting {
    id: u64,
    searcher: Searcher,
    /// Reports that the search may run; dropped to refuse it.
    granted: oneshot::Sender<()>,
}

#[derive(Debug, Default)]
struct State {
    next_id: u64,
    running: Vec<Running>,
    /// In order of arrival.
    waiting: Vec<Waiting>,
    /// The latest turns, in order.
    turns: VecDeque<Searcher>,
}

impl Searches {
    /// Makes a number of slots.
    #[must_use]
    pub fn new(slots: u32) -> Self {
        Self { slots: slots as usize, state: Mutex::default() }
    }

    /// Waits for the right to search, a little longer than a search may run.
    ///
    /// # Errors
    /// [`Busy`] if too many searches run or wait.
    pub async fn admit(&self, searcher: Searcher) -> Result<Admission<'_>, Busy> {
        let (admission, granted) = self.enter(searcher);
        match tokio::time::timeout(MAX_WAIT, granted).await {
            Ok(Ok(())) => Ok(admission),
            _ => Err(Busy),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, searcher: Searcher) -> (Admission<'_>, oneshot::Receiver<()>) {
        let (granted, grant) = oneshot::channel();
        let mut state = self.lock();
        let id = state.next_id;
        state.next_id += 1;
        state.waiting.push(Waiting { id, searcher, granted });
        state.serve(self.slots);
        state.refuse_beyond(searcher.person);
        (Admission { searches: self, id }, grant)
    }
}

impl Drop for Admission<'_> {
    fn drop(&mut self) {
        let mut state = self.searches.lock();
        state.running.retain(|running| running.id != self.id);
        state.waiting.retain(|waiting| waiting.id != self.id);
        state.serve(self.searches.slots);
    }
}

impl State {
    /// Lets searches run while there are slots for them.
    fn serve(&mut self, slots: usize) {
        while let Some(index) = self.next(slots) {
            let Waiting { id, searcher, granted } = self.waiting.remove(index);
            self.running.push(Running { id, searcher });
            if self.turns.len() >= REMEMBERED {
                self.turns.pop_front();
            }
            self.turns.push_back(searcher);
            // If nobody waits any more, the slot is given back by the drop of the admission.
            let _ = granted.send(());
        }
    }

    /// Returns the waiting search that runs next, if there is a slot for one.
    fn next(&self, slots: usize) -> Option<usize> {
        let free = slots.saturating_sub(self.running.len());
        let waiting = self.waiting.iter().map(|waiting| waiting.searcher).enumerate();
        let eligible = waiting.filter(|(_, searcher)| self.slots_of(searcher.person) < free);
        let next = eligible.min_by_key(|(_, Searcher { person, token })| {
            let turn = |is: &dyn Fn(&Searcher) -> bool| self.turns.iter().rposition(is);
            (
                self.slots_of(*person),
                turn(&|searcher| searcher.person == *person),
                turn(&|searcher| searcher.token == *token),
            )
        });
        next.map(|(index, _)| index)
    }

    fn slots_of(&self, person: Uuid) -> usize {
        self.running.iter().filter(|running| running.searcher.person == person).count()
    }

    fn count_waiting(&self, is: impl Fn(&Searcher) -> bool) -> usize {
        self.waiting.iter().filter(|waiting| is(&waiting.searcher)).count()
    }

    /// Refuses what is beyond the limits after a search of a person came.
    fn refuse_beyond(&mut self, person: Uuid) {
        let of_person = self.count_waiting(|searcher| searcher.person == person);
        if of_person + self.slots_of(person) > MAX_PER_PERSON {
            self.refuse_one(|searcher| searcher.person == person);
        }
        if self.waiting.len() > MAX_WAITING {
            self.refuse_one(|_| true);
        }
    }

    /// Refuses the newest waiting search of the person and token that have most of them waiting.
    fn refuse_one(&mut self, among: impl Fn(&Searcher) -> bool) {
        let waiting = self.waiting.iter().map(|waiting| waiting.searcher).enumerate();
        let candidates = waiting.filter(|(_, searcher)| among(searcher));
        let last = candidates.max_by_key(|(_, Searcher { person, token })| {
            (
                self.count_waiting(|searcher| searcher.person == *person),
                self.count_waiting(|searcher| searcher.token == *token),
            )
        });
        if let Some((index, _)) = last {
            self.waiting.remove(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn searcher(person: u8, token: u8) -> Searcher {
        Searcher { person: Uuid::from_bytes([person; 16]), token: Uuid::from_bytes([token; 16]) }
    }

    /// Searches of a test, by id.
    #[derive(Debug)]
    struct Queue<'a> {
        searches: &'a Searches,
        entered: HashMap<u64, (u8, Admission<'a>, oneshot::Receiver<()>)>,
    }

    impl<'a> Queue<'a> {
        fn new(searches: &'a Searches) -> Self {
            Self { searches, entered: HashMap::new() }
        }

        fn enter(&mut self, person: u8, token: u8) -> u64 {
            let (admission, granted) = self.searches.enter(searcher(person, token));
            let id = admission.id;
            self.entered.insert(id, (token, admission, granted));
            id
        }

        /// Returns `true` if a search was refused.
        fn is_refused(&mut self, id: u64) -> bool {
            let (_, _, granted) = self.entered.get_mut(&id).expect("it entered");
            granted.try_recv() == Err(oneshot::error::TryRecvError::Closed)
        }

        fn running(&self) -> Vec<u64> {
            self.searches.lock().running.iter().map(|running| running.id).collect()
        }

        /// Ends the search that has run longest; returns the tokens of those that run then.
        fn end_one(&mut self) -> Vec<u8> {
            let first = self.running()[0];
            drop(self.entered.remove(&first));
            self.running().iter().map(|id| self.entered[id].0).collect()
        }
    }

    #[test]
    fn one_slot_is_left_for_others_and_people_take_turns() {
        let searches = Searches::new(3);
        let mut queue = Queue::new(&searches);
        for _ in 0..MAX_PER_PERSON {
            queue.enter(1, 1);
        }
        assert_eq!(queue.running().len(), 2);
        for _ in 0..3 {
            queue.enter(2, 2);
        }
        queue.enter(3, 3);
        assert_eq!(queue.running().len(), 3);
        assert_eq!(queue.end_one(), [1, 2, 3], "who has no slot comes first");
        assert_eq!(queue.end_one(), [2, 3, 1]);
        assert_eq!(queue.end_one(), [3, 1, 2]);
        assert_eq!(queue.end_one(), [1, 2], "the last slot is for somebody who has none");
        assert_eq!(queue.end_one(), [2, 1]);
    }

    #[test]
    fn tokens_of_one_person_take_turns() {
        let searches = Searches::new(2);
        let mut queue = Queue::new(&searches);
        for _ in 0..8 {
            queue.enter(1, 1);
        }
        queue.enter(1, 2);
        queue.enter(1, 2);
        let tokens: Vec<_> = (0..5).flat_map(|_| queue.end_one()).collect();
        assert_eq!(tokens, [2, 1, 2, 1, 1]);
    }

    #[test]
    fn whoever_waits_most_is_refused_first() {
        let searches = Searches::new(3);
        let mut queue = Queue::new(&searches);
        let of_one: Vec<_> = (0..MAX_PER_PERSON).map(|_| queue.enter(1, 1)).collect();
        let beyond = queue.enter(1, 1);
        assert!(queue.is_refused(beyond) && !queue.is_refused(of_one[15]));
        let other_token = queue.enter(1, 2);
        assert!(queue.is_refused(of_one[15]) && !queue.is_refused(other_token));
        for _ in 0..MAX_PER_PERSON {
            queue.enter(2, 3);
        }
        assert_eq!(searches.lock().waiting.len(), MAX_WAITING);
        let others: Vec<_> = (10..30).map(|person| queue.enter(person, person)).collect();
        assert_eq!(searches.lock().waiting.len(), MAX_WAITING);
        assert!(others.iter().all(|&id| !queue.is_refused(id)));
        assert!(queue.is_refused(of_one[14]));
        for person in 30..100 {
            queue.enter(person, person);
        }
        let late = queue.enter(100, 100);
        assert!(queue.is_refused(late), "everybody has one");
    }

    #[tokio::test]
    async fn searches_that_end_leave_no_trace() {
        let searches = Searches::new(1);
        let first = searches.admit(searcher(1, 1)).await.expect("a slot");
        let short = Duration::from_millis(10);
        let second = tokio::time::timeout(short, searches.admit(searcher(2, 2))).await;
        assert!(second.is_err());
        drop(first);
        let state = searches.lock();
        assert_eq!((state.running.len(), state.waiting.len()), (0, 0));
    }
}
