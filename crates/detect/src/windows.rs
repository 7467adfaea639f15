//! Chooses a short window of each needle to search for, and groups the windows.
//!
//! Input: needles. Output: the offset of each needle's window, and the group of the window. It searches
//! nothing.
//!
//! A packed searcher distributes its patterns among a few buckets. It verifies a position if each of its
//! first bytes occurs there in any pattern of a bucket, and compares the halves of a byte separately. Many
//! prefixes have little in common, so that dozens of them would occupy most halves of each bucket. Among
//! all windows of the needles there are similar ones: `jsrp_` and `glsa_` end like `syr_` and `lar_`.

/// Maximum length of a window: the number of bytes that the searcher examines before it verifies.
pub(super) const MAX_WIDTH: usize = 4;

/// The number of groups.
pub(super) const GROUPS: usize = 8;

/// Maximum number of windows of a group: a packed searcher supports 128 patterns.
const MAX_IN_GROUP: usize = 128 / GROUPS;

/// Maximum number of needles whose windows are chosen: the time grows with its square.
const MAX_NEEDLES: usize = MAX_IN_GROUP * GROUPS;

/// Maximum probability that a position must be verified. Above it, more groups of fewer windows are faster.
const MAX_CHANCE: f64 = 1.0 / 1024.0;

/// How often each character of ASCII occurs in 4096 bytes of source code: the mean of C, JavaScript with
/// JSON, Python and Rust.
const FREQUENCIES: [u16; 128] = [
    1, 0, 0, 0, 0, 0, 0, 0, 0, 5, 108, 0, 0, 1, 0, 0, //
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, //
    924, 4, 60, 11, 3, 1, 4, 16, 50, 50, 20, 2, 67, 16, 38, 35, //
    32, 16, 12, 10, 7, 5, 8, 5, 6, 4, 38, 15, 7, 20, 14, 1, //
    1, 25, 10, 22, 31, 35, 13, 9, 9, 36, 1, 2, 17, 13, 20, 19, //
    18, 2, 25, 29, 37, 12, 9, 7, 2, 3, 1, 8, 5, 8, 1, 63, //
    7, 134, 31, 76, 74, 260, 62, 34, 49, 132, 4, 13, 91, 49, 125, 118, //
    68, 5, 133, 143, 183, 65, 19, 18, 26, 25, 5, 14, 2, 14, 1, 0,
];

/// For each upper half of a byte, how often bytes occur in 8192 whose lower half is in a set: of the first eight, and
/// of the last eight halves, one bit each.
static SUMS: [[[u16; 256]; 2]; 16] = {
    let mut sums = [[[0; 256]; 2]; 16];
    let mut upper = 0;
    while upper < 16 {
        let mut lower = 0;
        while lower < 16 {
            let byte = 16 * upper + lower;
            // Bytes that are not ASCII are rare, and no byte is impossible.
            let count = if byte < 128 { 1 + 2 * FREQUENCIES[byte] } else { 1 };
            let mut set = 0;
            while set < 256 {
                if set >> (lower % 8) & 1 == 1 {
                    sums[upper][lower / 8][set] += count;
                }
                set += 1;
            }
            lower += 1;
        }
        upper += 1;
    }
    sums
};

/// The window of a needle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// The distance from the start of the needle.
    pub(super) offset: usize,
    pub(super) group: usize,
}

/// The windows of all needles.
#[derive(Clone, Debug)]
pub(super) struct Windows {
    /// The length of each window.
    pub(super) width: usize,
    pub(super) by_needle: Vec<Window>,
}

/// Chooses a window of each needle. Returns `None` if there are so many needles that too many positions would
/// have to be verified.
pub(super) fn choose<N: AsRef<[u8]>>(needles: &[N]) -> Option<Windows> {
    let shortest = needles.iter().map(|needle| needle.as_ref().len()).min()?;
    if needles.len() > MAX_NEEDLES || shortest == 0 {
        return None;
    }
    let width = shortest.min(MAX_WIDTH);
    // Long needles have more windows to choose from.
    let mut order: Vec<usize> = (0..needles.len()).collect();
    order.sort_by_key(|&at| needles[at].as_ref().len());
    let mut chosen: Vec<Option<Window>> = vec![None; needles.len()];
    let mut groups = [Halves::default(); GROUPS];
    // The second round takes into account the windows that were chosen later.
    for at in order.iter().chain(&order).copied() {
        if let Some(old) = chosen[at].take() {
            groups[old.group] = halves_of(old.group, needles, &chosen, width);
        }
        let needle = needles[at].as_ref();
        chosen[at] = best(needle, &groups, width);
        if let Some(Window { offset, group }) = chosen[at] {
            groups[group] = groups[group].with(&needle[offset..offset + width]);
        }
    }
    let chance: f64 = groups.iter().map(Halves::chance).sum();
    let by_needle = chosen.into_iter().collect::<Option<Vec<Window>>>()?;
    (chance <= MAX_CHANCE).then_some(Windows { width, by_needle })
}

