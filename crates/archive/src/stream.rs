//! Single compressed streams: gzip, bzip2, xz, lzma, lzip, zstd, lz4, zlib, compress, brotli.
//!
//! Input: a compressed stream. Output: its content, to the walker, as one member, or as an archive if it is a
//! tar or cpio. Concatenated streams are all read, as the standard programs do. Data after the last stream
//! is not unpacked; the raw search covers it.

use super::bytes::skip;
use super::compress::Uncompress;
use super::decode_error::DecodeError;
use super::elsewhere::{TRAILER, detect_trailer};
use super::fault::Fault;
use super::format::{Format, HEAD, detect};
use super::member_path::MemberPlace;
use super::unopened::Unopened;
use super::walker::Walker;
use ddpatrol_scan::issue::Unsupported;
use ddpatrol_scan::place::content_name;
use ddpatrol_scan::{Filled, read_full};
use flate2::bufread::{GzDecoder, ZlibDecoder};
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;

/// Maximum memory of a decoder, in bytes. The largest dictionaries that the programs use by default are
/// 64 MiB (xz) and 128 MiB (zstd).
pub(super) const MEMORY: u32 = 1 << 30;
const BUFFER: usize = 64 << 10;

pub(super) fn read(
    walker: &Walker<'_>,
    place: &MemberPlace,
    format: Format,
    reader: &mut dyn Read,
) -> Result<(), Fault> {
    let mut tail = TailReader { inner: reader, tail: Vec::new() };
    let read = read_content(walker, place, format, &mut tail);
    if matches!(format, Format::Zlib | Format::Bzip2) && tail.is_disk_image()? {
        return Err(Unopened::Dmg.into());
    }
    read
}

/// Decompresses a stream.
pub(super) fn decoder<'a>(
    format: Format,
    reader: impl Read + 'a,
) -> io::Result<Box<dyn Read + 'a>> {
    Ok(open(format, reader)?.decoder)
}

fn read_content(
    walker: &Walker<'_>,
    place: &MemberPlace,
    format: Format,
    reader: &mut dyn Read,
) -> Result<(), Fault> {
    let Opened { name, mut decoder } = open(format, reader)?;
    let name = name.unwrap_or_else(|| content_name(place.base.own_name()));
    let mut head = [0; HEAD];
    let Filled { len, error } = read_full(&mut decoder, &mut head);
    if let (Format::Brotli, 0, Some(_)) = (format, len, &error) {
        return Err(Unsupported::Brotli.into());
    }
    let mut content = Cursor::new(&head[..len]).chain(FailOnRead(error)).chain(decoder);
    match detect(&head[..len], Path::new("")) {
        Some(Format::Tar | Format::Cpio) => walker.content(&place.content(), &mut content),
        _ => walker.member(place, &name, &mut content),
    }
}

/// A compressed file that is being read.
struct Opened<'a> {
    /// The name of the content, if the file stores one.
    name: Option<Vec<u8>>,
    decoder: Box<dyn Read + 'a>,
}

fn open<'a>(format: Format, reader: impl Read + 'a) -> io::Result<Opened<'a>> {
    let buffered = BufReader::with_capacity(BUFFER, reader);
    let mut buffered = buffered;
    let mut name = None;
    let decoder: Box<dyn Read + 'a> = match format {
        Format::Gzip => {
            let members = Gzip::new(buffered);
            name = members.name();
            Box::new(members)
        }
        Format::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(buffered)),
        Format::Xz => Box::new(xz(buffered)),
        Format::Lzma => {
            let mut reader = lzma_rust2::LzmaReader::new_mem_limit(buffered, MEMORY / 1024, None)?;
            reader.set_defer_errors(true);
            Box::new(reader)
        }
        Format::Lzip => Box::new(SmallReads(lzma_rust2::LzipReader::new(buffered))),
        Format::Compress => Box::new(Uncompress::new(buffered)?),
        Format::Zlib => Box::new(Zlib { stream: Some(ZlibDecoder::new(buffered)) }),
        Format::AndroidBackup => match is_backup_packed(&mut buffered)? {
            true => Box::new(Zlib { stream: Some(ZlibDecoder::new(buffered)) }),
            false => Box::new(buffered),
        },
        Format::Zstd => Box::new(zstd(buffered)),
        Format::Lz4 => Box::new(Lz4::new(buffered)),
        _ => Box::new(brotli_decompressor::Decompressor::new(buffered, BUFFER)),
    };
    Ok(Opened { name, decoder })
}

