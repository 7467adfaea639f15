//! A simple detector that tries every rule and every length at every offset. Slow, but easy to verify.

use crate::support::mint::{crc32, crc62};
use ddpatrol::detect::Evidence;

/// A match of the oracle: rule, first byte, byte after the last, evidence.
pub(crate) type Found = (&'static str, usize, usize, Evidence);

fn is_base62(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

fn all(bytes: &[u8], set: impl Fn(u8) -> bool) -> bool {
    bytes.iter().all(|&byte| set(byte))
}

/// `None` if the bytes have another shape, else `Some(true)` if the checksum matches.
type Verdict = Option<bool>;

fn classic(token: &[u8], prefix: &str, lens: &[usize]) -> Verdict {
    let body = token.strip_prefix(prefix.as_bytes())?;
    let len = body.len().checked_sub(6)?;
    if !lens.contains(&len) || !all(body, is_base62) || &body[len..] > b"4gfFC3".as_slice() {
        return None;
    }
    let text = std::str::from_utf8(&body[..len]).ok()?;
    Some(crc62(text).as_bytes() == &body[len..])
}

fn datadog(token: &[u8], prefix: &str) -> Verdict {
    let rest = token.strip_prefix(prefix.as_bytes())?;
    let len = rest.len().checked_sub(22 + 1 + 6)?;
    let (alias, tail) = rest.split_at(22);
    let shaped = [43, 32, 30].contains(&len)
        && all(alias, is_base62)
        && alias <= b"7n42DGM5Tflk9n8mt7Fhc7".as_slice()
        && tail[0] == b'_'
        && all(&tail[1..], is_base62)
        && &tail[1 + len..] <= b"4gfFC3".as_slice();
    if !shaped {
        return None;
    }
    let text = std::str::from_utf8(token).ok()?;
    let (alias, secret) = (&text[6..28], &text[29..29 + len]);
    let covers = [
        secret.to_owned(),
        format!("{alias}_{secret}"),
        format!("{alias}{secret}"),
        format!("{prefix}{alias}_{secret}"),
    ];
    Some(covers.iter().any(|it| crc62(it).as_bytes() == &tail[1 + len..]))
}

fn gitlab(token: &[u8], version: bool) -> Verdict {
    let rest = token.strip_prefix(b"glpat-")?;
    let dot = rest.iter().position(|&byte| byte == b'.')?;
    let is_payload = |byte| is_base62(byte) || byte == b'-' || byte == b'_';
    let is_base36 = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_lowercase();
    let mut tail = &rest[dot + 1..];
    if !(27..=300).contains(&dot) || !all(&rest[..dot], is_payload) {
        return None;
    }
    if version {
        if tail.len() != 12 || !all(&tail[..2], is_base36) || tail[2] != b'.' {
            return None;
        }
        tail = &tail[3..];
    }
    if tail.len() != 9 || !all(tail, is_base36) {
        return None;
    }
    let checksum = std::str::from_utf8(&tail[2..]).ok()?;
    let value = u64::from_str_radix(checksum, 36).ok()?;
    let value = u32::try_from(value).ok()?;
    Some(crc32(&token[..token.len() - 7]) == value)
}

fn zuplo(token: &[u8]) -> Verdict {
    let rest = token.strip_prefix(b"zpka_")?;
    if rest.len() != 41 || !all(&rest[..32], is_base62) || rest[32] != b'_' {
        return None;
    }
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let checksum = &rest[33..];
    let crc = format!("{:08x}", crc32(&rest[..32]));
    all(checksum, is_hex).then(|| crc.as_bytes() == checksum)
}

fn atlassian(token: &[u8]) -> Verdict {
    let rest = token.strip_prefix(b"ATATT")?;
    let len = rest.len().checked_sub(9)?;
    let is_body = |byte| is_base62(byte) || byte == b'-' || byte == b'_';
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte);
    let shaped = (20..=300).contains(&len)
        && all(&rest[..len], is_body)
        && rest[len] == b'='
        && all(&rest[len + 1..], is_hex);
    let crc = format!("{:08X}", crc32(&token[..token.len() - 8]));
    shaped.then(|| crc.as_bytes() == &rest[len + 1..])
}

fn fine_grained(token: &[u8]) -> Verdict {
    use sha2::Digest;
    let rest = token.strip_prefix(b"github_pat_")?;
    let is_base32 = |byte: u8| byte.is_ascii_uppercase() || (b'2'..=b'7').contains(&byte);
    let shaped = rest.len() == 22 + 1 + 43 + 8 + 8
        && all(&rest[..22], is_base62)
        && rest[22] == b'_'
        && all(&rest[23..], is_base62)
        && all(&rest[66..74], is_base32);
    if !shaped {
        return None;
    }
    let digest = sha2::Sha256::digest(&token[..token.len() - 16]);
    let first = digest[..5].iter().fold(0_u64, |value, &byte| value << 8 | u64::from(byte));
    let digit = |at: u32| {
        let value = (first >> (35 - 5 * at)) as usize & 31;
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[value]
    };
    Some((0..8).map(digit).collect::<Vec<u8>>() == rest[66..74])
}

fn server(token: &[u8]) -> Verdict {
    let body = token.strip_prefix(b"ghs_")?;
    let is_body = |byte| is_base62(byte) || byte == b'.' || byte == b'_';
    ((36..=1000).contains(&body.len()) && all(body, is_body)).then_some(false)
}

/// A rule, its head, and the function that checks the bytes of a candidate.
type OracleRule = (&'static str, &'static str, fn(&[u8]) -> Verdict);

fn rules() -> Vec<OracleRule> {
    vec![
        ("datadog-pat", "ddpat_", |token| datadog(token, "ddpat_")),
        ("datadog-service-account-token", "ddsat_", |token| datadog(token, "ddsat_")),
        ("github-pat", "ghp_", |token| classic(token, "ghp_", &[30])),
        ("github-oauth", "gho_", |token| classic(token, "gho_", &[30])),
        ("github-app-user", "ghu_", |token| classic(token, "ghu_", &[30])),
        ("github-refresh", "ghr_", |token| classic(token, "ghr_", &[30, 70])),
        ("npm-token", "npm_", |token| classic(token, "npm_", &[30])),
        ("vercel-pat", "vcp_", |token| classic(token, "vcp_", &[50])),
        ("vercel-integration", "vci_", |token| classic(token, "vci_", &[50])),
        ("vercel-app-access", "vca_", |token| classic(token, "vca_", &[50])),
        ("vercel-app-refresh", "vcr_", |token| classic(token, "vcr_", &[50])),
        ("vercel-ai-gateway", "vck_", |token| classic(token, "vck_", &[50])),
        ("github-fine-grained-pat", "github_pat_", fine_grained),
        ("github-server", "ghs_", server),
        ("gitlab-pat", "glpat-", |token| gitlab(token, true)),
        ("gitlab-pat-unversioned", "glpat-", |token| gitlab(token, false)),
        ("zuplo-api-key", "zpka_", zuplo),
        ("atlassian-api-token", "ATATT", atlassian),
    ]
}

/// Returns the matches that the detector must find, sorted.
pub(crate) fn find(bytes: &[u8]) -> Vec<Found> {
    let mut found = Vec::new();
    for start in 0..bytes.len() {
        for (rule, head, verdict) in rules() {
            if !bytes[start..].starts_with(head.as_bytes()) {
                continue;
            }
            let ends = start + head.len()..=bytes.len().min(start + 1100);
            let verdicts: Vec<(usize, bool)> =
                ends.filter_map(|end| Some((end, verdict(&bytes[start..end])?))).collect();
            if let Some((end, _)) = verdicts.iter().find(|(_, proven)| *proven) {
                found.push((rule, start, *end, Evidence::Proven));
                continue;
            }
            let free_before =
                start == 0 || !(is_base62(bytes[start - 1]) || bytes[start - 1] == b'_');
            let free_after = |end: usize| bytes.get(end).is_none_or(|&byte| !is_base62(byte));
            let longest = verdicts.iter().rev().find(|(end, _)| free_after(*end));
            if let (true, Some((end, _))) = (free_before, longest) {
                found.push((rule, start, *end, Evidence::Shaped));
            }
        }
    }
    found.sort();
    found
}
