//! Tokens of the issuers other than Datadog, by rule.

use crate::base58::base58check;
use crate::{BASE36, BASE62, BASE64URL, Random, crc32, crc62, digits};

const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

const BASE62_LOWER: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BECH32: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/// The text that the checksum of a base62 token covers.
#[derive(Clone, Copy)]
enum Covers {
    /// The characters after the prefix.
    Body,
    /// The prefix and the characters after it.
    Everything,
}

/// Tokens of a prefix, base62 characters and a CRC-32 in six base62 digits.
const CLASSIC: &[(&str, &str, usize, Covers)] = &[
    ("github-pat", "ghp_", 30, Covers::Body),
    ("github-oauth", "gho_", 30, Covers::Body),
    ("github-app-user", "ghu_", 30, Covers::Body),
    ("github-refresh", "ghr_", 70, Covers::Body),
    ("github-refresh", "ghr_", 30, Covers::Body),
    ("github-server-classic", "ghs_", 30, Covers::Body),
    ("npm-token", "npm_", 30, Covers::Body),
    ("vercel-pat", "vcp_", 50, Covers::Body),
    ("vercel-integration", "vci_", 50, Covers::Body),
    ("vercel-app-access", "vca_", 50, Covers::Body),
    ("vercel-app-refresh", "vcr_", 50, Covers::Body),
    ("vercel-ai-gateway", "vck_", 50, Covers::Body),
    ("deno-deploy-token", "ddp_", 30, Covers::Everything),
    ("deno-deploy-organization-token", "ddo_", 30, Covers::Everything),
    ("jsr-personal-token", "jsrp_", 29, Covers::Everything),
    ("jsr-device-token", "jsrd_", 29, Covers::Everything),
    ("jsr-web-token", "jsrw_", 29, Covers::Everything),
    ("netbird-pat", "nbp_", 30, Covers::Body),
    ("netbird-proxy-token", "nbx_", 30, Covers::Body),
    ("netbird-invite-token", "nbi_", 30, Covers::Body),
    ("polar-organization-token", "polar_oat_", 37, Covers::Body),
    ("polar-pat", "polar_pat_", 37, Covers::Body),
    ("polar-user-access-token", "polar_at_u_", 37, Covers::Body),
    ("polar-organization-access-token", "polar_at_o_", 37, Covers::Body),
    ("polar-user-refresh-token", "polar_rt_u_", 37, Covers::Body),
    ("polar-organization-refresh-token", "polar_rt_o_", 37, Covers::Body),
    ("polar-client-secret", "polar_cs_", 37, Covers::Body),
    ("polar-registration-token", "polar_crt_", 37, Covers::Body),
    ("polar-user-session", "polar_us_", 37, Covers::Body),
    ("polar-customer-session", "polar_cst_", 37, Covers::Body),
    ("polar-member-session", "polar_mst_", 37, Covers::Body),
    ("salad-organization-key", "salad_cloud_org_", 43, Covers::Body),
    ("salad-user-key", "salad_cloud_user_", 43, Covers::Body),
];

/// Returns a token of every rule whose tokens are base62 with a checksum over the body or everything.
pub(crate) fn classics(random: &mut Random) -> Vec<(&'static str, String)> {
    let token = |&(rule, prefix, len, covers): &(&'static str, &str, usize, Covers)| {
        let text = format!("{prefix}{}", random.base62(len));
        let crc = match covers {
            Covers::Body => crc62(&text[prefix.len()..]),
            Covers::Everything => crc62(&text),
        };
        (rule, text + &crc)
    };
    CLASSIC.iter().map(token).collect()
}