/// Yields an error that occurred after the bytes before it.
struct FailOnRead(Option<io::Error>);

impl Read for FailOnRead {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

/// Reads the members of a gzip file.
struct Gzip<R> {
    member: Option<GzDecoder<R>>,
}

impl<R: BufRead> Gzip<R> {
    fn new(reader: R) -> Self {
        Self { member: Some(GzDecoder::new(reader)) }
    }

    /// Returns the file name in the first header, if it is valid.
    fn name(&self) -> Option<Vec<u8>> {
        let name = self.member.as_ref()?.header()?.filename()?;
        let last = name.rsplit(|&byte| byte == b'/' || byte == b'\\').next()?;
        let is_sane = !last.is_empty()
            && last.len() <= 255
            && last != b"."
            && last != b".."
            && !last.iter().any(u8::is_ascii_control);
        is_sane.then(|| last.to_vec())
    }
}

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(mut member) = self.member.take() {
            let len = member.read(buffer);
            if !matches!(len, Ok(0)) || buffer.is_empty() {
                self.member = Some(member);
                return len;
            }
            let mut reader = member.into_inner();
            // Tapes are padded with zeros.
            loop {
                let rest = reader.fill_buf()?;
                let zeros = rest.iter().take_while(|&&byte| byte == 0).count();
                let is_all = zeros == rest.len();
                if zeros == 0 || rest.is_empty() {
                    break;
                }
                reader.consume(zeros);
                if !is_all {
                    break;
                }
            }
            if reader.fill_buf()?.starts_with(&[0x1f]) {
                self.member = Some(GzDecoder::new(reader));
            }
        }
        Ok(0)
    }
}

/// Reads consecutive zlib streams.
struct Zlib<R: BufRead> {
    stream: Option<ZlibDecoder<R>>,
}

impl<R: BufRead> Read for Zlib<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(mut stream) = self.stream.take() {
            let len = stream.read(buffer);
            if !matches!(len, Ok(0)) || buffer.is_empty() {
                self.stream = Some(stream);
                return len;
            }
            let mut reader = stream.into_inner();
            if matches!(reader.fill_buf()?, [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..]) {
                self.stream = Some(ZlibDecoder::new(reader));
            }
        }
        Ok(0)
    }
}

/// Skips the header of an Android backup; returns `true` if the backup is compressed.
fn is_backup_packed(reader: &mut impl BufRead) -> io::Result<bool> {
    let mut lines = [const { Vec::new() }; 4];
    for line in &mut lines {
        reader.take(32).read_until(b'\n', line)?;
    }
    Ok(lines[2] == b"1\n")
}

/// A reader that keeps the last bytes that it has read.
struct TailReader<'r> {
    inner: &'r mut dyn Read,
    tail: Vec<u8>,
}

impl TailReader<'_> {
    /// Reads the rest; returns `true` if it ends as a disk image, whose first block is a stream.
    fn is_disk_image(&mut self) -> io::Result<bool> {
        io::copy(self, &mut io::sink())?;
        Ok(detect_trailer(&self.tail) == Some(Unopened::Dmg))
    }
}

impl Read for TailReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.inner.read(buffer)?;
        let last = &buffer[len.saturating_sub(TRAILER)..len];
        let surplus = (self.tail.len() + last.len()).saturating_sub(TRAILER);
        self.tail.drain(..surplus);
        self.tail.extend_from_slice(last);
        Ok(len)
    }
}

/// Reads the streams of an xz file.
pub(super) fn xz<'a>(reader: impl Read + 'a) -> impl Read + 'a {
    SmallReads(lzma_rust2::XzReader::new_mem_limit(reader, true, MEMORY / 1024))
}

/// Reads in small steps: a decoder that fails drops what it has decoded in the same call.
struct SmallReads<R>(R);

impl<R: Read> Read for SmallReads<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = buffer.len().min(512);
        self.0.read(&mut buffer[..len])
    }
}

/// Reads the frames of a zstd file.
pub(super) fn zstd<'a>(reader: impl BufRead + 'a) -> impl Read + 'a {
    Zstd { state: ZstdState::Between(reader), failure: None }
}

