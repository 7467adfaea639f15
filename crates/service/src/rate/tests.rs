//! Tests of windows, keys and totals, and of the limits on memory and work.

use super::table::EXACT;
use super::*;
use axum::http::Method;
use ddpatrol_token::Uuid;
use std::net::IpAddr;

const NOW: u64 = 1_200;

fn limits(rate: &str) -> Limits {
    Limits::new(&[rate.parse().expect("a rate")])
}

fn token(token: u8, owner: u8) -> Keys {
    Keys::of_token(Class::Audit, Uuid::from_bytes([token; 16]), Uuid::from_bytes([owner; 16]))
}

fn address(text: &str) -> Keys {
    text.parse::<IpAddr>().expect("an address").into()
}

/// Returns the `number`th IPv4 address.
fn numbered(number: u32) -> Keys {
    IpAddr::from(number.to_be_bytes()).into()
}

fn allowed(limits: &Limits, class: Class, keys: Keys, now: u64) -> bool {
    limits.take_at(class, keys, now).expect("it is limited").allowed
}

#[test]
fn the_next_window_starts_with_a_full_limit() {
    let limits = limits("audit=2/10");
    let take = |now| limits.take_at(Class::Audit, token(1, 1), now).expect("it is limited");
    let taken = [take(20), take(21), take(29), take(30)];
    assert_eq!(taken.map(|taken| taken.allowed), [true, true, false, true]);
    assert_eq!(taken.map(|taken| taken.remaining), [1, 0, 0, 1]);
    assert_eq!(taken.map(|taken| taken.reset), [10, 9, 1, 10]);
    assert!(allowed(&limits, Class::Audit, token(2, 2), 29), "callers do not share a window");
}

#[test]
fn the_error_for_an_invalid_rate_lists_the_classes() {
    for text in ["", "audit", "nope=1/1", "audit=0/1", "audit=1/0", "audit=1", "audit=x/1"] {
        let error = text.parse::<ClassRate>().expect_err(text);
        assert!(error.to_string().contains("tokens_revoke"), "{error}");
    }
    assert!(Limits::none().take(Class::Audit, token(0, 0)).is_none());
}

#[test]
fn tokens_of_one_user_have_their_own_limits_and_a_total() {
    let limits = limits("audit=3/60");
    let count =
        |number| (0..9).filter(|_| allowed(&limits, Class::Audit, token(number, 7), NOW)).count();
    let counts: Vec<usize> = (0..6).map(count).collect();
    assert_eq!(counts, [3, 3, 3, 3, 0, 0]);
}

#[test]
fn a_rejected_request_uses_up_the_limit_of_the_token_and_not_of_the_user() {
    let limits = limits("audit=3/60");
    for thief in 0..40 {
        for _ in 0..3 {
            let taken = limits.take_at(Class::Audit, token(thief, 7), NOW).expect("limited");
            assert!(taken.allowed);
            limits.refund_user(&taken, token(thief, 7));
        }
        assert!(!allowed(&limits, Class::Audit, token(thief, 7), NOW));
    }
    assert!(allowed(&limits, Class::Audit, token(99, 7), NOW));
}

#[test]
fn revocations_have_no_total_and_head_counts_as_a_read() {
    let keys = |token| {
        Keys::of_token(
            Class::TokensRevoke,
            Uuid::from_bytes([token; 16]),
            Uuid::from_bytes([7; 16]),
        )
    };
    let limits = limits("tokens_revoke=1/60");
    for token in 0..100 {
        assert!(allowed(&limits, Class::TokensRevoke, keys(token), NOW));
        assert!(!allowed(&limits, Class::TokensRevoke, keys(token), NOW));
    }
    let class = |method| Class::of(&method, "/api/v2/personal_access_tokens");
    assert_eq!(class(Method::HEAD), Class::TokensRead);
    assert_eq!(class(Method::DELETE), Class::TokensRevoke);
    assert_eq!(class(Method::PATCH), Class::TokensWrite);
}

#[test]
fn addresses_of_one_ipv6_site_share_a_window_and_sites_of_one_network_a_total() {
    assert_eq!(address("2001:db8::1"), address("2001:db8::2"));
    assert_ne!(address("2001:db8::1"), address("2001:db8:0:1::1"));
    assert_ne!(address("192.0.2.1"), address("192.0.2.2"));
    let limits = limits("leaks=2/60");
    let take = |text: String| allowed(&limits, Class::Leaks, address(&text), NOW);
    let taken = (0..1_000).filter(|site| take(format!("2001:db8:1:{site:x}::1"))).count();
    assert_eq!(taken, 32);
    assert!(take("2001:db8:2::1".to_owned()), "another network");
}

