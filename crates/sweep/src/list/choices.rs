//! The choices of a list: hosts, kinds of repositories, and the protocol of their URLs.

use clap::ValueEnum;

/// The URLs of the hosts.
#[derive(Clone, Debug)]
pub struct Hosts {
    /// GitHub.
    pub github: String,
    /// GitLab.
    pub gitlab: String,
    /// Gitea or Forgejo.
    pub gitea: Option<String>,
}

/// Which repositories of a kind are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Selection {
    /// All.
    Include,
    /// All but those of the kind.
    Exclude,
    /// Those of the kind.
    Only,
}

/// The protocol of the listed URLs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Protocol {
    /// HTTPS, with git's credential helpers.
    Https,
    /// SSH, with its keys.
    Ssh,
}

/// The choices of a list.
#[derive(Clone, Copy, Debug)]
pub struct Choices {
    /// Archived repositories.
    pub archived: Selection,
    /// Forks.
    pub forks: Selection,
    /// The protocol of the URLs.
    pub protocol: Protocol,
}
