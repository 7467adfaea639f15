//! Marvin32, the keyed checksum in Microsoft's identifiable keys.
//!
//! Input: a seed and bytes. Output: 32 bits: both halves of the 64-bit state, combined.

/// The state: two words.
struct State {
    low: u32,
    high: u32,
}

impl State {
    const fn new(seed: u64) -> Self {
        Self { low: seed as u32, high: (seed >> 32) as u32 }
    }

    fn add(&mut self, word: u32) {
        self.low = self.low.wrapping_add(word);
        self.high ^= self.low;
        self.low = self.low.rotate_left(20).wrapping_add(self.high);
        self.high = self.high.rotate_left(9) ^ self.low;
        self.low = self.low.rotate_left(27).wrapping_add(self.high);
        self.high = self.high.rotate_left(19);
    }
}

fn state(seed: u64, bytes: impl Iterator<Item = u8>) -> State {
    let mut state = State::new(seed);
    let (mut word, mut held) = (0_u32, 0);
    // The end is marked by one more byte.
    for byte in bytes.chain([0x80]) {
        word |= u32::from(byte) << (8 * held);
        held += 1;
        if held == 4 {
            state.add(word);
            (word, held) = (0, 0);
        }
    }
    if held > 0 {
        state.add(word);
    }
    state.add(0);
    state
}

/// Returns the checksum of `bytes`.
pub(super) fn checksum(seed: u64, bytes: impl Iterator<Item = u8>) -> u32 {
    let State { low, high } = state(seed, bytes);
    low ^ high
}

#[cfg(test)]
mod tests {
    use super::state;

    #[test]
    fn the_state_is_that_of_the_published_examples() {
        // microsoft/security-utilities, tests of Marvin.
        for (text, seed, expected) in [
            ("abc", 0xd53c_d9ce_cd08_93b7, 0x22c7_4339_4927_69bf),
            ("abcdefghijklmnopqrstuvwxyz", 0x0ddd_deee_efff_f000, 0xa128_eb7e_7260_aca2),
        ] {
            let state = state(seed, text.bytes());
            assert_eq!(u64::from(state.high) << 32 | u64::from(state.low), expected, "{text}");
        }
    }
}
