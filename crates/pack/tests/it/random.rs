//! Seeded numbers and texts, the same in every run.

/// SplitMix64, as published by Sebastiano Vigna (<https://prng.di.unimi.it/splitmix64.c>).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    /// Returns a number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// Returns a line of 1 to 80 bytes that compresses badly.
    pub(crate) fn line(&mut self) -> Vec<u8> {
        let len = 1 + self.below(79);
        let mut line: Vec<u8> = (0..len).map(|_| b'!' + self.below(90) as u8).collect();
        line.push(b'\n');
        line
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len.div_ceil(8)).flat_map(|_| self.next().to_le_bytes()).take(len).collect()
    }

    /// Replaces, adds, drops or moves lines.
    pub(crate) fn edit(&mut self, lines: &mut Vec<Vec<u8>>) {
        for _ in 0..=self.below(3) {
            let at = self.below(lines.len());
            match self.below(5) {
                0 | 1 => lines[at] = self.line(),
                2 => lines.insert(at, self.line()),
                3 if lines.len() > 4 => drop(lines.remove(at)),
                _ => {
                    let len = (lines.len() - at).min(6);
                    let moved: Vec<_> = lines.drain(at..at + len).collect();
                    let to = self.below(lines.len() + 1);
                    lines.splice(to..to, moved);
                }
            }
        }
    }
}