/// Returns a token of every rule with a layout of its own.
pub(crate) fn others(random: &mut Random) -> Vec<(&'static str, String)> {
    vec![
        ("github-fine-grained-pat", fine_grained(random)),
        ("gitlab-pat", gitlab(random, "glpat-", "01.")),
        ("gitlab-pat-unversioned", gitlab(random, "glpat-", "")),
        ("gitlab-runner-token", gitlab(random, "glrt-t2_", "01.")),
        ("zuplo-api-key", zuplo(random)),
        ("atlassian-api-token", atlassian(random, "ATATT3xFfGF0")),
        ("bitbucket-access-token", atlassian(random, "ATCTT3xFfGN0")),
        ("bitbucket-app-password", app_password(random)),
        ("cloudflare-user-token", cloudflare(random, "cfut_")),
        ("cloudflare-account-token", cloudflare(random, "cfat_")),
        ("cloudflare-global-key", cloudflare(random, "cfk_")),
        ("canva-client-secret", canva(random)),
        ("synapse-access-token", synapse(random, "syt")),
        ("synapse-refresh-token", synapse(random, "syr")),
        ("wandb-api-key", wandb(random)),
        ("grafana-service-account-token", grafana(random)),
        ("confluent-api-secret", confluent(random)),
        ("apify-api-token", lower(random, "apify_api_")),
        ("zentral-service-account-token", lower(random, "ztls_")),
        ("zentral-user-token", lower(random, "ztlu_")),
        ("mas-compat-access-token", reversed(random, "mct_")),
        ("mas-compat-refresh-token", reversed(random, "mcr_")),
        ("mas-personal-token", reversed(random, "mpt_")),
        ("mas-access-token", reversed(random, "mat_")),
        ("mas-refresh-token", reversed(random, "mar_")),
        ("dhis2-pat", dhis2(random)),
        ("elastic-cloud-api-key", elastic(random)),
        ("bip32-private-key", base58check(&[0x04, 0x88, 0xad, 0xe4], &random.bytes(74))),
        ("tezos-secret-key", base58check(&[0x0d, 0x0f, 0x3a, 0x07], &random.bytes(32))),
        ("age-secret-key", bech32(random, "age-secret-key-", 52).to_uppercase()),
        ("age-secret-key-pq", bech32(random, "age-secret-key-pq-", 52).to_uppercase()),
        ("nostr-private-key", bech32(random, "nsec", 52)),
        ("nostr-encrypted-key", bech32(random, "ncryptsec", 146)),
        ("sui-private-key", bech32(random, "suiprivkey", 53)),
    ]
}

fn grafana(random: &mut Random) -> String {
    let text = format!("glsa_{}", random.base62(32));
    let bytes = crc32(text.as_bytes()).to_le_bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{text}_{hex}")
}

fn confluent(random: &mut Random) -> String {
    let body = random.text(BASE64, 54);
    // Six characters: 32 bits, the first byte first, and four zeros.
    let bits = u64::from(crc32(body.as_bytes()).swap_bytes()) << 4;
    let digit = |at: u32| char::from(BASE64[(bits >> (30 - 6 * at)) as usize & 63]);
    let checksum: String = (0..6).map(digit).collect();
    format!("cflt{body}{checksum}")
}

fn elastic(random: &mut Random) -> String {
    let body = random.text(BASE64, 80);
    let mut bits: Vec<u32> = Vec::new();
    for byte in body.bytes() {
        let value = BASE64.iter().position(|&digit| digit == byte).expect("a digit") as u32;
        bits.extend((0..6).rev().map(|at| value >> at & 1));
    }
    let fold = |group: &[u32]| group.iter().fold(0, |sum, bit| sum << 1 | bit);
    let bytes: Vec<u8> = bits.chunks(8).map(|group| fold(group) as u8).collect();
    // 32 zeros, the checksum, and two more bits.
    let mut tail = vec![0; 32];
    tail.extend((0..32).rev().map(|at| crc32(&bytes) >> at & 1));
    tail.extend([0; 2]);
    let tail: String =
        tail.chunks(6).map(|group| char::from(BASE64[fold(group) as usize])).collect();
    format!("essu_{body}{tail}=")
}

fn lower(random: &mut Random, prefix: &str) -> String {
    let text = format!("{prefix}{}", random.base62(30));
    let crc = digits(u128::from(crc32(text.as_bytes())), BASE62_LOWER, 6);
    text + &crc
}

