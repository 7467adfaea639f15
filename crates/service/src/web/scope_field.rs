//! The scopes in the form of a token: grouped by their first word, with a filter.

use super::parts::{count, problem_text};
use super::state::Web;
use super::token_draft::Draft;
use crate::caller::Caller;
use maud::{Markup, html};
use std::collections::BTreeMap;

/// Smallest number of scopes with the same first word that form a group.
const MIN_GROUP: usize = 3;

/// Returns the scopes that the visitor may choose, in groups.
pub(super) fn offered_scopes(web: &Web, caller: &Caller, kept: &[String]) -> Vec<ScopeGroup> {
    let known = web.service.scopes.current();
    let mut names: Vec<String> =
        known.names().filter(|scope| caller.may_grant(scope)).map(str::to_owned).collect();
    names.extend(kept.iter().cloned());
    names.sort();
    names.dedup();
    groups(names)
}

/// Scopes that start with the same word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ScopeGroup {
    title: String,
    scopes: Vec<String>,
}

fn groups(names: Vec<String>) -> Vec<ScopeGroup> {
    let mut by_word = BTreeMap::<String, Vec<String>>::new();
    for name in names {
        let word = name.split('_').next().unwrap_or_default().to_owned();
        by_word.entry(word).or_default().push(name);
    }
    let mut others = Vec::new();
    let mut groups = Vec::new();
    for (word, scopes) in by_word {
        if scopes.len() < MIN_GROUP {
            others.extend(scopes);
        } else {
            groups.push(ScopeGroup { title: word, scopes });
        }
    }
    if !others.is_empty() {
        let title = if groups.is_empty() { "scopes" } else { "other" }.to_owned();
        groups.push(ScopeGroup { title, scopes: others });
    }
    groups
}

/// Returns the word for the access that a scope gives.
pub(super) fn access(scope: &str) -> &'static str {
    match scope.rsplit('_').next() {
        Some("read" | "list" | "view") => "read",
        _ => "write",
    }
}

/// Shows the scopes as check boxes.
pub(super) fn scopes_field(groups: &[ScopeGroup], draft: &Draft) -> Markup {
    let problem = draft.problems.scopes.as_deref();
    html! {
        fieldset.panel.scope-picker.invalid[problem.is_some()] data-scopes aria-describedby=[problem.map(|_| "scopes-problem")] {
            legend { h2 { "Scopes" } }
            (problem_text("scopes", problem))
            div.scope-tools {
                div.field.grow {
                    label for="scope-filter" hidden data-script { "Filter" }
                    input #scope-filter type="search" hidden data-script placeholder="Filter scopes" autocomplete="off";
                }
                label.check hidden data-script { input #scope-read type="checkbox"; " Only read access" }
                label.check hidden data-script { input #scope-chosen type="checkbox"; " Only selected" }
            }
            p.soft role="status" data-scope-status { (count(draft.scopes.len(), "scope")) " selected" }
            div.scope-list tabindex="0" role="group" aria-label="List of scopes" {
                @for group in groups {
                    fieldset.scope-group {
                        legend { (group.title) }
                        @for scope in &group.scopes {
                            label.scope {
                                input type="checkbox" name="scope" value=(scope) checked[draft.scopes.contains(scope)];
                                code { (scope) }
                                span class={ "access " (access(scope)) } { (access(scope)) }
                            }
                        }
                    }
                }
                p.empty hidden data-scope-none { "No scope matches." }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_with_the_same_first_word_form_a_group() {
        let names = ["apm_a", "apm_b", "apm_read", "solo", "zed_read"].map(str::to_owned).to_vec();
        let groups = groups(names);
        let titles: Vec<_> = groups.iter().map(|group| group.title.as_str()).collect();
        assert_eq!(titles, ["apm", "other"]);
        assert_eq!(groups[1].scopes, ["solo", "zed_read"]);
        assert_eq!((access("apm_read"), access("apm_b")), ("read", "write"));
    }
}
