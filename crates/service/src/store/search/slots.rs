//! Determines which searches run, wait or are rejected, so that no user's searches block those of
//! other users.
//!
//! A user gets a slot only if more slots are free than the user occupies, so one is left for
//! others. Waiting users take turns, and so do the tokens of one user. If too many searches wait,
//! the newest one of the user with the most waiting searches is rejected.

use super::TIME_LIMIT;
use crate::lock::lock;
use ddpatrol_token::Uuid;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::oneshot;

/// Maximum number of waiting searches.
const MAX_WAITING: usize = 29;
/// Maximum number of searches of one user, running or waiting.
const MAX_PER_USER: usize = 16;
/// Maximum time in the queue: more than the time limit of a search, so that the next search in the
/// queue gets a slot.
const MAX_WAIT: Duration = TIME_LIMIT.saturating_add(Duration::from_secs(1));
/// Number of recent turns that are stored.
const MAX_TURNS: usize = 64;

/// Too many searches run at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many concurrent searches; try again in a second")]
pub struct Busy;

/// The caller of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Searcher {
    /// The user.
    pub user: Uuid,
    /// The user's token in the request.
    pub token: Uuid,
}

/// Limits the number of searches.
#[derive(Debug)]
pub struct Searches {
    slots: usize,
    state: Mutex<SearchState>,
}

/// The permission to search; released when dropped.
#[derive(Debug)]
pub struct SearchPermit<'a> {
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
    /// Signals that the search may run; dropped to reject it.
    granted: oneshot::Sender<()>,
}

#[derive(Debug, Default)]
struct SearchState {
    next_id: u64,
    running: Vec<Running>,
    /// In order of arrival.
    waiting: Vec<Waiting>,
    /// The recent turns, in order.
    turns: VecDeque<Searcher>,
}

impl Searches {
    /// Creates a number of slots.
    #[must_use]
    pub fn new(slots: u32) -> Self {
        Self { slots: slots as usize, state: Mutex::default() }
    }

    /// Waits for the permission to search, for a little longer than the time limit of a search.
    ///
    /// # Errors
    /// [`Busy`] if too many searches run or wait.
    pub async fn admit(&self, searcher: Searcher) -> Result<SearchPermit<'_>, Busy> {
        let (permit, granted) = self.enter(searcher);
        match tokio::time::timeout(MAX_WAIT, granted).await {
            Ok(Ok(())) => Ok(permit),
            _ => Err(Busy),
        }
    }

    fn lock(&self) -> MutexGuard<'_, SearchState> {
        lock(&self.state)
    }

    fn enter(&self, searcher: Searcher) -> (SearchPermit<'_>, oneshot::Receiver<()>) {
        let (granted, grant) = oneshot::channel();
        let mut state = self.lock();
        let id = state.next_id;
        state.next_id += 1;
        state.waiting.push(Waiting { id, searcher, granted });
        state.serve(self.slots);
        state.reject_excess(searcher.user);
        (SearchPermit { searches: self, id }, grant)
    }
}

impl Drop for SearchPermit<'_> {
    fn drop(&mut self) {
        let mut state = self.searches.lock();
        state.running.retain(|running| running.id != self.id);
        state.waiting.retain(|waiting| waiting.id != self.id);
        state.serve(self.searches.slots);
    }
}

impl SearchState {
    /// Starts searches while there are slots for them.
    fn serve(&mut self, slots: usize) {
        while let Some(index) = self.next(slots) {
            let Waiting { id, searcher, granted } = self.waiting.remove(index);
            self.running.push(Running { id, searcher });
            if self.turns.len() >= MAX_TURNS {
                self.turns.pop_front();
            }
            self.turns.push_back(searcher);
            // If the caller has stopped waiting, the slot is released when the permit is
            // dropped.
            let _ = granted.send(());
        }
    }

    /// Returns the index of the next waiting search to run, if there is a slot for one.
    fn next(&self, slots: usize) -> Option<usize> {
        let free = slots.saturating_sub(self.running.len());
        let waiting = self.waiting.iter().map(|waiting| waiting.searcher).enumerate();
        let eligible = waiting.filter(|(_, searcher)| self.slots_of(searcher.user) < free);
        let next = eligible.min_by_key(|(_, Searcher { user, token })| {
            let turn = |is: &dyn Fn(&Searcher) -> bool| self.turns.iter().rposition(is);
            (
                self.slots_of(*user),
                turn(&|searcher| searcher.user == *user),
                turn(&|searcher| searcher.token == *token),
            )
        });
        next.map(|(index, _)| index)
    }

    fn slots_of(&self, user: Uuid) -> usize {
        self.running.iter().filter(|running| running.searcher.user == user).count()
    }

