//! `ddpatrol baseline`: creates, updates and shows the baseline, the file of known tokens.

use super::args::{BaselineArgs, BaselineCommand, BaselineShowArgs, ScanArgs};
use super::exit::Exit;
use super::messages::{clean, print_line};
use super::policy::{BaselineMode, current_baseline, shown};
use super::scan::run_then;
use super::scan_run::Finished;
use crate::config::FailLevel;
use crate::decode;
use crate::report::shell::quote;
use crate::rules::RuleIndex;
use crate::scan::Strictness;
use anyhow::{Context, bail};
use ddpatrol_scan::finding::baseline::{Baseline, BaselineScan};
use ddpatrol_scan::finding::coverage::Coverage;
use ddpatrol_scan::finding::suppressor::Suppressor;
use ddpatrol_scan::quantity::count;
use ddpatrol_scan::regular::{self, Links, MAX_TEXT};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

/// The treatment of an existing baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ExistingBaseline {
    Refuse,
    Update,
}

pub(super) fn run(args: BaselineArgs) -> anyhow::Result<Exit> {
    match args.command {
        BaselineCommand::Create(args) => write(*args, ExistingBaseline::Refuse),
        BaselineCommand::Update(args) => write(*args, ExistingBaseline::Update),
        BaselineCommand::Show(args) => show(&args),
    }
}

fn write(mut args: ScanArgs, old: ExistingBaseline) -> anyhow::Result<Exit> {
    if let Some(file) = args.shared.output.file_without_format() {
        let file = quote(&file.to_string_lossy());
        bail!("--output is the file of a report: the baseline is written to `--baseline {file}`");
    }
    // Findings become known tokens, so they do not fail the command.
    args.shared.fail_on = args.shared.fail_on.or(Some(FailLevel::Never));
    run_then(&args, BaselineMode::Ignore, &|finished| save(finished, old))
}

fn save(finished: &Finished<'_>, old: ExistingBaseline) -> anyhow::Result<()> {
    let Suppressor { roots, coverage, .. } = &finished.policy.decisions;
    let policy = finished.policy;
    let path = policy.baseline.as_ref().unwrap_or(&policy.default_baseline);
    let failed = || format!("cannot write baseline {}", shown(path));
    let mut baseline = match (read_baseline(path), old) {
        (Ok(_), ExistingBaseline::Refuse) => bail!(
            "baseline {} already exists: run `ddpatrol baseline update`, or remove it first",
            shown(path)
        ),
        (Ok(text), ExistingBaseline::Update) => {
            Baseline::parse(&text).with_context(|| shown(path))?
        }
        (Err(error), ExistingBaseline::Refuse) if error.kind() == ErrorKind::NotFound => {
            Baseline::default()
        }
        (Err(error), ExistingBaseline::Update) if error.kind() == ErrorKind::NotFound => {
            bail!("baseline {} does not exist: run `ddpatrol baseline create`", shown(path))
        }
        (Err(error), _) => return Err(error).with_context(failed),
    };
    // Content that was not scanned may still contain its known tokens.
    let coverage = if finished.outcome.is_complete(Strictness::Default) {
        coverage
    } else {
        &Coverage::Unknown
    };
    let known: Vec<_> =
        finished.outcome.findings.iter().filter(|it| it.suppression.is_none()).cloned().collect();
    let rule = |rule: RuleIndex| finished.rules[rule].id.clone();
    let scan = BaselineScan { findings: &known, roots, coverage };
    let changed = baseline.update(&scan, &rule, &mut finished.redactor.masker());
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".ddpatrol-baseline-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(folder).with_context(failed)?;
    file.write_all(baseline.text().as_bytes()).with_context(failed)?;
    file.persist(path).map_err(|error| error.error).with_context(failed)?;
    print_line(&format!(
        "{}: {} added, {} dropped, {} kept.",
        shown(path),
        count(changed.added, "token"),
        changed.dropped,
        changed.kept
    ))?;
    if policy.baseline.is_none() {
        print_line("Scans use it without an option; commit it with the code.")?;
    }
    Ok(())
}

/// Reads a baseline.
fn read_baseline(path: &Path) -> io::Result<String> {
    Ok(decode::text(regular::read(path, Links::Follow, MAX_TEXT)?)?)
}

fn show(args: &BaselineShowArgs) -> anyhow::Result<Exit> {
    let path = match &args.file {
        Some(file) => file.clone(),
        None => current_baseline()?,
    };
    let text = match read_baseline(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!("baseline {} does not exist: run `ddpatrol baseline create`", shown(&path))
        }
        text => text.with_context(|| format!("cannot read baseline {}", shown(&path)))?,
    };
    let baseline = Baseline::parse(&text).with_context(|| shown(&path))?;
    let mut out = io::stdout().lock();
    for entry in baseline.entries() {
        let reason = entry.reason.as_ref().map(|it| format!(": {it}")).unwrap_or_default();
        let line = format!("{} {} {}{reason}", entry.fingerprint, entry.rule, entry.token);
        writeln!(out, "{}", clean(&line))?;
        for place in &entry.places {
            writeln!(out, "    {}", clean(place))?;
        }
    }
    writeln!(out, "{}.", count(baseline.entries().count(), "known token"))?;
    Ok(Exit::Clean)
}
