//! A pack with the layout of its entries.
//!
//! Input: the number of an entry. Output: its inflated data, an object or a delta. This file applies no
//! delta.

use crate::inflate::{Buffer, Inflater};
use crate::layout::{EntryNo, Layout};
use crate::{Fault, Pack};

/// A pack and the layout of its entries.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) pack: &'a Pack,
    pub(crate) layout: &'a Layout,
}

impl Source<'_> {
    /// Inflates the data of an entry into `buffer`.
    pub(crate) fn inflate(
        self,
        entry: EntryNo,
        inflater: &mut Inflater,
        buffer: &mut Buffer,
    ) -> Result<(), Fault> {
        let header = self.pack.header(self.layout.entry(entry).offset)?;
        let data = self.pack.entries().get(header.data..).ok_or(Fault::Truncated)?;
        inflater.inflate(data, header.size, buffer)
    }
}
