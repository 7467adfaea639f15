//! Long responses, sent in chunks: the input is the body of a response, the output the same bytes.

use crate::api::budget::Reservation;
use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};

/// The length of the chunks in which a long response is written, in bytes.
pub(super) const CHUNK: usize = 16 * 1024;

/// A long response. It is copied chunk by chunk to the connection, so that its memory stays
/// reserved until most of it is read.
#[derive(Debug)]
pub(super) struct ChunkedBody {
    body: Body,
    rest: Bytes,
    #[expect(dead_code, reason = "releases the memory when dropped")]
    memory: [Reservation; 2],
}

impl ChunkedBody {
    pub(super) fn new(body: Body, memory: [Reservation; 2]) -> Self {
        Self { body, rest: Bytes::new(), memory }
    }
}

impl HttpBody for ChunkedBody {
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
        let length = CHUNK.min(self.rest.len());
        let chunk = self.rest.split_to(length);
        Poll::Ready(Some(Ok(Frame::data(Bytes::copy_from_slice(&chunk)))))
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
