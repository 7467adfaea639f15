//! The texts of manual pages that the options do not contain.
//!
//! Input: the name of a command. Output: its exit status, environment, files and examples.

/// A term and its explanation, or a command line and what it is for.
#[derive(Clone, Copy, Debug)]
pub(super) struct PageEntry {
    pub(super) term: &'static str,
    pub(super) text: &'static str,
}

/// The sections of a page.
#[derive(Clone, Debug)]
pub(super) struct Sections {
    pub(super) exit: &'static [PageEntry],
    pub(super) environment: &'static [&'static [PageEntry]],
    pub(super) files: &'static [PageEntry],
    pub(super) examples: Vec<PageEntry>,
    pub(super) see_also: &'static [&'static str],
}

const fn entry(term: &'static str, text: &'static str) -> PageEntry {
    PageEntry { term, text }
}

const SCAN_EXIT: &[PageEntry] = &[
    entry("0", "The scan is complete and has no findings at the fail level."),
    entry("1", "There are findings at the fail level."),
    entry("2", "An error occurred, or some content was not scanned."),
    entry("130", "The scan was interrupted."),
];

const DONE_EXIT: &[PageEntry] =
    &[entry("0", "The command succeeded."), entry("2", "An error occurred.")];

const WRITE_BASELINE_EXIT: &[PageEntry] = &[
    entry("0", "The baseline is written, and the scan is complete."),
    entry("1", "With --fail-on: there are findings at the fail level."),
    entry("2", "An error occurred, or some content was not scanned."),
    entry("130", "The scan was interrupted."),
];

const REVOKE_EXIT: &[PageEntry] = &[
    entry("0", "All tokens are revoked or already dead."),
    entry("2", "An error occurred, or a token is not revoked."),
];

const DIFF_EXIT: &[PageEntry] = &[
    entry("0", "No proven token is new."),
    entry("1", "A proven token is new."),
    entry("2", "An error occurred, or a report is incomplete."),
];

const CHECK_EXIT: &[PageEntry] = &[
    entry("0", "All tokens are valid."),
    entry("1", "A token is invalid, or there is none."),
    entry("2", "An error occurred."),
];

const MASK_EXIT: &[PageEntry] = &[
    entry("0", "Only tokens were replaced."),
    entry("1", "With --fail: a token was masked."),
    entry("2", "An error occurred, or base64 was too long to be searched."),
];

const CLEAN_EXIT: &[PageEntry] = &[
    entry("0", "The plan or the clone is complete."),
    entry("2", "An error occurred, or a token remains where it cannot be removed."),
    entry("130", "Interrupted."),
];

const COLOR: &[PageEntry] =
    &[entry("NO_COLOR", "If it is not empty, `--color auto` uses no color.")];

const CREDENTIALS: &[PageEntry] = &[
    entry(
        "DDPATROL_DATADOG_TOKEN",
        "Access token of a Datadog administrator, which revokes tokens by their id.",
    ),
    entry("DDPATROL_ISSUER_TOKEN", "Access token of an administrator of the services of --issuer."),
];

const GIT: &[PageEntry] = &[entry(
    "GIT_DIR, GIT_WORK_TREE, GIT_INDEX_FILE",
    "Set by git for hooks. --repo takes precedence over them.",
)];

const FRAMEWORK: &[PageEntry] = &[entry(
    "PRE_COMMIT_FROM_REF, PRE_COMMIT_TO_REF",
    "Set by the pre-commit framework. The range between them is scanned.",
)];

const PAGER: &[PageEntry] =
    &[entry("PAGER", "The program that shows the help if there is no manual viewer.")];

const HOME: &[PageEntry] = &[entry(
    "XDG_CONFIG_HOME, HOME",
    "With --global, the hooks are in a folder below the user's configuration.",
)];

const POLICY_FILES: &[PageEntry] = &[
    entry(
        ".ddpatrol.toml",
        "Configuration, in the scanned folder or the nearest folder above it, up to the top of the \
         repository. `ddpatrol init` writes a commented one.",
    ),
    entry(
        ".ddpatrol-baseline.json",
        "Known tokens, at the top of the repository, or in the scanned folder outside of a \
         repository. `ddpatrol baseline create` writes it.",
    ),
    entry(".gitignore", "Files that it matches are not scanned, unless git tracks them."),
];

const HOOK_FILES: &[PageEntry] =
    &[entry(".git/hooks", "The hooks, unless core.hooksPath names another folder.")];

const SCAN_EXAMPLES: &[PageEntry] = &[
    entry("ddpatrol scan", "Scan the current folder, and the whole history of its repository:"),
    entry(
        "ddpatrol scan --report html=report.html --report json=scan.json",
        "Write a report to read and one to process:",
    ),
    entry("ddpatrol scan --verify", "Ask the issuers which of the tokens are live:"),
    entry("kubectl logs app | ddpatrol scan -", "Scan the output of another command:"),
    entry(
        "ddpatrol scan --no-config --no-inline-allow mirrors/*.git",
        "Scan repositories that you do not trust:",
    ),
];

const ALL: &[&str] = &["ddpatrol", "git", "gitignore"];