#[test]
fn memory_and_work_do_not_grow_with_the_number_of_addresses() {
    let limits = limits("leaks=2/60");
    let slots = || limits.table(Class::Leaks).slots();
    let exact = slots().0;
    assert!((EXACT..=2 * EXACT).contains(&exact));
    let mut sketch = 0;
    for window in 0..3 {
        for number in 0..200_000 {
            allowed(&limits, Class::Leaks, numbered(number), NOW + 60 * window);
        }
        // A map that grows or shrinks moves its entries. A request touches four cells of the
        // sketch.
        assert_eq!(slots().0, exact, "the map was never rebuilt");
        sketch = if sketch == 0 { slots().1 } else { sketch };
        assert_eq!(slots().1, sketch);
        assert!(sketch * 8 <= 4 << 20, "4 MiB");
    }
}

#[test]
fn limits_apply_beyond_the_exact_addresses_and_new_addresses_are_allowed() {
    let limits = limits("authentication=600/60");
    let take = |number| allowed(&limits, Class::Authentication, numbered(number), NOW);
    for number in 0..500_000 {
        take(number);
    }
    let attacker = (0..2_000).filter(|_| take(600_000)).count();
    assert!((500..=600).contains(&attacker), "{attacker} requests of an address were allowed");
    assert!((700_000..701_000).all(take), "new addresses are allowed");
    let next = (0..2_000)
        .filter(|_| allowed(&limits, Class::Authentication, numbered(600_000), NOW + 60))
        .count();
    assert_eq!(next, 600, "the next window starts at zero");
}

#[test]
fn a_refunded_request_can_be_taken_again() {
    let limits = limits("authentication=2/60");
    let class = Class::Authentication;
    for number in [1, 100_000] {
        for _ in 0..10 {
            let taken = limits.take_at(class, numbered(number), NOW).expect("limited");
            assert!(taken.allowed);
            limits.refund(&taken, numbered(number));
        }
        assert!(allowed(&limits, class, numbered(number), NOW));
        let late = limits.take_at(class, numbered(number), NOW).expect("limited");
        assert!(!allowed(&limits, class, numbered(number), NOW));
        // A refund in a later window has no effect, since its own window has ended.
        let other = numbered(u32::MAX - number);
        assert!(allowed(&limits, class, other, NOW + 60));
        limits.refund(&late, other);
        assert!(allowed(&limits, class, other, NOW + 60));
        assert!(!allowed(&limits, class, other, NOW + 60));
        // Fills the exact keys, so that the next round is counted by the sketch.
        for filler in 200_000..220_000 {
            allowed(&limits, class, numbered(filler), NOW);
        }
    }
}

#[test]
fn unanswered_lookups_are_limited_only_while_the_database_fails() {
    let limits = limits("authentication=200/60");
    let address = IpAddr::from([192, 0, 2, 1]);
    let take = |now| limits.take_lookup_at(address, now);
    let end = |lookup: &Lookup, outcome, now| limits.finish_lookup_at(lookup, outcome, now);
    let failing = |now| {
        let fails =
            |_: &i32| take(now).map(|lookup| end(&lookup, LookupOutcome::Failed, now)).is_ok();
        (0..300).filter(fails).count()
    };
    assert_eq!(failing(NOW), 1 + 20, "the first failure is not expected");
    assert_eq!(failing(NOW + 1), 0);
    assert_eq!(failing(NOW + 2), 20);
    // The database responds again.
    for _ in 0..300 {
        end(&take(NOW + 4).expect("a lookup is allowed"), LookupOutcome::Live, NOW + 4);
    }
    for _ in 0..200 {
        end(&take(NOW + 4).expect("a lookup is allowed"), LookupOutcome::NotLive, NOW + 4);
    }
    let refused = take(NOW + 4).expect_err("200 lookups were unsuccessful");
    assert_eq!((refused.rate.limit, refused.reset), (200, 56));
    let pending: Vec<_> = (0..300).filter_map(|_| take(NOW + 60).ok()).collect();
    assert_eq!(pending.len(), 200, "a slow database without a recent failure");
}
