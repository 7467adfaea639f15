//! A limited quantity, such as memory, that requests in progress share.

use crate::lock::lock;
use crate::network::site;
use ddpatrol_token::Uuid;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::Notify;

/// The budget is exhausted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request budget is exhausted")]
pub(crate) struct Exhausted;

/// The owner of a share of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ReservationOwner {
    /// The site of an address; see [`site`].
    Site(IpAddr),
    /// The user who owns the request's token.
    User(Uuid),
}

impl ReservationOwner {
    /// Returns the owner of a request without a token.
    pub(crate) fn of_address(address: IpAddr) -> Self {
        Self::Site(site(address))
    }
}

#[derive(Debug, Default)]
struct Used {
    total: usize,
    /// Contains no owner without units.
    by_owner: HashMap<ReservationOwner, usize>,
}

/// The size of a budget, in units.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    /// Maximum of all owners together; `None` if only shares are limited.
    pub(crate) limit: Option<usize>,
    /// Maximum of one owner.
    pub(crate) share: usize,
}

/// A budget, for example of memory in bytes, of which each owner can use a limited share.
#[derive(Debug)]
pub(crate) struct Budget {
    size: Size,
    used: Mutex<Used>,
    released: Notify,
}

impl Budget {
    /// Creates an unused budget.
    pub(crate) fn new(size: Size) -> Arc<Self> {
        Arc::new(Self { size, used: Mutex::default(), released: Notify::new() })
    }

    fn lock(&self) -> MutexGuard<'_, Used> {
        lock(&self.used)
    }

    fn try_take(&self, owner: ReservationOwner, units: usize) -> Result<(), Exhausted> {
        if units == 0 {
            return Ok(());
        }
        let mut used = self.lock();
        let held = used.by_owner.get(&owner).copied().unwrap_or_default();
        let total = used.total.saturating_add(units);
        let is_full = self.size.limit.is_some_and(|limit| total > limit);
        if is_full || held.saturating_add(units) > self.size.share {
            return Err(Exhausted);
        }
        used.total += units;
        used.by_owner.insert(owner, held + units);
        Ok(())
    }

    fn release(&self, owner: ReservationOwner, units: usize) {
        let mut used = self.lock();
        used.total -= units;
        if let Some(held) = used.by_owner.get_mut(&owner) {
            *held -= units;
            if *held == 0 {
                used.by_owner.remove(&owner);
            }
        }
        drop(used);
        self.released.notify_waiters();
    }

    /// Creates an empty reservation.
    pub(crate) fn reservation(self: &Arc<Self>, owner: ReservationOwner) -> Reservation {
        Reservation { budget: Arc::clone(self), owner, units: 0 }
    }
}

/// A part of a budget that is reserved for a request until dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    budget: Arc<Budget>,
    owner: ReservationOwner,
    units: usize,
}

impl Reservation {
    fn try_raise(&mut self, units: usize) -> Result<(), Exhausted> {
        let more = units.saturating_sub(self.units);
        self.budget.try_take(self.owner, more)?;
        self.units += more;
        Ok(())
    }

    /// Returns `true` if nothing is reserved.
    pub(crate) const fn is_empty(&self) -> bool {
        self.units == 0
    }

    /// Raises the reservation to a number of units, after waiting for them if necessary.
    /// Cancellation leaves the reservation unchanged.
    ///
    /// # Errors
    /// [`Exhausted`] if the units are not available in time; the reservation is unchanged.
    pub(crate) async fn raise_within(
        &mut self,
        units: usize,
        time: Duration,
    ) -> Result<(), Exhausted> {
        if self.try_raise(units).is_ok() {
            return Ok(());
        }
        let budget = Arc::clone(&self.budget);
        let raised = async {
            loop {
                let mut released = std::pin::pin!(budget.released.notified());
                // Enabled before the attempt, so that no release in between is missed.
                released.as_mut().enable();
                if self.try_raise(units).is_ok() {
                    return;
                }
                released.await;
            }
        };
        tokio::time::timeout(time, raised).await.map_err(|_| Exhausted)
    }

    /// Lowers the reservation to a number of units.
    pub(crate) fn lower(&mut self, units: usize) {
        let less = self.units.saturating_sub(units);
        if less > 0 {
            self.units -= less;
            self.budget.release(self.owner, less);
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.lower(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn one_owner_is_limited_to_its_share_and_a_drop_releases_everything() {
        let budget = Budget::new(Size { limit: Some(100), share: 50 });
        let [a, b] =
            [1, 2].map(|last| ReservationOwner::of_address(Ipv4Addr::new(192, 0, 2, last).into()));
        let mut first = budget.reservation(a);
        let mut again = budget.reservation(a);
        let mut other = budget.reservation(b);
        assert_eq!(first.try_raise(40), Ok(()));
        assert_eq!(again.try_raise(11), Err(Exhausted), "more than the share");
        assert_eq!(again.try_raise(10), Ok(()));
        assert_eq!(other.try_raise(50), Ok(()));
        first.lower(1);
        assert_eq!(again.try_raise(11), Ok(()));
        drop((first, again, other));
        let used = budget.lock();
        assert_eq!((used.total, used.by_owner.len()), (0, 0));
    }
}
