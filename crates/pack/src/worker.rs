//! One worker of a walk: descends the delta trees and passes each wanted object to the visitor.
//!
//! Input: a plan and its jobs. Output: calls of the visitor. It decides neither which objects are wanted
//! nor which worker gets a job.

use crate::Fault;
use crate::delta_stack::{BaseUse, DeltaStack};
use crate::inflate::LARGE;
use crate::layout::{Children, Entry, EntryNo};
use crate::plan::{Job, Plan};
use crate::source::Source;
use crate::visitor::{Object, Visitor};

/// A worker and its visitor.
pub(crate) struct Worker<'a, V: Visitor> {
    source: Source<'a>,
    plan: &'a Plan<'a>,
    stack: DeltaStack,
    open: Vec<OpenBase<V::BaseData>>,
    pub(crate) visitor: V,
}

/// The visitor's data about an object on the stack, and its remaining children.
struct OpenBase<D> {
    data: Option<D>,
    children: Children,
}

impl<'a, V: Visitor> Worker<'a, V> {
    /// Creates a worker whose buffers have at most `budget` bytes in total, unless a single object
    /// exceeds that.
    pub(crate) fn new(source: Source<'a>, plan: &'a Plan<'a>, budget: usize, visitor: V) -> Self {
        Self { source, plan, stack: DeltaStack::new(budget), open: Vec::new(), visitor }
    }

    /// Walks the entries of a job.
    pub(crate) fn run(&mut self, job: &Job) {
        self.stack.clear();
        self.open.clear();
        if job.own {
            if !self.enter(job.entry, job.children) {
                return;
            }
        } else if !self.descend(job) {
            return;
        }
        while let Some(OpenBase { children, .. }) = self.open.last_mut() {
            let Some(child) = self.plan.next_child(children) else {
                self.open.pop();
                self.stack.pop();
                continue;
            };
            if !self.plan.has_wanted(child) {
                continue;
            }
            if self.visitor.is_stopped() {
                return;
            }
            let children = self.plan.children(child);
            self.prefetch_next(children);
            self.enter(child, children);
        }
    }

    /// Prefetches the entry that follows an entry with these children.
    #[inline]
    fn prefetch_next(&self, children: Children) {
        let open = self.open.iter().rev().map(|open| open.children);
        let mut all = std::iter::once(children).chain(open);
        let Some(next) = all.find_map(|children| self.plan.first_child(children)) else {
            return;
        };
        let entry = self.source.layout.entry(next);
        self.source.pack.prefetch(entry.offset);
        if let Some(position) = entry.position() {
            self.source.pack.index().prefetch(position);
        }
    }

    /// Descends to an entry that another worker visits. Returns `false` if it cannot be read.
    fn descend(&mut self, job: &Job) -> bool {
        let mut chain = vec![job.entry];
        while let Some(&last) = chain.last()
            && let Some(base) = self.source.layout.entry(last).base()
        {
            chain.push(base);
        }
        while let Some(entry) = chain.pop() {
            let base_use = if self.open.is_empty() { BaseUse::Needed } else { BaseUse::Done };
            let pushed = self.stack.push(self.source, entry);
            if pushed.and_then(|()| self.stack.settle(base_use)).is_err() {
                // The worker that visits the entry reports the error; this one reports its descendants.
                self.lose_children(job.children);
                return false;
            }
            let children = if entry == job.entry { job.children } else { Children::default() };
            self.open.push(OpenBase { data: None, children });
        }
        true
    }

    /// Visits an entry, one level below the last. Returns `false` if it cannot be read.
    fn enter(&mut self, at: EntryNo, children: Children) -> bool {
        let entry = *self.source.layout.entry(at);
        let is_wanted = self.plan.is_wanted(at);
        if is_wanted && entry.base().is_none() && children.is_empty() {
            match self.stream(&entry) {
                None => {}
                Some(result) => {
                    if let Err(fault) = result {
                        self.fail(&entry, fault);
                    }
                    return false;
                }
            }
        }
        if let Err(fault) = self.stack.push(self.source, at) {
            if is_wanted {
                self.fail(&entry, fault);
            }
            self.lose_children(children);
            return false;
        }
        let mut data = None;
        if is_wanted
            && let (Some(position), Some(kind)) = (entry.position(), entry.kind())
            && let Some(id) = self.source.pack.index().id(position)
        {
            let stack = &mut self.stack;
            let base = self.open.last().and_then(|open| open.data.as_ref());
            let is_base = !children.is_empty();
            let mut object = Object { id, kind, position, is_base, stack };
            match self.visitor.visit(&mut object, base) {
                Ok(value) => data = Some(value),
                Err(fault) => self.fail(&entry, fault),
            }
        }
        if children.is_empty() {
            self.stack.pop();
            return true;
        }
        let is_last_child = self.open.last().is_some_and(|open| open.children.is_empty());
        let base_use = if is_last_child { BaseUse::Done } else { BaseUse::Needed };
        if let Err(fault) = self.stack.settle(base_use) {
            self.stack.pop();
            self.fail(&entry, fault);
            self.lose_children(children);
            return false;
        }
        self.open.push(OpenBase { data, children });
        true
    }

    /// Streams a large blob to the visitor. Returns `None` if the entry is not a large blob.
    fn stream(&mut self, entry: &Entry) -> Option<Result<(), Fault>> {
        let pack = self.source.pack;
        let mut content = pack.stream_blob(entry.offset, LARGE)?;
        let id = pack.index().id(entry.position()?)?;
        let read = self.visitor.stream(id, content.len(), &mut content);
        if self.visitor.is_stopped() {
            return Some(Ok(()));
        }
        Some(match read {
            Ok(()) => content.finish(),
            Err(_) => Err(content.into_fault()),
        })
    }

    fn fail(&mut self, entry: &Entry, fault: Fault) {
        let id = entry.position().and_then(|position| self.source.pack.index().id(position));
        let error = self.source.pack.error(Some(entry.offset), id, fault);
        self.visitor.failed(error);
    }

    /// Reports every wanted entry below one that cannot be read.
    fn lose_children(&mut self, children: Children) {
        let plan = self.plan;
        let mut open = vec![children];
        while let Some(children) = open.pop() {
            for at in plan.list(children) {
                if plan.is_wanted(at) {
                    let entry = *self.source.layout.entry(at);
                    self.fail(&entry, Fault::BaseBroken);
                }
                open.push(plan.children(at));
            }
        }
    }
}
