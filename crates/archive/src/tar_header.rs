//! Headers of a tar: the block before a member, and the extended headers before that.
//!
//! Input: a block of 512 bytes, or the content of an extended header. Output: the name, length and type of
//! the member. No content is read.

/// The size of a block, in bytes.
pub(super) const BLOCK: usize = 512;

/// Returns `true` if a block is the header of a member.
pub(super) fn is_header(block: &[u8]) -> bool {
    block.first_chunk::<BLOCK>().and_then(TarHeader::parse).is_some()
}

/// The header of a member.
#[derive(Clone, Debug)]
pub(super) struct TarHeader {
    pub(super) name: Vec<u8>,
    pub(super) len: u64,
    pub(super) kind: u8,
    pub(super) is_extended: bool,
}

impl TarHeader {
    pub(super) fn parse(block: &[u8; BLOCK]) -> Option<Self> {
        let recorded = octal(&block[148..156])?;
        // The checksum field counts as spaces; old programs summed signed bytes.
        let rest = || block[..148].iter().chain(&block[156..]);
        let sum: u64 = 8 * 32 + rest().map(|&byte| u64::from(byte)).sum::<u64>();
        let signed = || 8 * 32 + rest().map(|&byte| i64::from(byte.cast_signed())).sum::<i64>();
        if recorded != sum && i64::try_from(recorded) != Ok(signed()) {
            return None;
        }
        let kind = block[156];
        let len = number(&block[124..136])?;
        let mut name = until_nul(&block[..100]).to_vec();
        let is_ustar = &block[257..263] == b"ustar\0";
        let prefix = until_nul(&block[345..500]);
        if is_ustar && !prefix.is_empty() {
            name = [prefix, b"/", &name].concat();
        }
        // Links, devices and folders have no content, whatever their length field.
        let len = if matches!(kind, b'1'..=b'6') { 0 } else { len };
        Some(Self { name, len, kind, is_extended: kind == b'S' && block[482] != 0 })
    }

    pub(super) fn padding(&self) -> u64 {
        self.len.next_multiple_of(BLOCK as u64) - self.len
    }
}

fn until_nul(field: &[u8]) -> &[u8] {
    &field[..memchr::memchr(0, field).unwrap_or(field.len())]
}

fn octal(field: &[u8]) -> Option<u64> {
    let text = field.trim_ascii_start();
    let digits = text.iter().take_while(|byte| (b'0'..=b'7').contains(byte)).count();
    let is_ended = text.get(digits).is_none_or(|&byte| byte == 0 || byte == b' ');
    if digits == 0 || !is_ended {
        return None;
    }
    text[..digits].iter().try_fold(0_u64, |value, &digit| {
        value.checked_mul(8).map(|value| value + u64::from(digit - b'0'))
    })
}

/// Parses a length: octal digits, or a big-endian number if the first bit is set.
fn number(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 == 0 {
        let is_empty = field.iter().all(|&byte| byte == 0 || byte == b' ');
        return if is_empty { Some(0) } else { octal(field) };
    }
    let (high, low) = field.split_at(field.len() - 8);
    let is_small = high[0] == 0x80 && high[1..].iter().all(|&byte| byte == 0);
    let value = u64::from_be_bytes(low.try_into().ok()?);
    // Larger values would overflow offsets.
    (is_small && value < 1 << 62).then_some(value)
}

/// The contents of extended headers, which apply to the member that follows.
#[derive(Debug, Default)]
pub(super) struct Extended {
    name: Option<Vec<u8>>,
    len: Option<u64>,
}

impl Extended {
    /// Parses the records of a PAX header: `LENGTH KEY=VALUE` and a line feed; the length includes itself.
    fn pax(&mut self, mut records: &[u8]) {
        while let Some(space) = memchr::memchr(b' ', records) {
            let len = std::str::from_utf8(&records[..space]).ok().and_then(|it| it.parse().ok());
            let Some(record) = len.and_then(|len: usize| records.get(space + 1..len)) else {
                return;
            };
            records = &records[space + 1 + record.len()..];
            let record = record.strip_suffix(b"\n").unwrap_or(record);
            let Some(equals) = memchr::memchr(b'=', record) else { continue };
            let (key, value) = (&record[..equals], &record[equals + 1..]);
            match key {
                b"path" | b"GNU.sparse.name" => self.name = Some(value.to_vec()),
                b"size" => {
                    let text = std::str::from_utf8(value).ok();
                    let len: Option<u64> = text.and_then(|text| text.parse().ok());
                    self.len = len.filter(|&len| len < 1 << 62);
                }
                _ => {}
            }
        }
    }
}

impl TarHeader {
    pub(super) fn apply(&mut self, extended: &mut Extended) {
        let Extended { name, len } = std::mem::take(extended);
        self.name = name.unwrap_or_else(|| std::mem::take(&mut self.name));
        self.len = len.unwrap_or(self.len);
    }
}

pub(super) fn extend(extended: &mut Extended, kind: u8, record: &[u8]) {
    match kind {
        b'L' => extended.name = Some(until_nul(record).to_vec()),
        b'x' => extended.pax(record),
        _ => {}
    }
}
