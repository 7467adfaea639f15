//! The context of next steps: the command line of a scan as data, and where its report is shown.
//!
//! Input: the arguments of the program and the environment. Output: commands that repeat the scan with further
//! options, quoted for a shell and redacted.

use super::args::{ReportFormat, SharedArgs};
use super::hook::runs_ddpatrol;
use crate::redact::{Clean, Redactor};
use crate::report::next_steps::{HookLookup, NextStepsContext, SAVED_REPORT, Surface};
use crate::report::shell::quote;
use crate::source::git::repo::Operation;
use std::ffi::OsString;
use std::path::Path;

/// The context of the next steps of a scan.
#[derive(Clone, Debug, Default)]
pub(super) struct StepsInput {
    pub(super) surface: Surface,
    /// The merge or similar operation that the next commit ends.
    pub(super) operation: Option<Operation>,
    /// The command line that repeats the scan, if one can.
    pub(super) command: Option<CommandLine>,
}

/// The command line of a scan: the subcommand and its arguments.
#[derive(Clone, Debug)]
pub(super) struct CommandLine {
    words: Vec<String>,
}

impl CommandLine {
    /// Creates a command line of the arguments after the program's name; `None` if they are not UTF-8.
    pub(super) fn new(words: &[OsString]) -> Option<Self> {
        let words = words.iter().map(|it| it.to_str().map(str::to_owned));
        words.collect::<Option<_>>().map(|words| Self { words })
    }

    /// Creates the command line of a scan of a folder.
    pub(super) fn scan(folder: &Path) -> Option<Self> {
        Self::new(&["scan".into(), folder.as_os_str().to_owned()])
    }

    /// Returns the command with options after the subcommand. The words in `dropped`, and the options that do
    /// not affect what is scanned, are left out.
    fn with(&self, options: &[&str], dropped: &[&str]) -> String {
        let (first, rest) = self
            .words
            .split_first()
            .map_or(("scan", &[][..]), |(first, rest)| (first.as_str(), rest));
        let plain = rest.iter().position(|it| it == "--").unwrap_or(rest.len());
        let (arguments, paths) = rest.split_at(plain);
        let kept = scanning(arguments).into_iter().filter(|it| !dropped.contains(it));
        let kept = kept.chain(paths.iter().map(String::as_str)).map(quote_word);
        let words = ["ddpatrol", first].into_iter().chain(options.iter().copied());
        words.map(str::to_owned).chain(kept).collect::<Vec<_>>().join(" ")
    }
}

/// Options of the display, and of the exit code.
const DISPLAY_FLAGS: [&str; 5] =
    ["--json", "--explain", "--show-dead", "--quiet", "--show-secrets"];

/// The same, with a value.
const DISPLAY_OPTIONS: [&str; 7] =
    ["--report", "--format", "--output", "--color", "--limit", "--threads", "--fail-on"];

/// Returns the arguments that determine what is scanned.
fn scanning(arguments: &[String]) -> Vec<&str> {
    let mut kept = Vec::new();
    let mut arguments = arguments.iter().map(String::as_str);
    while let Some(argument) = arguments.next() {
        let (name, value) =
            argument.split_once('=').map_or((argument, None), |(a, b)| (a, Some(b)));
        if DISPLAY_FLAGS.contains(&name) {
            continue;
        }
        if DISPLAY_OPTIONS.contains(&name) {
            if value.is_none() {
                arguments.next();
            }
            continue;
        }
        // All short options are of the display: `-qf json`, `-fjson`.
        match argument.strip_prefix('-').filter(|it| it.starts_with(['q', 'f', 'o'])) {
            Some(short) => {
                if matches!(short.trim_start_matches('q'), "f" | "o") {
                    arguments.next();
                }
            }
            None => kept.push(argument),
        }
    }
    kept
}

