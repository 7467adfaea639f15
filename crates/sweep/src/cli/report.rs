//! `report`: writes the merged report of a sweep.

use super::args::{MergedFormat, ReportArgs};
use super::exit::Exit;
use super::messages::print_note;
use crate::report::{self, MergedReport};
use crate::result::Status;
use crate::store::Store;
use anyhow::{Context, bail};
use ddpatrol::report_file::ReportFile;
use ddpatrol_scan::quantity::count;
use std::io::{self, BufWriter, Write};
use std::path::Path;

pub(super) async fn run(args: ReportArgs) -> anyhow::Result<Exit> {
    let store = Store::open_existing(&args.store.store)?;
    let sweeps = store.sweeps().await?;
    let sweep = store.choose(&sweeps, args.sweep)?;
    let since = match args.since {
        Some(since) => Some(store.choose(&sweeps, Some(since))?),
        None => sweeps.iter().rev().find(|it| **it < sweep).cloned(),
    };
    if since.as_ref().is_some_and(|since| *since >= sweep) {
        bail!("--since must be an earlier sweep than `{sweep}`");
    }
    let report = report::merge(&store, &sweep, since.as_ref()).await?;
    match &args.output {
        Some(path) => write_file(&report, args.format, path)?,
        None => write(&report, args.format, &mut BufWriter::new(io::stdout().lock()))
            .context("cannot write standard output")?,
    }
    let coverage = &report.coverage;
    let tokens = count(report.summary.tokens, "token");
    print_note(&format!("sweep {sweep}: {}; {tokens}", coverage.describe()));
    let is_complete = coverage.count(Status::Complete) == coverage.total;
    Ok(if is_complete { Exit::Complete } else { Exit::Incomplete })
}

fn write(report: &MergedReport, format: MergedFormat, out: &mut dyn Write) -> io::Result<()> {
    match format {
        MergedFormat::Html => report::html::write(report, out)?,
        MergedFormat::Csv => report::csv::write(report, out)?,
        MergedFormat::Sarif => report::sarif::write(report, out)?,
        MergedFormat::Json => {
            serde_json::to_writer_pretty(&mut *out, report)?;
            out.write_all(b"\n")?;
        }
    }
    out.flush()
}

/// Replaces the file once the report is complete.
fn write_file(report: &MergedReport, format: MergedFormat, path: &Path) -> anyhow::Result<()> {
    let context = || format!("cannot write `{}`", path.display());
    let mut file = ReportFile::open(path).with_context(context)?;
    write(report, format, &mut file).with_context(context)?;
    file.finish().with_context(context)
}
