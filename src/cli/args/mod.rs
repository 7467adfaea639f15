//! The arguments of every command.

mod clean;
mod hooks;
mod invoked;
mod issuers;
mod listing;
mod output;
mod saved;
mod scan;
mod shared;
mod tools;
mod values;
mod verify;

pub(super) use clean::{CleanArgs, CleanFilterArgs};
pub(super) use hooks::{
    HookArgs, HookCommand, HookPlaceArgs, HookSetArgs, MessageArgs, PushArgs, ReceiveArgs,
};
pub(super) use invoked::parse;
pub(super) use issuers::IssuerArgs;
pub(super) use listing::ListingArgs;
pub(super) use output::OutputArgs;
pub(super) use saved::{
    BaselineArgs, BaselineCommand, BaselineShowArgs, DiffArgs, ReportCommandArgs,
};
pub(super) use scan::{ChangeArgs, RangeArgs, ScanArgs, StagedArgs};
pub(super) use shared::{RunArgs, SharedArgs};
pub(super) use tools::{
    CheckArgs, InitArgs, MaskArgs, NewRuleArgs, RulesArgs, RulesCommand, SweepArgs,
};
pub(super) use values::{Color, ReportArg, ReportFormat, Size};
pub(super) use verify::{ActionArgs, RevokeArgs, VerifyArgs};

use clap::{ArgAction, Parser, Subcommand};

/// Finds leaked access tokens and proves, offline, that they are real.
#[derive(Debug, Parser)]
#[command(name = "ddpatrol", version, max_term_width = 100)]
#[command(disable_help_flag = true, disable_version_flag = true)]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) command: Command,

    /// Print help: `-h` a summary, `--help` everything.
    #[arg(long, short, action = ArgAction::Help, global = true, help_heading = "Help")]
    help: Option<bool>,

    /// Print the version.
    #[arg(long, short = 'V', action = ArgAction::Version, help_heading = "Help")]
    version: Option<bool>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Scan(ScanArgs),
    Staged(StagedArgs),
    Range(RangeArgs),
    Revoke(RevokeArgs),
    Clean(CleanArgs),
    #[command(hide = true)]
    CleanFilter(CleanFilterArgs),
    Report(ReportCommandArgs),
    Diff(DiffArgs),
    /// Create, update or show the baseline of known tokens.
    Baseline(BaselineArgs),
    /// Install, uninstall or show git hooks.
    Hook(HookArgs),
    PrePush(PushArgs),
    PreReceive(ReceiveArgs),
    CommitMsg(MessageArgs),
    Check(CheckArgs),
    Mask(MaskArgs),
    Init(InitArgs),
    Sweep(SweepArgs),
    /// List, show or check rules (token formats).
    Rules(RulesArgs),
    /// Print a shell completion script.
    Completions {
        /// Shell to print the script for.
        #[arg(help_heading = "Input")]
        shell: clap_complete::Shell,
    },
    /// Show a manual page; print it as roff if standard output is not a terminal.
    Man {
        /// Command, such as `hook install`; by default the program itself.
        #[arg(help_heading = "Input")]
        command: Vec<String>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    const HEADINGS: [&str; 8] =
        ["Input", "Output", "Policy", "Archives", "Rules", "Verification", "Performance", "Help"];

    #[test]
    fn the_arguments_are_well_formed() {
        Args::command().debug_assert();
    }

    /// Lists the visible arguments of a command and its subcommands that have none of the headings.
    fn misplaced(command: &clap::Command, found: &mut Vec<String>) {
        for argument in command.get_arguments().filter(|it| !it.is_hide_set()) {
            if !argument.get_help_heading().is_some_and(|it| HEADINGS.contains(&it)) {
                found.push(format!("{} {}", command.get_name(), argument.get_id()));
            }
        }
        for subcommand in command.get_subcommands().filter(|it| it.get_name() != "help") {
            misplaced(subcommand, found);
        }
    }

    #[test]
    fn every_option_has_one_of_the_headings() {
        let mut command = Args::command();
        command.build();
        let mut found = Vec::new();
        misplaced(&command, &mut found);
        assert_eq!(found, Vec::<String>::new());
    }
}
