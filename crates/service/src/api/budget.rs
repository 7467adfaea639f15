//! A bounded amount of memory that requests in progress share.

use crate::network::site;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// The memory is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the memory for requests is in use")]
pub(crate) struct Exhausted;

#[derive(Debug)]
struct Used {
    total: usize,
    /// By site; no entry for one that holds nothing.
    by_site: HashMap<IpAddr, usize>,
}

/// A budget of memory, in bytes. One site can hold half of it.
#[derive(Debug)]
pub(crate) struct Memory {
    limit: usize,
    used: Mutex<Used>,
    released: Notify,
}

impl Memory {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        let used = Mutex::new(Used { total: 0, by_site: HashMap::new() });
        Arc::new(Self { limit, used, released: Notify::new() })
    }

    fn lock(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn try_take(&self, site: IpAddr, bytes: usize) -> Result<(), Exhausted> {
        let mut used = self.lock();
        let of_site = used.by_site.get(&site).copied().unwrap_or_default();
        if used.total + bytes > self.limit || of_site + bytes > self.limit / 2 {
            return Err(Exhausted);
        }
        used.total += bytes;
        used.by_site.insert(site, of_site + bytes);
        Ok(())
    }

    fn give_back(&self, site: IpAddr, bytes: usize) {
        let mut used = self.lock();
        used.total -= bytes;
        if let Some(of_site) = used.by_site.get_mut(&site) {
            *of_site -= bytes;
            if *of_site == 0 {
                used.by_site.remove(&site);
            }
        }
        drop(used);
        self.released.notify_waiters();
    }

    /// Starts a reservation of nothing for a request from an address.
    pub(crate) fn reservation(self: &Arc<Self>, address: IpAddr) -> Reservation {
        Reservation { memory: Arc::clone(self), site: site(address), bytes: 0 }
    }
}

/// Memory that is reserved for a request until dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    memory: Arc<Memory>,
    site: IpAddr,
    bytes: usize,
}

impl Reservation {
    /// Raises the reservation to a number of bytes, if there is room at once.
    ///
    /// # Errors
    /// [`Exhausted`]; the reservation stays as it was.
    pub(crate) fn raise(&mut self, bytes: usize) -> Result<(), Exhausted> {
        let more = bytes.saturating_sub(self.bytes);
        self.memory.try_take(self.site, more)?;
        self.bytes += more;
        Ok(())
    }

    /// Raises the reservation to a number of bytes; waits for room.
    ///
    /// # Errors
    /// [`Exhausted`] if there is no room in time; the reservation stays as it was.
    pub(crate) async fn raise_within(
        &mut self,
        bytes: usize,
        time: Duration,
    ) -> Result<(), Exhausted> {
        let memory = Arc::clone(&self.memory);
        let raised = async {
            loop {
                let mut released = std::pin::pin!(memory.released.notified());
                // Enabled before the attempt, so that no release in between is missed.
                released.as_mut().enable();
                if self.raise(bytes).is_ok() {
                    return;
                }
                released.await;
            }
        };
        tokio::time::timeout(time, raised).await.map_err(|_| Exhausted)
    }

    /// Lowers the reservation to a number of bytes.
    pub(crate) fn lower(&mut self, bytes: usize) {
        let less = self.bytes.saturating_sub(bytes);
        if less > 0 {
            self.bytes -= less;
            self.memory.give_back(self.site, less);
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

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    #[test]
    fn one_site_can_hold_half_and_a_drop_gives_everything_back() {
        let memory = Memory::new(100);
        let mut a = memory.reservation(A);
        let mut again = memory.reservation(A);
        let mut b = memory.reservation(B);
        assert_eq!(a.raise(40), Ok(()));
        assert_eq!(again.raise(11), Err(Exhausted), "more than half for one site");
        assert_eq!(again.raise(10), Ok(()));
        assert_eq!(b.raise(50), Ok(()));
        a.lower(1);
        assert_eq!(again.raise(11), Ok(()));
        drop((a, again, b));
        let used = memory.lock();
        assert_eq!((used.total, used.by_site.len()), (0, 0));
    }
}
