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

/// Checks base62 whose checksum covers the prefix too.
fn whole(token: &[u8], prefix: &str, len: usize) -> Verdict {
    classic(token, prefix, &[len])?;
    let (text, checksum) = std::str::from_utf8(token).ok()?.split_at(token.len() - 6);
    Some(crc62(text) == checksum)
}

fn gitlab(token: &[u8], prefix: &str, version: bool) -> Verdict {
    let rest = token.strip_prefix(prefix.as_bytes())?;
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

fn runner(token: &[u8]) -> Verdict {
    let kind = token.strip_prefix(b"glrt-t")?.first().filter(|kind| b"123".contains(kind))?;
    gitlab(token, &format!("glrt-t{}_", char::from(*kind)), true)
}

fn hex_tail(token: &[u8], covered: &[u8], letters: fn(u8) -> bool) -> Verdict {
    let tail = &token[token.len() - 8..];
    let expected = format!("{:08x}", crc32(covered));
    all(tail, |byte| byte.is_ascii_digit() || letters(byte))
        .then(|| tail.eq_ignore_ascii_case(expected.as_bytes()))
}

fn is_lower_hex(byte: u8) -> bool {
    (b'a'..=b'f').contains(&byte)
}

fn is_upper_hex(byte: u8) -> bool {
    (b'A'..=b'F').contains(&byte)
}

fn cloudflare(token: &[u8], prefix: &str) -> Verdict {
    let rest = token.strip_prefix(prefix.as_bytes())?;
    let shaped = rest.len() == 48 && all(&rest[..40], is_base62);
    shaped.then(|| hex_tail(token, &rest[..40], is_lower_hex)).flatten()
}

fn canva(token: &[u8]) -> Verdict {
    let rest = token.strip_prefix(b"cnvca")?;
    let is_body = |byte| is_base62(byte) || byte == b'-' || byte == b'_';
    let shaped = rest.len() == 51 && all(&rest[..43], is_body);
    shaped.then(|| hex_tail(token, &token[..48], is_lower_hex)).flatten()
}

fn app_password(token: &[u8]) -> Verdict {
    let rest = token.strip_prefix(b"ATBB")?;
    let shaped = rest.len() == 32 && all(&rest[..24], is_base62);
    shaped.then(|| hex_tail(token, &token[..28], is_upper_hex)).flatten()
}

fn synapse(token: &[u8], prefix: &str) -> Verdict {
    let text = std::str::from_utf8(token).ok()?;
    let parts: Vec<&str> = text.strip_prefix(prefix)?.split('_').collect();
    let [user, secret, checksum] = parts[..] else { return None };
    let shaped = (2..=340).contains(&user.len())
        && user.bytes().all(|byte| is_base62(byte) || byte == b'+' || byte == b'/')
        && secret.len() == 20
        && secret.bytes().all(|byte| byte.is_ascii_alphabetic())
        && checksum.len() == 6
        && checksum.bytes().all(is_base62)
        && checksum <= "4gfFC3";
    shaped.then(|| crc62(&text[..text.len() - 7]) == checksum)
}

fn wandb(token: &[u8]) -> Verdict {
    let rest = token.strip_prefix(b"wandb_v1_")?;
    let shaped = rest.len() == 27 + 1 + 49
        && all(&rest[..27], is_base62)
        && rest[27] == b'_'
        && all(&rest[28..], is_base62)
        && &rest[71..] <= b"4gfFC3".as_slice();
    let text = std::str::from_utf8(token).ok()?;
    shaped.then(|| text.ends_with(&crc62(&text[..text.len() - 6])))
}

fn grafana(token: &[u8]) -> Verdict {
    let rest = token.strip_prefix(b"glsa_")?;
    let is_body = |byte| is_base62(byte) || byte == b'-' || byte == b'_';
    let is_hex = |byte: u8| byte.is_ascii_digit() || is_lower_hex(byte);
    let shaped = rest.len() == 41
        && all(&rest[..32], is_body)
        && rest[32] == b'_'
        && all(&rest[33..], is_hex);
    shaped.then(|| {
        let crc = format!("{:08x}", crc32(&token[..37]).swap_bytes());
        crc.as_bytes() == &rest[33..]
    })
}

fn confluent(token: &[u8]) -> Verdict {
    use base64::Engine;
    let rest = token.strip_prefix(b"cflt")?;
    let decode = |text: &[u8]| base64::engine::general_purpose::STANDARD_NO_PAD.decode(text).ok();
    if rest.len() != 60 || !all(&rest[..54], |byte| is_base62(byte) || b"+/".contains(&byte)) {
        return None;
    }
    let checksum = decode(&rest[54..])?;
    Some(checksum == crc32(&rest[..54]).to_le_bytes())
}

fn elastic(token: &[u8]) -> Verdict {
    use base64::Engine;
    let rest = token.strip_prefix(b"essu_")?;
    if rest.len() != 92 {
        return None;
    }
    let decoded = base64::engine::general_purpose::STANDARD.decode(rest).ok()?;
    let (body, checksum) = decoded.split_at_checked(60)?;
    let checksum = u64::from_be_bytes(checksum.try_into().ok()?);
    u32::try_from(checksum).ok().map(|checksum| checksum == crc32(body))
}

fn base58check(token: &[u8], head: &str, len: usize) -> Verdict {
    use sha2::{Digest, Sha256};
    const DIGITS: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    if token.len() != len || !token.starts_with(head.as_bytes()) {
        return None;
    }
    let mut bytes: Vec<u8> = Vec::new();
    for byte in token {
        let mut carry = DIGITS.iter().position(|digit| digit == byte)?;
        for place in bytes.iter_mut().rev() {
            carry += 58 * usize::from(*place);
            *place = carry as u8;
            carry /= 256;
        }
        while carry > 0 {
            bytes.insert(0, carry as u8);
            carry /= 256;
        }
    }
    let (payload, checksum) = bytes.split_at_checked(bytes.len() - 4)?;
    Some(Sha256::digest(Sha256::digest(payload))[..4] == *checksum)
}

const LOWER: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const UPPER: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

fn number<'a>(text: impl Iterator<Item = &'a u8>, alphabet: &[u8]) -> Option<u64> {
    text.map(|byte| alphabet.iter().position(|digit| digit == byte))
        .try_fold(0, |value, digit| Some(value * alphabet.len() as u64 + digit? as u64))
}