/// Quotes an argument; options are quoted only if their value needs it.
fn quote_word(word: &str) -> String {
    let name = word.trim_start_matches('-');
    if name.is_empty() || name.starts_with('=') {
        return if name.is_empty() && !word.is_empty() { word.to_owned() } else { quote(word) };
    }
    format!("{}{}", &word[..word.len() - name.len()], quote(name))
}

impl StepsInput {
    /// Creates the context for a command that the user ran.
    pub(super) fn of_user(command: Option<CommandLine>) -> Self {
        let is_ci = std::env::var_os("CI").is_some_and(|it| !it.is_empty() && it != "false");
        let surface = if is_ci { Surface::Ci } else { Surface::Terminal };
        Self { surface, command, operation: None }
    }

    /// Returns the context for reports.
    pub(super) fn context(&self, shared: &SharedArgs, redactor: &Redactor) -> NextStepsContext {
        let mut clean = |text: &str| redactor.clean(text.as_bytes());
        let command = self.command.as_ref();
        let save = format!("json={SAVED_REPORT}");
        NextStepsContext {
            surface: self.surface,
            operation: self.operation,
            report: report_path(shared, &mut clean),
            save: command.map(|it| {
                clean(&it.with(&["--report", &save], &["--revoke", "--dry-run", "--yes"]))
            }),
            // A repeated flag is an error, so each is dropped and added.
            revoke: command.map(|it| {
                clean(&it.with(&["--verify", "--revoke"], &["--verify", "--revoke", "--dry-run"]))
            }),
            hooks: HookLookup::new(runs_ddpatrol),
        }
    }
}

/// Returns the quoted path of the JSON report of the run.
fn report_path(shared: &SharedArgs, clean: &mut dyn FnMut(&str) -> Clean) -> Option<Clean> {
    // Invalid options were refused before.
    let reports = shared.output.reports().ok()?;
    let json = reports.iter().filter(|it| it.format == ReportFormat::Json);
    let path = json.filter_map(|it| it.path.as_deref()).find(|it| !it.starts_with("/dev"))?;
    path.to_str().map(|path| clean(&quote(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(words: &[&str]) -> CommandLine {
        CommandLine::new(&words.iter().map(OsString::from).collect::<Vec<_>>()).expect("UTF-8")
    }

    #[test]
    fn options_are_added_before_the_paths_and_words_are_quoted() {
        let scan = line(&["scan", "a b", "--", "--verify"]);
        assert_eq!(
            scan.with(&["--verify"], &["--verify"]),
            "ddpatrol scan --verify 'a b' -- --verify"
        );
    }

    #[test]
    fn repeated_flags_are_dropped() {
        let scan = line(&["scan", "--verify", "--revoke", "--dry-run", "x"]);
        let dropped = ["--verify", "--revoke", "--dry-run"];
        assert_eq!(
            scan.with(&["--verify", "--revoke"], &dropped),
            "ddpatrol scan --verify --revoke x"
        );
    }

    #[test]
    fn options_of_the_display_are_not_repeated() {
        let display = "--report html=a --report=text --json -f csv -fcsv -qo out -q -o=x --format json \
                       --output=o --color always --limit 3 --limit=3 --explain --show-dead --quiet \
                       --threads 2 --fail-on never --show-secrets";
        let words = ["scan", "--exclude", "x", "--rule=a", "--baseline", "b", "--config", "c"];
        let words =
            words.into_iter().chain(display.split_whitespace()).chain(["d", "--", "--json"]);
        let scan = line(&words.collect::<Vec<_>>());
        let kept = "--exclude x --rule=a --baseline b --config c d -- --json";
        assert_eq!(scan.with(&["--verify"], &[]), format!("ddpatrol scan --verify {kept}"));
    }

    #[test]
    #[cfg(unix)]
    fn arguments_that_are_not_utf8_make_no_command() {
        use std::os::unix::ffi::OsStringExt;
        assert!(CommandLine::new(&["scan".into(), OsString::from_vec(vec![0xff])]).is_none());
    }
}
