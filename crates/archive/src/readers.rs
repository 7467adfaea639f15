//! Dispatches to the reader of each format.

use super::bytes::Bytes;
use super::fault::Fault;
use super::format::Format;
use super::member_path::MemberPlace;
use super::slice_reader::SliceReader;
use super::tee::Polled;
use super::walker::{Source, Walker};
use super::{
    ar, bundle, cab, cpio, elsewhere, iso, objects, pdf, pg_dump, png, rpm, sevenz, sqlite, stream,
    tar, unopened, zip,
};
use std::io::{self, Read, SeekFrom};

/// Reads an archive of a format and passes its members to the walker.
pub(super) fn read(
    walker: &Walker<'_>,
    format: Format,
    place: &MemberPlace,
    source: Source<'_>,
) -> Result<(), Fault> {
    match source {
        Source::Stream(reader) => open_stream(walker, format, place, reader),
        Source::Whole(bytes) => {
            open_whole(walker, format, place, &mut Polled::new(walker.account(), bytes))
        }
    }
}

fn open_stream(
    walker: &Walker<'_>,
    format: Format,
    place: &MemberPlace,
    reader: &mut dyn Read,
) -> Result<(), Fault> {
    match format {
        Format::Zip | Format::SevenZ | Format::Sqlite | Format::Cab | Format::Iso => {
            let mut spool = walker.spool(reader)?;
            seekable(walker, format, place, &mut Polled::new(walker.account(), &mut spool))
        }
        Format::SelfExtractor => {
            let mut spool = walker.spool(reader)?;
            self_extractor(walker, place, &mut spool)
        }
        Format::Unopened(format) if unopened::needs_end(format) => {
            unopened::inspect_whole(format, &mut walker.spool(reader)?)
        }
        Format::Tar => tar::read_stream(walker, place, reader),
        format => streamed(walker, format, place, reader),
    }
}

fn open_whole(
    walker: &Walker<'_>,
    format: Format,
    place: &MemberPlace,
    bytes: &mut dyn Bytes,
) -> Result<(), Fault> {
    match format {
        Format::Zip | Format::SevenZ | Format::Sqlite | Format::Cab | Format::Iso => {
            seekable(walker, format, place, bytes)
        }
        Format::SelfExtractor => self_extractor(walker, place, bytes),
        Format::Unopened(format) if unopened::needs_end(format) => {
            unopened::inspect_whole(format, bytes)
        }
        Format::Tar => tar::read_whole(walker, place, bytes),
        format => {
            streamed(walker, format, place, &mut io::BufReader::with_capacity(64 << 10, bytes))
        }
    }
}

/// Opens the archive behind a program or a script.
fn self_extractor(
    walker: &Walker<'_>,
    place: &MemberPlace,
    bytes: &mut dyn Bytes,
) -> Result<(), Fault> {
    let Some(payload) = elsewhere::payload(bytes)? else { return Ok(()) };
    let end = bytes.seek(SeekFrom::End(0))?;
    let mut slice = SliceReader::new(bytes, payload.offset..end)?;
    open_whole(walker, payload.format, place, &mut slice)
}

fn seekable(
    walker: &Walker<'_>,
    format: Format,
    place: &MemberPlace,
    bytes: &mut dyn Bytes,
) -> Result<(), Fault> {
    match format {
        Format::Zip => zip::read(walker, place, bytes),
        Format::SevenZ => sevenz::read(walker, place, bytes),
        Format::Cab => cab::read(walker, place, bytes),
        Format::Iso => iso::read(walker, place, bytes),
        _ => sqlite::read(walker, place, bytes),
    }
}

fn streamed(
    walker: &Walker<'_>,
    format: Format,
    place: &MemberPlace,
    reader: &mut dyn Read,
) -> Result<(), Fault> {
    match format {
        Format::Ar => ar::read(walker, place, reader),
        Format::Cpio => cpio::read(walker, place, reader),
        Format::Rpm => rpm::read(walker, place, reader),
        Format::PgDump => pg_dump::read(walker, place, reader),
        Format::Png => png::read(walker, place, reader),
        Format::Pdf => pdf::read(walker, place, reader),
        Format::Bundle | Format::Pack => bundle::read(walker, place, reader),
        Format::Loose => objects::read_loose(walker, place, reader),
        Format::Unopened(format) => unopened::inspect(format, reader),
        format => stream::read(walker, place, format, reader),
    }
}