fn base62_lower(token: &[u8], prefix: &str) -> Verdict {
    let rest = token.strip_prefix(prefix.as_bytes())?;
    if rest.len() != 36 || !all(rest, is_base62) {
        return None;
    }
    let value = u32::try_from(number(rest[30..].iter(), LOWER)?).ok()?;
    Some(value == crc32(&token[..token.len() - 6]))
}

fn reversed(token: &[u8], prefix: &str) -> Verdict {
    let rest = token.strip_prefix(prefix.as_bytes())?;
    if rest.len() != 37 || !all(&rest[..30], is_base62) || rest[30] != b'_' {
        return None;
    }
    let digits = &rest[31..];
    let value = number(digits.iter().rev(), UPPER)?;
    // A leading `0` may be padding.
    if digits[0] != b'0' {
        u32::try_from(value).ok()?;
    }
    let crc = crc62(std::str::from_utf8(&token[..token.len() - 7]).ok()?);
    let kept = crc.trim_start_matches('0');
    let wanted = format!("{:0>6}", kept.chars().rev().collect::<String>());
    Some(wanted.as_bytes() == digits)
}

fn dhis2(token: &[u8]) -> Verdict {
    let rest = token.strip_prefix(b"d2pat_")?;
    if rest.len() != 42 || !all(&rest[..32], is_base62) {
        return None;
    }
    let digits = &rest[32..];
    let value = all(digits, |byte| byte.is_ascii_digit())
        .then(|| std::str::from_utf8(digits).ok()?.parse::<u32>().ok())??;
    Some(value == crc32(&rest[..32]))
}