impl Sections {
    /// Returns the sections of the command that `names` lead to.
    pub(super) fn of(names: &[String]) -> Self {
        let name = names.join(" ");
        let scan = |examples: &[PageEntry]| Self {
            exit: SCAN_EXIT,
            environment: &[COLOR, CREDENTIALS],
            files: POLICY_FILES,
            examples: examples.to_vec(),
            see_also: ALL,
        };
        let change = |examples: &[PageEntry]| Self {
            environment: &[COLOR, CREDENTIALS, GIT, FRAMEWORK],
            see_also: &["ddpatrol", "ddpatrol-scan", "ddpatrol-hook-install", "githooks"],
            ..scan(examples)
        };
        match &*name {
            "" => Self {
                see_also: &["ddpatrol-scan", "ddpatrol-hook-install", "ddpatrol-revoke", "git"],
                ..scan(SCAN_EXAMPLES)
            },
            "scan" => scan(SCAN_EXAMPLES),
            "staged" => change(&[entry("ddpatrol staged", "Scan the staged changes:")]),
            "range" => change(&[
                entry("ddpatrol range origin/main..HEAD", "Scan the commits of a branch:"),
                entry(
                    "ddpatrol range --report sarif=out.sarif main..HEAD",
                    "Write a report for a code host:",
                ),
            ]),
            "pre-push" => change(&[entry(
                "ddpatrol hook install --pre-push",
                "Let git run the command before every push:",
            )]),
            "pre-receive" => change(&[entry(
                "ddpatrol hook install --pre-receive --repo /srv/git/project.git",
                "Let git run the command on a server:",
            )]),
            "commit-msg" => change(&[entry(
                "ddpatrol hook install --commit-msg",
                "Let git run the command for every commit:",
            )]),
            "baseline create" | "baseline update" => Self {
                exit: WRITE_BASELINE_EXIT,
                see_also: &["ddpatrol", "ddpatrol-scan", "ddpatrol-baseline-show"],
                ..scan(&[
                    entry("ddpatrol baseline create", "Record the known tokens of a repository:"),
                    entry("ddpatrol baseline update", "Add new tokens, drop those that are gone:"),
                ])
            },
            _ => Self::of_other(&name),
        }
    }

    /// Returns the sections of a command that scans no files.
    fn of_other(name: &str) -> Self {
        let other = |examples: &[PageEntry]| Self {
            exit: DONE_EXIT,
            environment: &[],
            files: &[],
            examples: examples.to_vec(),
            see_also: &["ddpatrol", "ddpatrol-scan"],
        };
        match name {
            "revoke" => Self {
                exit: REVOKE_EXIT,
                environment: &[CREDENTIALS],
                ..other(&[
                    entry("ddpatrol revoke --from scan.json --dry-run", "Show what would happen:"),
                    entry("ddpatrol revoke --from scan.json", "Revoke after a confirmation:"),
                ])
            },
            "clean" => Self {
                exit: CLEAN_EXIT,
                see_also: &["ddpatrol", "ddpatrol-revoke", "git"],
                ..other(&[
                    entry("ddpatrol clean --from scan.json", "Show what would be rewritten:"),
                    entry("ddpatrol clean --from scan.json --yes", "Rewrite a fresh clone:"),
                ])
            },
            "report" => Self {
                environment: &[COLOR],
                ..other(&[entry(
                    "ddpatrol report --from scan.json --report html=report.html",
                    "Convert a saved report:",
                )])
            },
            "diff" => Self {
                exit: DIFF_EXIT,
                ..other(&[entry("ddpatrol diff old.json new.json", "List the new tokens:")])
            },
            "baseline" | "baseline show" => Self {
                files: POLICY_FILES,
                ..other(&[entry("ddpatrol baseline show", "List the known tokens:")])
            },
            "check" => Self {
                exit: CHECK_EXIT,
                ..other(&[entry("ddpatrol check < token.txt", "Check a token in a file:")])
            },
            "mask" => Self {
                exit: MASK_EXIT,
                ..other(&[
                    entry("make deploy 2>&1 | ddpatrol mask", "Mask the tokens in a log:"),
                    entry(
                        "set -o pipefail; make test 2>&1 | ddpatrol mask --fail",
                        "Fail if the log contains a token:",
                    ),
                ])
            },
            "init" => Self {
                files: POLICY_FILES,
                ..other(&[entry("ddpatrol init", "Write a configuration to edit:")])
            },
            "sweep" => other(&[entry(
                "ddpatrol sweep run repositories.txt --store results --cache mirrors",
                "Scan the repositories of a list, and continue after an interruption:",
            )]),
            _ => Self::of_setup(name, other),
        }
    }

    /// Returns the sections of a command that sets ddpatrol up or describes it.
    fn of_setup(name: &str, other: impl Fn(&[PageEntry]) -> Self) -> Self {
        match name {
            "hook" | "hook install" | "hook uninstall" | "hook status" => Self {
                environment: &[HOME],
                files: HOOK_FILES,
                see_also: &["ddpatrol", "ddpatrol-staged", "ddpatrol-pre-push", "githooks"],
                ..other(&[
                    entry("ddpatrol hook install", "Scan every commit before it is made:"),
                    entry("ddpatrol hook install --global", "Do so in all your repositories:"),
                    entry("ddpatrol hook status", "Show what runs as each hook:"),
                ])
            },
            "completions" => other(&[entry(
                "ddpatrol completions bash > ~/.local/share/bash-completion/completions/ddpatrol",
                "Install the completions of bash:",
            )]),
            "man" => Self {
                environment: &[PAGER],
                see_also: &["ddpatrol", "man"],
                ..other(&[
                    entry("ddpatrol man scan", "Read the page of a command:"),
                    entry(
                        "ddpatrol man scan > ~/.local/share/man/man1/ddpatrol-scan.1",
                        "Install it:",
                    ),
                ])
            },
            _ => other(&[
                entry("ddpatrol rules list", "List the token formats:"),
                entry("ddpatrol rules show datadog-pat", "Show one of them:"),
                entry("ddpatrol rules check rules/own.toml", "Check your own rules:"),
                entry("ddpatrol rules new", "Describe a token format of your own:"),
            ]),
        }
    }
}