/// Returns the window that adds least to the number of positions to verify.
fn best(needle: &[u8], groups: &[Halves; GROUPS], width: usize) -> Option<Window> {
    let mut best: Option<(Window, f64)> = None;
    for (group, halves) in groups.iter().enumerate().filter(|(_, it)| it.windows < MAX_IN_GROUP) {
        let chance = halves.chance();
        for (offset, text) in needle.windows(width).enumerate() {
            let added = halves.with(text).chance() - chance;
            if best.is_none_or(|(_, least)| added < least) {
                best = Some((Window { offset, group }, added));
            }
        }
    }
    best.map(|(window, _)| window)
}

/// Returns the halves of the windows in a group.
fn halves_of<N: AsRef<[u8]>>(
    group: usize,
    needles: &[N],
    chosen: &[Option<Window>],
    width: usize,
) -> Halves {
    let mut halves = Halves::default();
    for (needle, window) in needles.iter().zip(chosen) {
        if let Some(Window { offset, .. }) = window.filter(|it| it.group == group) {
            halves = halves.with(&needle.as_ref()[offset..offset + width]);
        }
    }
    halves
}

/// The halves of the bytes at each place of a group's windows, one bit per value of a half.
#[derive(Clone, Copy, Debug, Default)]
struct Halves {
    low: [u16; MAX_WIDTH],
    high: [u16; MAX_WIDTH],
    /// The probability of a byte with these halves at each place.
    frequencies: [f64; MAX_WIDTH],
    width: usize,
    /// The number of windows.
    windows: usize,
}

impl Halves {
    /// Adds a window.
    fn with(mut self, window: &[u8]) -> Self {
        for (at, &byte) in window.iter().enumerate() {
            let (low, high) = (1 << (byte & 15), 1 << (byte >> 4));
            if self.low[at] & low == 0 || self.high[at] & high == 0 {
                self.low[at] |= low;
                self.high[at] |= high;
                self.frequencies[at] = frequency(self.low[at], self.high[at]);
            }
        }
        self.width = window.len();
        self.windows += 1;
        self
    }

    /// Returns the probability that a position must be verified.
    fn chance(&self) -> f64 {
        if self.width == 0 {
            return 0.0;
        }
        self.frequencies[..self.width].iter().product()
    }
}

/// Returns the probability of a byte with one of these lower and one of these upper halves.
fn frequency(low: u16, high: u16) -> f64 {
    let [first, last] = low.to_le_bytes().map(usize::from);
    let sums = bits(high).map(|upper| &SUMS[upper]);
    let sum: u32 = sums.map(|[a, b]| u32::from(a[first]) + u32::from(b[last])).sum();
    f64::from(sum) / 8192.0
}

/// Lists the indices of the set bits.
fn bits(mut bits: u16) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = bits.trailing_zeros();
        bits &= bits.wrapping_sub(1);
        (bit < u16::BITS).then_some(bit as usize)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frequency_of_halves_is_the_sum_of_the_bytes() {
        for (low, high) in [
            (0, u16::MAX),
            (u16::MAX, 0),
            (1 << 5 | 1 << 14, 1 << 6 | 1 << 2),
            (u16::MAX, 1 << 6 | 1 << 9),
        ] {
            let has = |set: u16, half: usize| set >> half & 1 == 1;
            let bytes = (0..256).filter(|byte| has(low, byte & 15) && has(high, byte >> 4));
            let of_byte =
                |byte: usize| FREQUENCIES.get(byte).map_or(1, |it| 1 + 2 * u32::from(*it));
            assert_eq!(frequency(low, high) * 8192.0, f64::from(bytes.map(of_byte).sum::<u32>()));
        }
    }

    #[test]
    fn every_needle_contains_its_window() {
        let needles =
            ["ghp_", "gho_", "npm_", "jsrp_", "jsrd_", "glpat-", "ATATT", "zpka_", "vcp_"];
        let windows = choose(&needles).expect("few needles");
        assert_eq!(windows.width, 4);
        for (needle, window) in needles.iter().zip(&windows.by_needle) {
            assert!(window.offset + windows.width <= needle.len(), "{needle} {window:?}");
            assert!(window.group < GROUPS);
        }
    }

    #[test]
    fn similar_needles_share_a_group() {
        let kinds = ["ABCD", "efgh", "1234", "ij-k", "(lmn", "NOPQ", "7890", "+:;,"];
        let needles: Vec<String> =
            kinds.iter().flat_map(|kind| [format!("{kind}_"), format!("{kind}_")]).collect();
        let by_needle = choose(&needles).expect("few needles").by_needle;
        for pair in by_needle.chunks(2) {
            assert_eq!(pair[0], pair[1]);
        }
    }

    #[test]
    fn too_many_needles_have_no_windows() {
        assert!(choose(&["", "a"]).is_none());
        assert!(choose(&vec!["abc"; MAX_NEEDLES + 1]).is_none());
        // Any two letters.
        let pairs: Vec<String> = (0..100_u8)
            .map(|at| [b'a' + at % 10, b'e' + at / 10].iter().map(|&it| char::from(it)).collect())
            .collect();
        assert!(choose(&pairs).is_none());
    }
}
