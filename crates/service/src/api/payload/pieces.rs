//! Long answers, sent in pieces: the body of an answer comes in, the same bytes go out.

use crate::api::budget::Reservation;
use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};

/// The length of the pieces in which a long answer is written, in bytes.
pub(super) const PIECE: usize = 16 * 1024;

/// A long answer, which is copied piece by piece to the connection so that its memory stays
/// reserved until most of it is read.
#[derive(Debug)]
pub(super) struct Pieces {
    body: Body,
    rest: Bytes,
    #[expect(dead_code, reason = "its drop gives the memory back")]
    memory: [Reservation; 2],
}

impl Pieces {
    pub(super) fn new(body: Body, memory: [Reservation; 2]) -> Self {
        Self { body, rest: Bytes::new(), memory }
    }
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        while self.rest.is_empty() {
            match std::task::ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(other) => return Poll::Ready(Some(Ok(other))),
                },
                ended => return Poll::Ready(ended),
            }
        }
        let length = PIECE.min(self.rest.len());
        let piece = self.rest.split_to(length);
        Poll::Ready(Some(Ok(Frame::data(Bytes::copy_from_slice(&piece)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match self.body.size_hint().exact() {
            Some(length) => SizeHint::with_exact(length + self.rest.len() as u64),
            None => SizeHint::default(),
        }
    }
}