fn bech32(token: &[u8], prefix: &str, len: usize) -> Verdict {
    let data = token.strip_prefix(prefix.as_bytes())?.strip_prefix(b"1")?;
    let is_upper = prefix.starts_with('A');
    let digits: Vec<u32> = data
        .iter()
        .map(|byte| {
            let known =
                if is_upper { !byte.is_ascii_lowercase() } else { !byte.is_ascii_uppercase() };
            let lower = byte.to_ascii_lowercase();
            let at = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l".iter().position(|&it| it == lower);
            at.filter(|_| known).map(|at| at as u32)
        })
        .collect::<Option<_>>()?;
    let prefix = prefix.to_lowercase();
    let high = prefix.bytes().map(|byte| u32::from(byte >> 5));
    let low = prefix.bytes().map(|byte| u32::from(byte & 31));
    let mut sum = 1_u32;
    for value in high.chain([0]).chain(low).chain(digits) {
        let top = sum >> 25;
        sum = (sum & 0x1ff_ffff) << 5 ^ value;
        let terms = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
        for (bit, term) in terms.iter().enumerate() {
            sum ^= if top >> bit & 1 == 1 { *term } else { 0 };
        }
    }
    (data.len() == len + 6).then_some(sum == 1)
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

fn atlassian(token: &[u8], prefix: &str) -> Verdict {
    let rest = token.strip_prefix(prefix.as_bytes())?;
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
        ("gitlab-pat", "glpat-", |token| gitlab(token, "glpat-", true)),
        ("gitlab-pat-unversioned", "glpat-", |token| gitlab(token, "glpat-", false)),
        ("gitlab-runner-token", "glrt-t", runner),
        ("zuplo-api-key", "zpka_", zuplo),
        ("atlassian-api-token", "ATATT", |token| atlassian(token, "ATATT")),
        ("bitbucket-access-token", "ATCTT", |token| atlassian(token, "ATCTT")),
        ("bitbucket-app-password", "ATBB", app_password),
        ("cloudflare-user-token", "cfut_", |token| cloudflare(token, "cfut_")),
        ("cloudflare-account-token", "cfat_", |token| cloudflare(token, "cfat_")),
        ("cloudflare-global-key", "cfk_", |token| cloudflare(token, "cfk_")),
        ("canva-client-secret", "cnvca", canva),
        ("synapse-access-token", "syt_", |token| synapse(token, "syt_")),
        ("synapse-refresh-token", "syr_", |token| synapse(token, "syr_")),
        ("wandb-api-key", "wandb_v1_", wandb),
        ("grafana-service-account-token", "glsa_", grafana),
        ("confluent-api-secret", "cflt", confluent),
        ("elastic-cloud-api-key", "essu_", elastic),
        ("bip32-private-key", "xprv", |token| base58check(token, "xprv", 111)),
        ("tezos-secret-key", "edsk", |token| base58check(token, "edsk", 54)),
        ("apify-api-token", "apify_api_", |token| base62_lower(token, "apify_api_")),
        ("zentral-service-account-token", "ztls_", |token| base62_lower(token, "ztls_")),
        ("zentral-user-token", "ztlu_", |token| base62_lower(token, "ztlu_")),
        ("mas-compat-access-token", "mct_", |token| reversed(token, "mct_")),
        ("mas-compat-refresh-token", "mcr_", |token| reversed(token, "mcr_")),
        ("mas-personal-token", "mpt_", |token| reversed(token, "mpt_")),
        ("mas-access-token", "mat_", |token| reversed(token, "mat_")),
        ("mas-refresh-token", "mar_", |token| reversed(token, "mar_")),
        ("dhis2-pat", "d2pat_", dhis2),
        ("age-secret-key", "AGE-SECRET-KEY-1", |token| bech32(token, "AGE-SECRET-KEY-", 52)),
        ("age-secret-key-pq", "AGE-SECRET-KEY-PQ-1", |token| {
            bech32(token, "AGE-SECRET-KEY-PQ-", 52)
        }),
        ("nostr-private-key", "nsec1", |token| bech32(token, "nsec", 52)),
        ("nostr-encrypted-key", "ncryptsec1", |token| bech32(token, "ncryptsec", 146)),
        ("sui-private-key", "suiprivkey1", |token| bech32(token, "suiprivkey", 53)),
        ("github-server-classic", "ghs_", |token| classic(token, "ghs_", &[30])),
        ("github-server", "ghs_", server),
        ("deno-deploy-token", "ddp_", |token| whole(token, "ddp_", 30)),
        ("deno-deploy-organization-token", "ddo_", |token| whole(token, "ddo_", 30)),
        ("jsr-personal-token", "jsrp_", |token| whole(token, "jsrp_", 29)),
        ("jsr-device-token", "jsrd_", |token| whole(token, "jsrd_", 29)),
        ("jsr-web-token", "jsrw_", |token| whole(token, "jsrw_", 29)),
        ("netbird-pat", "nbp_", |token| classic(token, "nbp_", &[30])),
        ("netbird-proxy-token", "nbx_", |token| classic(token, "nbx_", &[30])),
        ("netbird-invite-token", "nbi_", |token| classic(token, "nbi_", &[30])),
        ("polar-organization-token", "polar_oat_", |token| classic(token, "polar_oat_", &[37])),
        ("polar-pat", "polar_pat_", |token| classic(token, "polar_pat_", &[37])),
        ("polar-user-access-token", "polar_at_u_", |token| classic(token, "polar_at_u_", &[37])),
        ("polar-organization-access-token", "polar_at_o_", |token| {
            classic(token, "polar_at_o_", &[37])
        }),
        ("polar-user-refresh-token", "polar_rt_u_", |token| classic(token, "polar_rt_u_", &[37])),
        ("polar-organization-refresh-token", "polar_rt_o_", |token| {
            classic(token, "polar_rt_o_", &[37])
        }),
        ("polar-client-secret", "polar_cs_", |token| classic(token, "polar_cs_", &[37])),
        ("polar-registration-token", "polar_crt_", |token| classic(token, "polar_crt_", &[37])),
        ("polar-user-session", "polar_us_", |token| classic(token, "polar_us_", &[37])),
        ("polar-customer-session", "polar_cst_", |token| classic(token, "polar_cst_", &[37])),
        ("polar-member-session", "polar_mst_", |token| classic(token, "polar_mst_", &[37])),
        ("salad-organization-key", "salad_cloud_org_", |token| {
            classic(token, "salad_cloud_org_", &[43])
        }),
        ("salad-user-key", "salad_cloud_user_", |token| classic(token, "salad_cloud_user_", &[43])),
    ]
}

