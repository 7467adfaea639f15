//! Formats counts and sizes for people. Input: numbers. Output: text.

use std::fmt::Display;

/// Formats a count with its noun: `1 file`, `1,204 files`.
pub fn count<N: TryInto<u64>>(amount: N, noun: &str) -> String {
    let amount = amount.try_into().unwrap_or(u64::MAX);
    match (amount, noun) {
        (1, noun) => format!("1 {noun}"),
        (_, "repository") => format!("{} repositories", number(amount)),
        (_, "device, socket or pipe") => format!("{} devices, sockets or pipes", number(amount)),
        (_, noun) => format!("{} {noun}s", number(amount)),
    }
}

/// Formats a number with commas between thousands: `1,204`.
pub fn number(amount: impl Display) -> String {
    let digits = amount.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Formats a size in decimal units: `35.1 MB`.
pub fn bytes(amount: u64) -> String {
    let mut value = amount as f64;
    for unit in ["kB", "MB", "GB", "TB"] {
        value /= 1000.0;
        if value < 999.95 || unit == "TB" {
            return if amount < 1000 {
                count(amount, "byte")
            } else {
                format!("{value:.1} {unit}")
            };
        }
    }
    count(amount, "byte")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_formatted_for_people() {
        assert_eq!(count(0_u64, "file"), "0 files");
        assert_eq!(count(1_u64, "file"), "1 file");
        assert_eq!(count(1_234_567_u64, "file"), "1,234,567 files");
        assert_eq!(bytes(999), "999 bytes");
        assert_eq!(bytes(35_149_000), "35.1 MB");
        assert_eq!(bytes(4_294_967_296), "4.3 GB");
    }
}
