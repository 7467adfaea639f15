//! The arguments.

use super::list_args::ListArgs;
use super::values::{parse_memory, parse_size, parse_time};
use super::verify_args::VerifyArgs;
use crate::store::SweepName;
use anyhow::bail;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// Scan thousands of git repositories with ddpatrol.
///
/// Each repository is mirrored, scanned in a process of its own, and its result is committed to a store, so
/// that a sweep that was killed continues where it stopped, and several machines can share one.
///
/// Exit codes: 0, every repository was scanned completely; 2, an error occurred, or some were not; 130,
/// interrupted.
#[derive(Debug, Parser)]
#[command(name = "ddpatrol-sweep", version, max_term_width = 100)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    List(ListArgs),
    Run(RunArgs),
    Task(TaskArgs),
    Status(StatusArgs),
    Report(ReportArgs),
}

/// The store and the sweep.
#[derive(Debug, Args)]
#[command(next_help_heading = "Store")]
pub(super) struct StoreArgs {
    /// Store of the results: a folder, or s3://, gs:// or az://.
    ///
    /// Credentials of buckets come from the environment variables of their providers, such as
    /// AWS_ACCESS_KEY_ID.
    #[arg(long, value_name = "URL", env = "DDPATROL_SWEEP_STORE")]
    pub(super) store: String,
}

/// How repositories are fetched.
#[derive(Debug, Args)]
#[command(next_help_heading = "Repositories")]
pub(super) struct MirrorArgs {
    /// Folder of bare mirrors that are kept for the next sweep.
    ///
    /// Without it, repositories are cloned into a temporary folder and removed after their scan.
    #[arg(long, value_name = "DIR")]
    pub(super) cache: Option<PathBuf>,

    /// Maximum size of the cache, such as 200G.
    ///
    /// Mirrors that were not used for the longest time are removed first.
    #[arg(long, value_name = "SIZE", value_parser = parse_size, requires = "cache")]
    pub(super) cache_size: Option<u64>,

    /// Time limit of one repository, such as 30m.
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = parse_time)]
    pub(super) timeout: Duration,

    /// Memory limit of each child process, such as 4G; 0 for none.
    #[arg(long, value_name = "SIZE", default_value = "8G", value_parser = parse_memory)]
    pub(super) memory: u64,
}

/// How repositories are scanned.
#[derive(Debug, Args)]
#[command(next_help_heading = "Scan")]
pub(super) struct ScanArgs {
    /// The ddpatrol program; by default the one beside this program, or in the search path.
    #[arg(long, value_name = "FILE")]
    pub(super) scanner: Option<PathBuf>,

    /// Number of threads of each scan.
    ///
    /// By default the processors are shared among the jobs.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) threads: Option<u16>,

    /// Add the rules of a .toml file or of a folder of them; repeatable.
    #[arg(long, value_name = "PATH")]
    pub(super) rules: Vec<PathBuf>,

    /// Also use the rules of this group, such as private-keys; repeatable.
    #[arg(long = "rule-group", value_name = "NAME")]
    pub(super) groups: Vec<String>,

    /// Configuration file for all repositories; their own are not used.
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
}

/// Scan repositories and commit one result for each of them.
///
/// A sweep that was stopped or killed continues when the same list is given again.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// File with the repositories: `ddpatrol-sweep list`, `gh repo list --json`, or URLs.
    ///
    /// `-` is standard input.
    #[arg(value_name = "FILE", default_value = "-")]
    pub(super) list: PathBuf,

    #[command(flatten)]
    pub(super) store: StoreArgs,

    /// Name of the sweep; names sort by age.
    ///
    /// By default the unfinished sweep of the same repositories, or a new one named by the current time.
    #[arg(long, value_name = "NAME", value_parser = SweepName::parse, help_heading = "Store")]
    pub(super) sweep: Option<SweepName>,

    /// Number of repositories that are processed at a time; by default the number of processors.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) jobs: Option<u16>,

    /// Process only one shard of the repositories, such as 0/4: the first of four.
    #[arg(long, value_name = "I/N", value_parser = Shard::parse, requires = "sweep")]
    pub(super) shard: Option<Shard>,

    #[command(flatten)]
    pub(super) mirror: MirrorArgs,

    #[command(flatten)]
    pub(super) scan: ScanArgs,

    #[command(flatten)]
    pub(super) verify: VerifyArgs,

    /// Post each live token that was not live in the previous complete sweep to this URL.
    ///
    /// Redacted JSON, signed in the header X-Ddpatrol-Signature (sha256= and the HMAC-SHA-256 of the body) with
    /// the secret in DDPATROL_WEBHOOK_SECRET. Posted when all repositories have a result.
    #[arg(long, value_name = "URL", requires = "verify", help_heading = "Verification")]
    pub(super) webhook: Option<String>,

    /// Print a line for every repository, not only for those with tokens or problems.
    #[arg(long, short, conflicts_with = "quiet")]
    pub(super) verbose: bool,

    /// Print only errors and the summary.
    #[arg(long, short)]
    pub(super) quiet: bool,
}