fn reversed(random: &mut Random, prefix: &str) -> String {
    let text = format!("{prefix}{}", random.base62(30));
    let number = crc62(&text);
    let reversed: String = number.trim_start_matches('0').chars().rev().collect();
    format!("{text}_{reversed:0>6}")
}

fn dhis2(random: &mut Random) -> String {
    let body = random.base62(32);
    format!("d2pat_{body}{:010}", crc32(body.as_bytes()))
}

fn bech32(random: &mut Random, prefix: &str, len: usize) -> String {
    let data = random.text(BECH32, len);
    let value = |c: char| BECH32.iter().position(|&digit| digit == c as u8).expect("a digit");
    let mut values: Vec<usize> = prefix.bytes().map(|byte| usize::from(byte >> 5)).collect();
    values.push(0);
    values.extend(prefix.bytes().map(|byte| usize::from(byte & 31)));
    values.extend(data.chars().map(value));
    values.extend([0; 6]);
    // Polynomial division, one value at a time.
    let terms = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3_usize];
    let remainder = values.iter().fold(1, |sum: usize, value| {
        let top = sum >> 25;
        let shifted = (sum & 0x1ff_ffff) << 5 ^ value;
        (0..5).filter(|bit| top >> bit & 1 == 1).fold(shifted, |sum, bit| sum ^ terms[bit])
    });
    let checksum = remainder ^ 1;
    let digit = |at: usize| char::from(BECH32[checksum >> (25 - 5 * at) & 31]);
    let checksum: String = (0..6).map(digit).collect();
    format!("{prefix}1{data}{checksum}")
}

fn gitlab(random: &mut Random, prefix: &str, version: &str) -> String {
    let len = 27 + random.below(40);
    let payload = random.text(BASE64URL, len);
    let text = format!("{prefix}{payload}.{version}{}", digits(len as u128, BASE36, 2));
    let crc = digits(u128::from(crc32(text.as_bytes())), BASE36, 7);
    text + &crc
}

fn zuplo(random: &mut Random) -> String {
    let body = random.text(b"0123456789abcdef", 32);
    format!("zpka_{body}_{:08x}", crc32(body.as_bytes()))
}

fn atlassian(random: &mut Random, prefix: &str) -> String {
    let len = 171 + random.below(5);
    let text = format!("{prefix}{}=", random.text(BASE64URL, len));
    let crc = crc32(text.as_bytes());
    format!("{text}{crc:08X}")
}

fn app_password(random: &mut Random) -> String {
    let text = format!("ATBB{}", random.base62(24));
    format!("{text}{:08X}", crc32(text.as_bytes()))
}

fn cloudflare(random: &mut Random, prefix: &str) -> String {
    let body = random.base62(40);
    format!("{prefix}{body}{:08x}", crc32(body.as_bytes()))
}

fn canva(random: &mut Random) -> String {
    let text = format!("cnvca{}", random.text(BASE64URL, 43));
    format!("{text}{:08x}", crc32(text.as_bytes()))
}

fn synapse(random: &mut Random, prefix: &str) -> String {
    // The user is the unpadded base64 of a name.
    let len = 2 + random.below(30);
    let user = random.text(BASE62, len);
    let text = format!("{prefix}_{user}_{}", random.text(LETTERS, 20));
    format!("{text}_{}", crc62(&text))
}

fn wandb(random: &mut Random) -> String {
    let text = format!("wandb_v1_{}_{}", random.base62(27), random.base62(43));
    let crc = crc62(&text);
    text + &crc
}

fn fine_grained(random: &mut Random) -> String {
    use sha2::Digest;
    let text = format!("github_pat_{}_{}", random.base62(22), random.base62(43));
    let digest = sha2::Sha256::digest(text.as_bytes());
    let bits: String = digest.iter().map(|byte| format!("{byte:08b}")).collect();
    let digit = |at: usize| {
        let value = usize::from_str_radix(&bits[at * 5..at * 5 + 5], 2).expect("five bits");
        char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[value])
    };
    let checksum: String = (0..8).map(digit).collect();
    format!("{text}{checksum}{}", random.base62(8))
}
