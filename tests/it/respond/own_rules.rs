//! Rules and tokens of issuers whose formats may be built in or defined by a rule file of the user. The tests
//! hold in both cases: providers are attached by the identifier of a rule.

use super::tree_with;
use crate::support::mint::{self, Random, crc32, crc62};
use crate::support::tree::{RunOutput, Tree};

/// The parts of a rule that differ between issuers.
struct OwnRule {
    id: &'static str,
    format: &'static str,
    segments: &'static str,
}

const CLOUDFLARE: &str = r#"
[token.segments.SECRET]
alphabet = "base62"
length = 40

[token.segments.CHECKSUM]
algorithm = "crc32"
encoding = "hex"
length = 8
over = ["<SECRET>"]
"#;

const RULES: [OwnRule; 7] = [
    OwnRule {
        id: "cloudflare-user-token",
        format: "cfut_<SECRET><CHECKSUM>",
        segments: CLOUDFLARE,
    },
    OwnRule {
        id: "cloudflare-account-token",
        format: "cfat_<SECRET><CHECKSUM>",
        segments: CLOUDFLARE,
    },
    OwnRule { id: "cloudflare-global-key", format: "cfk_<SECRET><CHECKSUM>", segments: CLOUDFLARE },
    OwnRule {
        id: "bitbucket-app-password",
        format: "ATBB<SECRET><CHECKSUM>",
        segments: r#"
[token.segments.SECRET]
alphabet = "base62"
length = 24

[token.segments.CHECKSUM]
algorithm = "crc32"
encoding = "hex-upper"
length = 8
over = ["ATBB<SECRET>"]
"#,
    },
    OwnRule {
        id: "bitbucket-access-token",
        format: "ATCTT<SECRET>=<CHECKSUM>",
        segments: r#"
[token.segments.SECRET]
alphabet = "base64url"
length = { min = 20, max = 300 }

[token.segments.CHECKSUM]
algorithm = "crc32"
encoding = "hex-upper"
length = 8
over = ["ATCTT<SECRET>="]
"#,
    },
    OwnRule {
        id: "grafana-service-account-token",
        format: "glsa_<SECRET>_<CHECKSUM>",
        segments: r#"
[token.segments.SECRET]
alphabet = "base62"
length = 32

[token.segments.CHECKSUM]
algorithm = "crc32"
encoding = "hex"
length = 8
over = ["glsa_<SECRET>"]
"#,
    },
    OwnRule {
        id: "wandb-api-key",
        format: "wandb_v1_<ID>_<SECRET><CHECKSUM>",
        segments: r#"
[token.segments.ID]
alphabet = "base62"
length = 27

[token.segments.SECRET]
alphabet = "base62"
length = 43

[token.segments.CHECKSUM]
algorithm = "crc32"
encoding = "base62"
length = 6
over = ["wandb_v1_<ID>_<SECRET>"]
"#,
    },
];

/// A tree with one token.
pub(super) struct Sample {
    pub(super) token: String,
    pub(super) tree: Tree,
    /// Whether the rule is in a file beside the token.
    is_own: bool,
}

impl Sample {
    /// Creates a tree with a token of this rule, which may be built in or not.
    pub(super) fn of(rule: &str, seed: u64) -> Self {
        let built_in = mint::all(&mut Random(seed));
        if let Some((_, token)) = built_in.into_iter().find(|(id, _)| *id == rule) {
            return Self { tree: tree_with(&token), token, is_own: false };
        }
        let is_own = Tree::new().run(&["rules", "show", rule]).code() != Some(0);
        let token = minted(rule, seed, is_own);
        let tree = tree_with(&token);
        if is_own {
            let own = RULES.iter().find(|it| it.id == rule).expect("a rule of this file");
            tree.write("rules/own.toml", own.text(&minted(rule, seed + 1_000, is_own)));
        }
        Self { token, tree, is_own }
    }

    /// Scans the tree, with the rule.
    pub(super) fn scan(&self, args: &[&str]) -> RunOutput {
        let rules: &[&str] = if self.is_own { &["--rules", "rules/own.toml"] } else { &[] };
        let start = ["scan", "x", "--files-only", "--report", "json"];
        self.tree.run(&[&start, rules, args].concat())
    }
}

impl OwnRule {
    /// Returns the text of the file, with another token as the vector.
    fn text(&self, vector: &str) -> String {
        let Self { id, format, segments } = self;
        format!(
            r#"issuer = "Example"
[[token]]
id = "{id}"
name = "{id}"
format = "{format}"
{segments}
[[token.vectors]]
token = ["{vector}"]
source = "minted by the test"
"#
        )
    }
}

fn minted(rule: &str, seed: u64, is_own: bool) -> String {
    let random = &mut Random(seed);
    let cloudflare = |prefix: &str, random: &mut Random| {
        let body = random.base62(40);
        format!("{prefix}{body}{:08x}", crc32(body.as_bytes()))
    };
    match rule {
        "cloudflare-user-token" => cloudflare("cfut_", random),
        "cloudflare-account-token" => cloudflare("cfat_", random),
        "cloudflare-global-key" => cloudflare("cfk_", random),
        "bitbucket-app-password" => {
            let text = format!("ATBB{}", random.base62(24));
            format!("{text}{:08X}", crc32(text.as_bytes()))
        }
        "bitbucket-access-token" => {
            let text = format!("ATCTT3xFfGN0{}=", random.base62(170));
            format!("{text}{:08X}", crc32(text.as_bytes()))
        }
        "grafana-service-account-token" => {
            let text = format!("glsa_{}", random.base62(32));
            let crc = crc32(text.as_bytes());
            // The built-in rule has the order of the issuer, least significant byte first.
            let crc = if is_own { crc } else { crc.swap_bytes() };
            format!("{text}_{crc:08x}")
        }
        "wandb-api-key" => {
            let text = format!("wandb_v1_{}_{}", random.base62(27), random.base62(43));
            let crc = crc62(&text);
            text + &crc
        }
        other => panic!("no tokens of {other}"),
    }
}
