//! Checking a candidate allocates nothing, whatever the verdict.

use ddpatrol_token::{Check, datadog};

#[test]
fn a_check_allocates_nothing() {
    let format = datadog::access_token(datadog::PERSONAL_PREFIX).expect("the format is valid");
    let minted = datadog::mint_personal_access_token().expect("the system has random bytes");
    let token = minted.token.expose();
    let mut typo = token.to_vec();
    typo[40] = if typo[40] == b'a' { b'b' } else { b'a' };
    let mut overflow = token.to_vec();
    let checksum = overflow.len() - 6;
    overflow[checksum..].copy_from_slice(b"zzzzzz");
    let mut checks = Vec::with_capacity(3);
    let counted = allocation_counter::measure(|| {
        for candidate in [token, &typo, &overflow] {
            checks.push(format.check(candidate));
        }
    });
    assert_eq!(counted.count_total, 0);
    assert!(matches!(checks[..], [Check::Proven { .. }, Check::Shaped { .. }, Check::NoMatch]));
    let counted = allocation_counter::measure(|| drop(std::hint::black_box(vec![1_u8])));
    assert_eq!(counted.count_total, 1, "the counter counts");
}
