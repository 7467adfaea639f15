//! The plan of a walk: the wanted entries, divided into jobs for the workers.
//!
//! Input: the layout of a pack and the wanted entries. Output: jobs of about equal weight in pack order.
//! This file inflates nothing.

use crate::layout::{Children, Entry, EntryNo, Layout};

/// The cost of an entry in addition to its bytes, in bytes: a call of the inflater and of the visitor.
const OVERHEAD: u64 = 400;

/// The wanted entries of one walk, divided into jobs.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    layout: &'a Layout,
    nodes: Vec<Node>,
    pub(crate) jobs: Vec<Job>,
}

/// The properties of an entry in a walk.
#[derive(Clone, Copy, Debug, Default)]
struct Node {
    /// Its children, without those in separate jobs.
    children: Children,
    is_wanted: bool,
    /// Whether it or an entry below it is wanted.
    has_wanted: bool,
}

/// A part of a delta tree that one worker walks without interruption.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job {
    /// The first entry.
    pub(crate) entry: EntryNo,
    /// Its children to be walked.
    pub(crate) children: Children,
    /// Whether the entry itself is visited, or only its children.
    pub(crate) own: bool,
    /// The approximate amount of work.
    pub(crate) weight: u64,
}

/// Minimum weight of a separate job.
const LEAST_JOB: u64 = 4 << 20;

impl<'a> Plan<'a> {
    /// Returns the children of an entry that are walked with it.
    #[inline]
    pub(crate) fn children(&self, entry: EntryNo) -> Children {
        self.nodes[entry.index()].children
    }

    /// Returns the first of some children.
    #[inline]
    pub(crate) fn first_child(&self, children: Children) -> Option<EntryNo> {
        (!children.is_empty()).then(|| self.layout.child(children.start))
    }

    /// Removes and returns the first of some children.
    #[inline]
    pub(crate) fn next_child(&self, children: &mut Children) -> Option<EntryNo> {
        let first = self.first_child(*children)?;
        children.start += 1;
        Some(first)
    }

    /// Lists some children.
    pub(crate) fn list(&self, children: Children) -> impl Iterator<Item = EntryNo> {
        (children.start..children.end).map(|place| self.layout.child(place))
    }

    #[inline]
    pub(crate) fn is_wanted(&self, entry: EntryNo) -> bool {
        self.nodes[entry.index()].is_wanted
    }

    /// Returns `true` if an entry or one below it is wanted.
    #[inline]
    pub(crate) fn has_wanted(&self, entry: EntryNo) -> bool {
        self.nodes[entry.index()].has_wanted
    }

    /// Divides the wanted entries into jobs of about equal weight, in pack order.
    pub(crate) fn new(
        layout: &'a Layout,
        threads: usize,
        is_wanted: &dyn Fn(&Entry) -> bool,
    ) -> Self {
        let node = |number: EntryNo| {
            let entry = layout.entry(number);
            let is_wanted = entry.kind().is_some() && is_wanted(entry);
            Node { children: layout.children(number), is_wanted, has_wanted: is_wanted }
        };
        let nodes = layout.numbers().map(node).collect();
        let mut plan = Self { layout, nodes, jobs: Vec::new() };
        // From the leaves up: bases come first.
        for at in layout.numbers().rev() {
            if let Some(base) = layout.entry(at).base().filter(|_| plan.has_wanted(at)) {
                plan.nodes[base.index()].has_wanted = true;
            }
        }
        let weigh = |at: EntryNo| match plan.has_wanted(at) {
            true => u64::from(layout.entry(at).weight) + OVERHEAD,
            false => 0,
        };
        let weights: Vec<u64> = layout.numbers().map(weigh).collect();
        let most = weights.iter().sum::<u64>() / (threads as u64 * 24);
        plan.cut(weights, most.max(LEAST_JOB));
        plan.jobs.sort_unstable_by_key(|job| (job.entry, job.children));
        plan
    }

    /// Makes a job of each group of children that exceeds `most`, from the leaves up.
    fn cut(&mut self, mut weights: Vec<u64>, most: u64) {
        for entry in self.layout.numbers().rev() {
            let mut rest = self.children(entry);
            let mut sum = 0;
            for place in rest.start..rest.end {
                sum += weights[self.layout.child(place).index()];
                if sum > most {
                    let children = Children { start: rest.start, end: place + 1 };
                    self.jobs.push(Job { entry, children, own: false, weight: sum });
                    (rest.start, sum) = (place + 1, 0);
                }
            }
            self.nodes[entry.index()].children = rest;
            weights[entry.index()] += sum;
            if self.layout.entry(entry).base().is_none() && self.has_wanted(entry) {
                let weight = weights[entry.index()];
                self.jobs.push(Job { entry, children: rest, own: true, weight });
            }
        }
    }
}
