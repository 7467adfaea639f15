use super::super::class::is_probe;
use super::*;

#[test]
fn a_mask_has_the_probe_bytes() {
    let mut bytes: Vec<u8> = (0..=255).flat_map(|byte| [byte, b' ', byte, byte]).collect();
    bytes.extend([b'a', 0, b'b', 0, 0, 0, b'c']);
    for len in [bytes.len(), 1000, 64, 63, 1] {
        let bytes = &bytes[..len];
        let mut masks = Masks::new();
        masks.ends(bytes, &mut Ends::default());
        for (at, &byte) in bytes.iter().enumerate() {
            let is_second = byte == 0 && at > 0 && bytes[at - 1] == 0;
            let expected = is_in_row(byte) && !is_second;
            assert!(!is_probe(byte) || is_in_row(byte));
            let found = masks.probes[1 + at / WIDTH] >> (at % WIDTH) & 1 == 1;
            assert_eq!(found, expected, "{byte} at {at} of {len}");
        }
        let rest = len % WIDTH;
        assert!(rest == 0 || masks.probes[1 + len / WIDTH] >> rest == 0);
    }
}

#[test]
fn consecutive_zeros_are_recognized_across_masks() {
    let mut masks = Masks::new();
    masks.ends(&[0; WIDTH], &mut Ends::default());
    assert_eq!(masks.probes[1], 1);
    masks.ends(&[0; WIDTH], &mut Ends::default());
    assert_eq!(masks.probes[1], 0);
}

#[test]
fn gap_starts_and_utf32_are_marked() {
    let mut bytes = vec![b'a'; BLOCK];
    bytes[70] = 0x1b;
    bytes[129] = 0xe2;
    bytes[BLOCK - 1] = 0xc2;
    for at in 0..64 {
        bytes[192 + at] = if at % 4 == 2 { b'd' } else { 0 };
    }
    let mut masks = Masks::new();
    masks.ends(&bytes, &mut Ends::default());
    assert_eq!(masks.gaps().collect::<Vec<_>>(), [70, 129, BLOCK - 1]);
    assert_eq!(masks.utf32().collect::<Vec<_>>(), [192]);
    masks.ends(&bytes[..100], &mut Ends::default());
    assert_eq!(masks.gaps().collect::<Vec<_>>(), [70]);
    assert_eq!(masks.utf32().count(), 0);
}

#[test]
fn ends_of_rows_are_found_across_blocks() {
    for from in 0..3 * WIDTH {
        for len in [MIN_RUN - 1, MIN_RUN, MIN_RUN + 1, 3 * WIDTH] {
            let mut bytes = vec![b' '; from];
            bytes.resize(from + len, b'a');
            bytes.resize(BLOCK, b' ');
            for first in [WIDTH, 2 * WIDTH, BLOCK] {
                let found = marked(&bytes, first, |ends| ends.long);
                let expected: Vec<usize> = (from + MIN_RUN - 1..from + len).collect();
                assert_eq!(found, expected, "{len} from {from}, {first}");
            }
        }
    }
}

#[test]
fn stops_after_short_rows_are_marked_across_blocks() {
    for from in 0..3 * WIDTH {
        for len in [MIN_LINE - 1, MIN_LINE, MIN_LINE + 1, MIN_RUN, 2 * MIN_RUN] {
            let mut bytes = vec![b' '; from];
            bytes.resize(from + len, b'a');
            bytes.push(b'"');
            bytes.resize(BLOCK, b' ');
            for first in [WIDTH, 2 * WIDTH, BLOCK] {
                let found = marked(&bytes, first, |ends| ends.stops);
                let expected: &[usize] = if len >= MIN_LINE { &[from + len] } else { &[] };
                assert_eq!(found, expected, "{len} from {from}, {first}");
            }
        }
    }
}

#[test]
fn rows_are_measured_across_masks_and_blocks() {
    let mut bytes = vec![b'-'; BLOCK + WIDTH];
    let mut random = 1_usize;
    for _ in 0..99 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        bytes[(random >> 33) % (BLOCK + WIDTH)] = b'\n';
    }
    let (mut masks, mut ends) = (Masks::new(), Ends::default());
    for start in [0, BLOCK] {
        let block = &bytes[start..bytes.len().min(start + BLOCK)];
        masks.ends(block, &mut ends);
        for at in 0..block.len() {
            let before = bytes[..start + at].iter().rev().take(WIDTH);
            let expected = before.take_while(|&&byte| byte == b'-').count();
            assert_eq!(masks.row_len(at).min(WIDTH), expected, "{at} from {start}");
        }
    }
}

/// Lists the marked bytes of a block that is divided after its first bytes.
fn marked(bytes: &[u8], first: usize, of: fn(&Ends) -> [u64; MAX_MASKS]) -> Vec<usize> {
    let (mut masks, mut ends) = (Masks::new(), Ends::default());
    let mut marked = Vec::new();
    for (start, part) in [(0, &bytes[..first]), (first, &bytes[first..])] {
        masks.ends(part, &mut ends);
        let of_each = of(&ends);
        for index in ends.marked() {
            let at = start + index * WIDTH;
            marked.extend(bits_of(of_each[index]).map(|bit| at + bit));
        }
    }
    marked
}

#[test]
fn vector_and_scalar_masks_are_equal() {
    let bytes: Vec<u8> = (0..BLOCK as u32).map(|at| (at * at / 7 % 256) as u8).collect();
    for len in [BLOCK, 777, 40] {
        let (mut wide, mut narrow) = (Masks::new(), Masks::new());
        let (mut first, mut second) = (Ends::default(), Ends::default());
        wide.ends(&bytes[..len], &mut first);
        scalar(&mut narrow, &bytes[..len], &mut second);
        assert_eq!(first, second);
        assert_eq!(wide.probes, narrow.probes);
        assert!(wide.gaps().eq(narrow.gaps()) && wide.utf32().eq(narrow.utf32()));
    }
}