/// Process the repositories on standard input one by one, and print one JSON line for each.
///
/// This is what a cluster runs on each machine, such as Spark's `pipe`.
#[derive(Debug, Args)]
pub(super) struct TaskArgs {
    #[command(flatten)]
    pub(super) store: StoreArgs,

    /// Name of the sweep; names sort by age.
    #[arg(long, value_name = "NAME", value_parser = SweepName::parse, help_heading = "Store")]
    pub(super) sweep: SweepName,

    #[command(flatten)]
    pub(super) mirror: MirrorArgs,

    #[command(flatten)]
    pub(super) scan: ScanArgs,

    #[command(flatten)]
    pub(super) verify: VerifyArgs,
}

/// Show how far a sweep is.
#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    pub(super) store: StoreArgs,

    /// Name of the sweep; by default the latest one.
    #[arg(long, value_name = "NAME", value_parser = SweepName::parse, help_heading = "Store")]
    pub(super) sweep: Option<SweepName>,

    /// Print JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// Write the merged report of a sweep: one row per token, with all its repositories.
#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    #[command(flatten)]
    pub(super) store: StoreArgs,

    /// Name of the sweep; by default the latest one.
    #[arg(long, value_name = "NAME", value_parser = SweepName::parse, help_heading = "Store")]
    pub(super) sweep: Option<SweepName>,

    /// Earlier sweep to compare with; by default the one before.
    #[arg(long, value_name = "NAME", value_parser = SweepName::parse, help_heading = "Store")]
    pub(super) since: Option<SweepName>,

    /// Format of the report.
    #[arg(long, short, value_name = "FORMAT", default_value = "html")]
    pub(super) format: MergedFormat,

    /// File of the report; by default standard output.
    #[arg(long, short, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

/// Format of a merged report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum MergedFormat {
    /// A page that works without network.
    Html,
    /// One row per token and repository.
    Csv,
    /// All data.
    Json,
    /// For code scanning services.
    Sarif,
}

/// One of several equal parts of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shard {
    /// Its number, from 0.
    pub(super) index: u32,
    /// The number of shards.
    pub(super) count: u32,
}

impl Shard {
    fn parse(text: &str) -> anyhow::Result<Self> {
        let parts = text.split_once('/');
        let parsed = parts.and_then(|(index, count)| {
            Some(Self { index: index.parse().ok()?, count: count.parse().ok()? })
        });
        match parsed {
            Some(shard) if shard.index < shard.count => Ok(shard),
            _ => bail!("expected I/N with I from 0 to N-1, such as 0/4"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_declarations_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn sizes_times_and_shards_are_parsed() {
        assert_eq!(parse_size("200G").unwrap(), 200 << 30);
        assert_eq!(parse_size("1GiB").unwrap(), 1 << 30);
        assert_eq!(parse_size("0").unwrap(), 0);
        assert!(parse_size("many").is_err() && parse_size("99999999999T").is_err());
        assert_eq!(parse_time("30m").unwrap(), Duration::from_secs(1800));
        assert!(
            parse_time("0s").is_err() && parse_time("-1m").is_err() && parse_time("x").is_err()
        );
        assert_eq!(Shard::parse("3/4").unwrap(), Shard { index: 3, count: 4 });
        assert!(Shard::parse("4/4").is_err() && Shard::parse("1").is_err());
    }
}