/// The rules without a head, which the oracle does not search for.
const HEADLESS: [&str; 22] = [
    "azure-storage-key",
    "azure-cosmos-key",
    "azure-batch-key",
    "azure-ml-classic-key",
    "azure-api-management-key",
    "azure-functions-key",
    "azure-search-key",
    "azure-container-registry-key",
    "azure-service-bus-key",
    "azure-event-hubs-key",
    "azure-relay-key",
    "azure-iot-hub-key",
    "azure-event-grid-key",
    "nuget-api-key",
    "azure-devops-pat",
    "azure-ai-services-key",
    "unknown-issuer",
    "nats-nkey-seed",
    "stellar-secret-seed",
    "bitcoin-private-key",
    "bitcoin-private-key-compressed",
    "bip38-encrypted-key",
];

/// Returns the id of a rule as the oracle writes it.
pub(crate) fn known_rule(id: &str) -> Option<&'static str> {
    let with_head = rules().into_iter().map(|(rule, ..)| rule);
    with_head.chain(HEADLESS).find(|rule| *rule == id)
}

/// Returns the matches that the detector must find, sorted.
pub(crate) fn find(bytes: &[u8]) -> Vec<Found> {
    let mut found = Vec::new();
    for start in 0..bytes.len() {
        let here = at(bytes, start);
        let is_proven = |it: &Found| it.3 == Evidence::Proven;
        if here.iter().any(is_proven) {
            found.extend(here.into_iter().filter(is_proven));
        } else {
            // Of several rules that a candidate has the shape of, the first one is reported.
            let is_first = |&at: &usize| here[..at].iter().all(|other| other.2 != here[at].2);
            found.extend((0..here.len()).filter(is_first).map(|at| here[at]));
        }
    }
    found.sort();
    found
}

/// Returns the match of every rule whose token begins at `start`.
fn at(bytes: &[u8], start: usize) -> Vec<Found> {
    let mut found = Vec::new();
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
        let free_before = start == 0 || !(is_base62(bytes[start - 1]) || bytes[start - 1] == b'_');
        let free_after = |end: usize| bytes.get(end).is_none_or(|&byte| !is_base62(byte));
        let longest = verdicts.iter().rev().find(|(end, _)| free_after(*end));
        if let (true, Some((end, _))) = (free_before, longest) {
            found.push((rule, start, *end, Evidence::Shaped));
        }
    }
    found
}