    fn count_waiting(&self, is: impl Fn(&Searcher) -> bool) -> usize {
        self.waiting.iter().filter(|waiting| is(&waiting.searcher)).count()
    }

    /// Rejects searches beyond the limits after a new search of a user.
    fn reject_excess(&mut self, user: Uuid) {
        let of_user = self.count_waiting(|searcher| searcher.user == user);
        if of_user + self.slots_of(user) > MAX_PER_USER {
            self.reject_one(|searcher| searcher.user == user);
        }
        if self.waiting.len() > MAX_WAITING {
            self.reject_one(|_| true);
        }
    }

    /// Rejects the newest waiting search of the user and token with the most waiting searches.
    fn reject_one(&mut self, among: impl Fn(&Searcher) -> bool) {
        let waiting = self.waiting.iter().map(|waiting| waiting.searcher).enumerate();
        let candidates = waiting.filter(|(_, searcher)| among(searcher));
        let last = candidates.max_by_key(|(_, Searcher { user, token })| {
            (
                self.count_waiting(|searcher| searcher.user == *user),
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

    fn searcher(user: u8, token: u8) -> Searcher {
        Searcher { user: Uuid::from_bytes([user; 16]), token: Uuid::from_bytes([token; 16]) }
    }

    /// The searches of a test, by identifier.
    #[derive(Debug)]
    struct Queue<'a> {
        searches: &'a Searches,
        entered: HashMap<u64, (u8, SearchPermit<'a>, oneshot::Receiver<()>)>,
    }

    impl<'a> Queue<'a> {
        fn new(searches: &'a Searches) -> Self {
            Self { searches, entered: HashMap::new() }
        }

        fn enter(&mut self, user: u8, token: u8) -> u64 {
            let (permit, granted) = self.searches.enter(searcher(user, token));
            let id = permit.id;
            self.entered.insert(id, (token, permit, granted));
            id
        }

        /// Returns `true` if a search was rejected.
        fn is_rejected(&mut self, id: u64) -> bool {
            let (_, _, granted) = self.entered.get_mut(&id).expect("the search has entered");
            granted.try_recv() == Err(oneshot::error::TryRecvError::Closed)
        }

        fn running(&self) -> Vec<u64> {
            self.searches.lock().running.iter().map(|running| running.id).collect()
        }

        /// Ends the longest-running search. Returns the tokens of the searches that run afterwards.
        fn end_one(&mut self) -> Vec<u8> {
            let first = self.running()[0];
            drop(self.entered.remove(&first));
            self.running().iter().map(|id| self.entered[id].0).collect()
        }
    }

    #[test]
    fn one_slot_is_left_for_others_and_users_take_turns() {
        let searches = Searches::new(3);
        let mut queue = Queue::new(&searches);
        for _ in 0..MAX_PER_USER {
            queue.enter(1, 1);
        }
        assert_eq!(queue.running().len(), 2);
        for _ in 0..3 {
            queue.enter(2, 2);
        }
        queue.enter(3, 3);
        assert_eq!(queue.running().len(), 3);
        assert_eq!(queue.end_one(), [1, 2, 3], "a user without a slot comes first");
        assert_eq!(queue.end_one(), [2, 3, 1]);
        assert_eq!(queue.end_one(), [3, 1, 2]);
        assert_eq!(queue.end_one(), [1, 2], "the last slot is left for a user without a slot");
        assert_eq!(queue.end_one(), [2, 1]);
    }

    #[test]
    fn tokens_of_one_user_take_turns() {
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
    fn the_user_with_the_most_waiting_searches_is_rejected_first() {
        let searches = Searches::new(3);
        let mut queue = Queue::new(&searches);
        let of_one: Vec<_> = (0..MAX_PER_USER).map(|_| queue.enter(1, 1)).collect();
        let excess = queue.enter(1, 1);
        assert!(queue.is_rejected(excess) && !queue.is_rejected(of_one[15]));
        let other_token = queue.enter(1, 2);
        assert!(queue.is_rejected(of_one[15]) && !queue.is_rejected(other_token));
        for _ in 0..MAX_PER_USER {
            queue.enter(2, 3);
        }
        assert_eq!(searches.lock().waiting.len(), MAX_WAITING);
        let others: Vec<_> = (10..30).map(|user| queue.enter(user, user)).collect();
        assert_eq!(searches.lock().waiting.len(), MAX_WAITING);
        assert!(others.iter().all(|&id| !queue.is_rejected(id)));
        assert!(queue.is_rejected(of_one[14]));
        for user in 30..100 {
            queue.enter(user, user);
        }
        let late = queue.enter(100, 100);
        assert!(queue.is_rejected(late), "every user has one");
    }

    #[tokio::test]
    async fn finished_searches_are_removed() {
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
