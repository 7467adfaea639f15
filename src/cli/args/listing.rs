//! The arguments that select what the text report lists.

use super::values;
use clap::Args as ClapArgs;

/// Options that select the findings and details of the text report.
#[derive(Clone, Copy, Debug, Default, ClapArgs)]
#[command(next_help_heading = "Output")]
pub(in crate::cli) struct ListingArgs {
    /// Shorten the text report to N lines; 0 lists everything.
    ///
    /// By default a terminal shows as many lines as fit, and a pipe or file gets all.
    #[arg(long, value_name = "N", value_parser = values::lines, allow_negative_numbers = true)]
    pub(in crate::cli) limit: Option<usize>,

    /// Explain each finding in the text report: facts, places, steps.
    #[arg(long)]
    pub(in crate::cli) explain: bool,

    /// List dead tokens in the text report; by default they are counted.
    #[arg(long)]
    pub(in crate::cli) show_dead: bool,
}