/// An empty last block of a frame, and room for a checksum.
const LAST_BLOCK: [u8; 7] = [1, 0, 0, 0, 0, 0, 0];

/// The frames of a zstd file.
struct Zstd<R: Read> {
    state: ZstdState<R>,
    failure: Option<io::Error>,
}

enum ZstdState<R: Read> {
    Between(R),
    Within(Box<(FrameDecoder, R)>),
    Ended,
}

impl<R: BufRead> Zstd<R> {
    /// Begins the next frame, or skips a skippable one.
    fn next(mut reader: R) -> io::Result<ZstdState<R>> {
        if reader.fill_buf()?.is_empty() {
            return Ok(ZstdState::Ended);
        }
        let mut decoder = FrameDecoder::new();
        match decoder.init(&mut reader) {
            Ok(()) => {}
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length,
                ..
            })) => {
                if skip(&mut reader, u64::from(length))? < u64::from(length) {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                return Ok(ZstdState::Between(reader));
            }
            Err(FrameDecoderError::WindowSizeTooBig { requested, max }) => {
                return Err(DecodeError::ZstdWindow { requested, max }.into());
            }
            Err(error) => return Err(io::Error::other(error)),
        }
        Ok(ZstdState::Within(Box::new((decoder, reader))))
    }
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            self.state = match std::mem::replace(&mut self.state, ZstdState::Ended) {
                ZstdState::Ended => return Ok(0),
                ZstdState::Between(reader) => Self::next(reader)?,
                ZstdState::Within(mut frame) => {
                    let (decoder, reader) = &mut *frame;
                    while decoder.can_collect() == 0 && !decoder.is_finished() {
                        let one = BlockDecodingStrategy::UptoBlocks(1);
                        if let Err(error) = decoder.decode_blocks(&mut *reader, one) {
                            self.failure = Some(io::Error::other(error));
                            // The decoder withholds a window until the frame ends, so the frame is ended.
                            let all = BlockDecodingStrategy::All;
                            if decoder.decode_blocks(&mut &LAST_BLOCK[..], all).is_err() {
                                break;
                            }
                        }
                    }
                    let len = decoder.read(buffer)?;
                    if len > 0 || buffer.is_empty() {
                        self.state = ZstdState::Within(frame);
                        return Ok(len);
                    }
                    if let Some(error) = self.failure.take() {
                        return Err(error);
                    }
                    let (decoder, reader) = *frame;
                    let recorded = decoder.get_checksum_from_data();
                    if recorded.is_some() && recorded != decoder.get_calculated_checksum() {
                        return Err(DecodeError::FrameChecksum.into());
                    }
                    ZstdState::Between(reader)
                }
            };
        }
    }
}

/// The frames of an lz4 file.
struct Lz4<R: Read> {
    decoder: lz4_flex::frame::FrameDecoder<EndTracker<R>>,
    is_legacy: bool,
    is_over: bool,
}

/// Records whether its reader has ended.
struct EndTracker<R> {
    reader: R,
    ended: bool,
}

impl<R: Read> Read for EndTracker<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.reader.read(buffer)?;
        self.ended |= len == 0 && !buffer.is_empty();
        Ok(len)
    }
}

impl<R: BufRead> Lz4<R> {
    fn new(mut reader: R) -> Self {
        let is_legacy = reader.fill_buf().is_ok_and(|head| head.first() == Some(&0x02));
        let decoder = lz4_flex::frame::FrameDecoder::new(EndTracker { reader, ended: false });
        Self { decoder, is_legacy, is_over: false }
    }
}

impl<R: BufRead> Read for Lz4<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.is_over || buffer.is_empty() {
                return Ok(0);
            }
            let len = self.decoder.read(buffer)?;
            if len > 0 {
                return Ok(len);
            }
            // Zero is the end of a frame or of the input. Another frame may follow a frame. An input that ends
            // within a frame is truncated, which the decoder does not report.
            let source = self.decoder.get_mut();
            if source.ended {
                self.is_over = true;
                let is_cut = !self.is_legacy;
                return if is_cut { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(0) };
            }
            if source.reader.fill_buf()?.is_empty() {
                self.is_over = true;
            }
        }
    }
}
