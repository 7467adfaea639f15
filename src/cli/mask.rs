//! `ddpatrol mask`: copies standard input to standard output and masks the tokens in it.
//!
//! A separate thread reads, so that an incomplete line is passed on when no more input arrives, or when its
//! end does not arrive for some time. The search is in `crate::mask`.

use super::args::MaskArgs;
use super::exit::Exit;
use super::messages::{install_redactor, print_error};
use super::rule_files::load_rules;
use crate::detect::{Detector, Evidence};
use crate::mask::MaskedStream;
use anyhow::Context;
use std::io::{self, ErrorKind, IsTerminal, Read, Write};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

/// Number of bytes read at once.
const CHUNK: usize = 64 * 1024;
/// The time after which an incomplete line is passed on.
const PAUSE: Duration = Duration::from_millis(50);

/// The message for base64 that was not searched.
const UNDECODED: &str = "base64 is replaced by `***` as a whole: it is too long to be searched for encoded \
                         tokens (at most 8 MiB are)";

pub(super) fn run(args: &MaskArgs) -> anyhow::Result<Exit> {
    let rules = Arc::new(load_rules(&args.rules)?);
    install_redactor(&rules)?;
    args.groups.iter().try_for_each(|group| rules.require_group(group))?;
    let detector = Detector::new(Arc::new(
        crate::rules::RuleSet::clone(&rules).selected(&args.only, &args.groups)?,
    ))?;
    if io::stdin().is_terminal() {
        print_error("reading from the terminal until Ctrl-D; usage: COMMAND 2>&1 | ddpatrol mask");
    }
    let least = if args.shaped { Evidence::Shaped } else { Evidence::Proven };
    let mut stream = MaskedStream::new(&detector, least);
    copy(&mut stream)?;
    if stream.undecoded() > 0 {
        return Ok(Exit::Failed);
    }
    Ok(if args.fail && stream.masked() > 0 { Exit::Findings } else { Exit::Clean })
}

/// Copies standard input to standard output.
fn copy(stream: &mut MaskedStream<'_>) -> anyhow::Result<()> {
    let (sender, chunks) = mpsc::sync_channel(2);
    // The thread is not joined: it may wait for input after standard output is closed.
    std::thread::spawn(move || read_chunks(&sender));
    let mut out = io::stdout().lock();
    let mut text = Vec::new();
    let mut is_paused = false;
    let mut last_pause = Instant::now();
    let mut is_warned = false;
    loop {
        let received = if is_paused {
            chunks.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            chunks.recv_timeout(PAUSE)
        };
        is_paused = matches!(received, Err(RecvTimeoutError::Timeout));
        let (is_end, failure) = match received {
            Ok(Ok(chunk)) => {
                stream.push(&chunk, &mut text);
                // Progress bars add to a line without a pause.
                if last_pause.elapsed() >= PAUSE {
                    stream.pause(&mut text);
                    last_pause = Instant::now();
                }
                (false, None)
            }
            Ok(Err(error)) => (true, Some(error)),
            Err(RecvTimeoutError::Timeout) => {
                stream.pause(&mut text);
                last_pause = Instant::now();
                (false, None)
            }
            Err(RecvTimeoutError::Disconnected) => (true, None),
        };
        if is_end {
            stream.finish(&mut text);
        }
        out.write_all(&text).and_then(|()| out.flush()).context("cannot write standard output")?;
        text.clear();
        if stream.undecoded() > 0 && !is_warned {
            print_error(UNDECODED);
            is_warned = true;
        }
        if let Some(error) = failure {
            return Err(error).context("cannot read standard input");
        }
        if is_end {
            return Ok(());
        }
    }
}

/// Sends the chunks of standard input up to its end, or the first error.
fn read_chunks(chunks: &SyncSender<io::Result<Vec<u8>>>) {
    let mut input = io::stdin().lock();
    loop {
        let mut chunk = vec![0; CHUNK];
        let read = match input.read(&mut chunk) {
            Ok(0) => return,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            read => read,
        };
        let is_last = read.is_err();
        let sent = chunks.send(read.map(|len| {
            chunk.truncate(len);
            chunk
        }));
        if is_last || sent.is_err() {
            return;
        }
    }
}
