//! Mints tokens from a seed, for tests. Shares no code with ddpatrol, so that it can serve as an oracle:
//! a bit-by-bit CRC and digits by division.

pub mod azure;
mod base58;
mod issuers;
pub mod wallets;

const BASE62: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE36: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
const BASE64URL: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A small pseudo-random generator (SplitMix64).
pub struct Random(pub u64);

impl Random {
    /// Returns the next number.
    #[expect(clippy::should_implement_trait, reason = "an endless sequence needs no `Option`")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// Returns a text of characters of an alphabet.
    pub fn text(&mut self, alphabet: &[u8], len: usize) -> String {
        (0..len).map(|_| char::from(alphabet[self.below(alphabet.len())])).collect()
    }

    /// Returns bytes.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }

    /// Returns a text of base62 digits.
    pub fn base62(&mut self, len: usize) -> String {
        self.text(BASE62, len)
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// Returns the CRC-32 of zlib, computed bit by bit.
pub fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

fn digits(mut value: u128, alphabet: &[u8], width: usize) -> String {
    let mut text = Vec::new();
    while value > 0 {
        text.push(alphabet[(value % alphabet.len() as u128) as usize]);
        value /= alphabet.len() as u128;
    }
    text.resize(width, alphabet[0]);
    text.reverse();
    String::from_utf8(text).expect("digits are ASCII")
}

/// Returns the CRC-32 of a text in six base62 digits.
pub fn crc62(text: &str) -> String {
    digits(u128::from(crc32(text.as_bytes())), BASE62, 6)
}

/// Returns a Datadog token with a secret of `len` characters. `coverage` selects the text of the
/// checksum: 0: secret; 1: alias, `_` and secret; 2: alias and secret; 3: everything.
pub fn datadog(random: &mut Random, prefix: &str, len: usize, coverage: usize) -> String {
    let id = u128::from(random.next()) << 64 | u128::from(random.next());
    let alias = digits(id, BASE62, 22);
    let secret = random.base62(len);
    let covered = match coverage {
        0 => secret.clone(),
        1 => format!("{alias}_{secret}"),
        2 => format!("{alias}{secret}"),
        _ => format!("{prefix}{alias}_{secret}"),
    };
    format!("{prefix}{alias}_{secret}{}", crc62(&covered))
}

/// Returns the valid Datadog token of a seed.
pub fn token(seed: u64) -> String {
    datadog(&mut Random(seed), "ddpat_", 43, 0)
}

/// Returns the Datadog token of a seed with a wrong checksum.
pub fn failed_candidate(seed: u64) -> String {
    let token = token(seed);
    let (rest, checksum) = token.split_at(token.len() - 6);
    format!("{rest}{}", if checksum == "000000" { "000001" } else { "000000" })
}

/// Returns a token of the GitHub standard: prefix, body, checksum over the body.
pub fn classic(random: &mut Random, prefix: &str, len: usize) -> String {
    let body = random.base62(len);
    format!("{prefix}{body}{}", crc62(&body))
}

/// Returns the id and a token of every provable rule, and of every variant of Datadog's rules.
pub fn all(random: &mut Random) -> Vec<(&'static str, String)> {
    let mut tokens = Vec::new();
    for (rule, prefix) in [("datadog-pat", "ddpat_"), ("datadog-service-account-token", "ddsat_")] {
        for len in [43, 32, 30] {
            for coverage in 0..4 {
                tokens.push((rule, datadog(random, prefix, len, coverage)));
            }
        }
    }
    tokens.extend(issuers::classics(random));
    tokens.extend(issuers::others(random));
    tokens
}

/// Returns the length of the literal that a token of [`all`] begins with.
pub fn head_len(token: &str) -> usize {
    const HEADS: &[&str] = &[
        "github_pat_",
        "wandb_v1_",
        "salad_cloud_org_",
        "salad_cloud_user_",
        "polar_at_u_",
        "polar_at_o_",
        "polar_rt_u_",
        "polar_rt_o_",
        "polar_oat_",
        "polar_pat_",
        "polar_crt_",
        "polar_cst_",
        "polar_mst_",
        "polar_cs_",
        "polar_us_",
        "glpat-",
        "essu_",
        "xprv",
        "edsk",
        "glrt-t",
        "ATATT",
        "ATCTT",
        "ATBB",
        "cnvca",
        "cflt",
        "apify_api_",
        "AGE-SECRET-KEY-1",
        "AGE-SECRET-KEY-PQ-1",
        "nsec1",
        "ncryptsec1",
        "suiprivkey1",
    ];
    let listed = HEADS.iter().find(|head| token.starts_with(**head)).map(|head| head.len());
    listed.unwrap_or_else(|| token.find('_').map_or(0, |at| at + 1))
}

/// Returns a token of a random rule.
pub fn any(random: &mut Random) -> (&'static str, String) {
    let tokens = all(random);
    let at = random.below(tokens.len());
    tokens.into_iter().nth(at).expect("an index below the length")
}

/// Returns text between tokens: words, other alphabets, escapes, raw bytes, heads, failed candidates.
pub fn filler(random: &mut Random) -> Vec<u8> {
    match random.below(9) {
        0 => random.pick(&[" ", "\n", "\\n", "=", "\"", "_", "-", ".", "\x1b[31m"]).into(),
        1 => random.pick(&["é日本", "😀", "\u{feff}", "key: ", "%3D", "Bearer "]).into(),
        2 => {
            let len = random.below(60);
            random.base62(len).into_bytes()
        }
        3 => {
            let len = random.below(12);
            random.bytes(len)
        }
        4 => random.pick(&["ghp_", "ddpat_", "glpat-", "npm_", "ATATT", "ghs_", "vcp_"]).into(),
        5 => {
            let (_, token) = any(random);
            let cut = random.below(token.len());
            token.as_bytes()[..cut].to_vec()
        }
        6 | 7 => {
            let (_, token) = any(random);
            let mut token = token.into_bytes();
            let at = random.below(token.len());
            token[at] = random.pick(BASE62);
            token
        }
        _ => Vec::new(),
    }
}
