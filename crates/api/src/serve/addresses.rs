use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The connections that are open, by where they come from, so that nobody takes all of them.
#[derive(Debug)]
pub(super) struct Addresses {
    most: usize,
    most_of_loopback: usize,
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// One open connection; dropped when it ends.
pub(super) struct Place {
    from: IpAddr,
    of: Arc<Addresses>,
}

impl Addresses {
    pub(super) fn new(most: usize, most_of_loopback: usize) -> Arc<Addresses> {
        Arc::new(Addresses { most, most_of_loopback, open: Mutex::default() })
    }

    /// A place for one more connection from there, unless it has as many as it may.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let from = client(address);
        let most = if from.is_loopback() { self.most_of_loopback } else { self.most };
        let mut open = self.open();
        let count = open.entry(from).or_default();
        if *count >= most {
            if *count == 0 {
                open.remove(&from);
            }
            return None;
        }
        *count += 1;
        Some(Place { from, of: self.clone() })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.of.open();
        if let Some(count) = open.get_mut(&self.from) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.from);
            }
        }
    }
}

/// Who counts as one client: an address of IPv4, however it is written, and a network of 64 bits of IPv6, which is the
/// least that anyone is given.
fn client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            IpAddr::V6((u128::from(address) & !u128::from(u64::MAX)).into())
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_has_so_many_places() {
        let addresses = Addresses::new(2, 3);
        let enter = |address: &str| addresses.enter(address.parse().unwrap());
        let first = enter("192.0.2.7");
        let second = enter("::ffff:192.0.2.7");
        assert!(first.is_some() && second.is_some() && enter("192.0.2.7").is_none());
        assert!(enter("192.0.2.8").is_some(), "others have their own");
        drop(first);
        assert!(enter("192.0.2.7").is_some());
        let held = [enter("2001:db8::1"), enter("2001:db8::ffff:1")];
        assert!(held.iter().all(Option::is_some) && enter("2001:db8::2:2").is_none(), "one network");
        assert!(enter("2001:db8:0:1::1").is_some());
        let loopback = [enter("127.0.0.1"), enter("127.0.0.1"), enter("127.0.0.1")];
        assert!(loopback.iter().all(Option::is_some) && enter("127.0.0.1").is_none());
        assert!(enter("::1").is_some());
        drop((second, held, loopback));
        assert!(addresses.open().is_empty(), "nothing is kept of those who left");
    }
}
