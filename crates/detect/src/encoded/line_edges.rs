//! The parts of literals at the end of one line of encoded text and at the beginning of the next.
//!
//! Input: the literals, then a run. Output: whether a literal may cross the end of the run, and the offsets in the
//! run where one that began in the line before may continue. At least half of a literal is in one of two
//! lines, and that half alone is searched for. The other line, and the text between the two, decide later.

use super::needles::RunNeedle;
use super::pairs::Pairs;

/// The halves of literals.
#[derive(Debug)]
pub(super) struct LineEdges {
    /// The beginnings of literals that have at least half of the characters, by their last character.
    beginnings: Vec<Vec<Box<[u8]>>>,
    /// The last two characters of the beginnings.
    ends: Pairs,
    /// The rests of literals after shorter beginnings, by their first character. Literals to which the character
    /// before them belongs are among them.
    rests: Vec<Vec<Box<[u8]>>>,
    /// The first two characters of the rests.
    starts: Pairs,
}

impl LineEdges {
    pub(super) fn new(needles: &[RunNeedle]) -> Self {
        let mut edges = Self {
            beginnings: vec![Vec::new(); 256],
            ends: Pairs::new(),
            rests: vec![Vec::new(); 256],
            starts: Pairs::new(),
        };
        for RunNeedle { text, forms } in needles {
            let half = text.len().div_ceil(2);
            (half..text.len()).for_each(|len| edges.add_beginning(&text[..len]));
            let first = if forms.iter().any(|form| form.back > 0) { 0 } else { 1 };
            (first..half).for_each(|from| edges.add_rest(&text[from..]));
        }
        edges
    }

    fn add_beginning(&mut self, text: &[u8]) {
        if let [.., before, last] = *text {
            self.ends.add(before, last);
            add(&mut self.beginnings[usize::from(last)], text);
        }
    }

    fn add_rest(&mut self, text: &[u8]) {
        if let [first, second, ..] = *text {
            self.starts.add(first, second);
            add(&mut self.rests[usize::from(first)], text);
        }
    }

    /// Returns `true` if a run may contain a part of a literal that is also in another line.
    pub(super) fn may_cross(&self, run: &[u8]) -> bool {
        self.is_end(run) || self.starts(run).next().is_some()
    }

    /// Returns `true` if a run ends with at least half of a literal. Padding and the `=` of a soft line break do
    /// not count.
    #[inline]
    pub(super) fn is_end(&self, run: &[u8]) -> bool {
        let run = run.strip_suffix(b"=").unwrap_or(run);
        let [.., before, last] = *run else { return false };
        self.ends.contains(before, last)
            && self.beginnings[usize::from(last)].iter().any(|it| run.ends_with(it))
    }

    /// Lists the offsets in a run where the rest of a literal begins, and encoded text may begin.
    #[inline]
    pub(super) fn starts(&self, run: &[u8]) -> impl Iterator<Item = usize> {
        // Before it may be the marks of a patch, the letter of an escape sequence, `file-12-` of grep, or `name=`.
        let dash = memchr::memrchr2(b'-', b'_', run);
        let sign = memchr::memchr(b'=', run);
        let far = [dash, sign].into_iter().flatten().map(|at| at + 1);
        let all = (0..=MAX_MARKS).chain(far.filter(|&at| at > MAX_MARKS));
        all.filter(|&at| run.get(at..).is_some_and(|text| self.is_rest(text)))
    }

    #[inline]
    fn is_rest(&self, text: &[u8]) -> bool {
        let [first, second, ..] = *text else { return false };
        self.starts.contains(first, second)
            && self.rests[usize::from(first)].iter().any(|it| text.starts_with(it))
    }
}

/// Maximum number of characters of a run before the encoded text that are marks.
const MAX_MARKS: usize = 2;

/// Adds a text once.
fn add(all: &mut Vec<Box<[u8]>>, text: &[u8]) {
    if !all.iter().any(|it| **it == *text) {
        all.push(text.into());
    }
}

#[cfg(test)]
mod tests {
    use super::super::needles::run_needles;
    use super::*;
    use ddpatrol_token::Anchor;

    const HEADS: [&[u8]; 5] = [b"ddpat_", b"ghp_", b"glpat-", b"github_pat_", b"ATATT"];

    fn needles() -> Vec<RunNeedle> {
        let anchors = HEADS.map(|head| Anchor { text: head.into(), offset: 0 });
        run_needles(&anchors.each_ref())
    }

    #[test]
    fn one_of_two_lines_has_half_of_a_literal_wherever_it_is_cut() {
        let needles = needles();
        let edges = LineEdges::new(&needles);
        for RunNeedle { text, forms } in &needles {
            let back = forms.iter().map(|form| form.back).max().unwrap_or(0);
            let whole = [&b"A7b"[..back], text].concat();
            for cut in 1..whole.len() {
                let (first, second) = whole.split_at(cut);
                let first = [b"Zm9vYmFyYmF6", first].concat();
                for before in ["", "+", "++", "n", "src-12-", "msg="] {
                    let second = [before.as_bytes(), second, b"Zm9v"].concat();
                    let start = edges.starts(&second).find(|&at| at == before.len());
                    assert!(
                        edges.is_end(&first) || start.is_some(),
                        "{cut} of {} after {before:?}",
                        whole.escape_ascii()
                    );
                }
            }
        }
        assert!(!edges.is_end(b"") && !edges.is_end(b"=") && edges.starts(b"").next().is_none());
    }

    #[test]
    fn other_runs_are_not_followed() {
        let edges = LineEdges::new(&needles());
        for run in
            ["Zm9vYmFyYmF6Zm9vYmFy", "d41d8cd98f00b204e9800998ecf8427e", "someLongNameOf2Things"]
        {
            assert!(!edges.may_cross(run.as_bytes()), "{run}");
        }
    }
}
