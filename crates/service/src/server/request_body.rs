//! The body of a request, also after its handler has dropped it without reading it to its end.
//!
//! hyper closes an HTTP/1 connection if a response is ready before the body of its request has
//! arrived, without `Connection: close` in the response. A client that reuses the connection then
//! fails. So a short rest of a body is read and discarded; otherwise, the response announces that
//! the connection is closed (RFC 9112, section 9.6).

use super::watch::{Protocol, Receiving};
use axum::http::{Request, header};
use hyper::body::{Body as HttpBody, Bytes, Frame, Incoming, SizeHint};
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::oneshot::{self, error::TryRecvError};
use tokio::time::timeout;

/// Maximum length of a rest that is discarded, in bytes.
const MAX_REST: u64 = 64 * 1024;
/// Time limit for a rest to arrive.
const REST_WITHIN: Duration = Duration::from_secs(1);

/// The body of a request. While its reader waits for the client, the connection is dispensable.
#[derive(Debug)]
pub(super) struct RequestBody {
    /// `None` after the body has ended.
    arriving: Option<Arriving>,
    /// Returns the rest of the body if the handler does not read it.
    rest: Option<oneshot::Sender<Arriving>>,
}

/// A body that has not ended.
#[derive(Debug)]
struct Arriving {
    body: Incoming,
    receiving: Receiving,
}

impl RequestBody {
    /// Wraps the body of a request. Returns the part that the handler will not read, too; `None` for
    /// an empty body, and for HTTP/2, which ends a request without its connection.
    pub(super) fn of(
        request: Request<Incoming>,
        receiving: Receiving,
        protocol: Protocol,
    ) -> (Request<Self>, Option<Unread>) {
        if request.body().is_end_stream() {
            return (request.map(|_| Self { arriving: None, rest: None }), None);
        }
        let (sender, unread) = match protocol {
            Protocol::Http1 => {
                let (sender, rest) = oneshot::channel();
                let must_ask = request.headers().contains_key(header::EXPECT);
                (Some(sender), Some(Unread { rest, must_ask }))
            }
            Protocol::Http2 => (None, None),
        };
        let body = |body| Self { arriving: Some(Arriving { body, receiving }), rest: sender };
        (request.map(body), unread)
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(Arriving { body, receiving }) = &mut self.arriving else {
            return Poll::Ready(None);
        };
        let polled = Pin::new(&mut *body).poll_frame(context);
        match polled {
            Poll::Pending => receiving.waits(),
            Poll::Ready(Some(Ok(_))) if !body.is_end_stream() => {}
            Poll::Ready(_) => self.arriving = None,
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.arriving.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.arriving {
            Some(arriving) => arriving.body.size_hint(),
            None => SizeHint::with_exact(0),
        }
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if let (Some(mut arriving), Some(rest)) = (self.arriving.take(), self.rest.take()) {
            // The handler may still run, and it no longer waits for the client.
            arriving.receiving.ended();
            // Fails if the connection no longer exists.
            drop(rest.send(arriving));
        }
    }
}

/// The part of a body that the handler of its request did not read.
#[derive(Debug)]
pub(super) struct Unread {
    rest: oneshot::Receiver<Arriving>,
    /// The client sends the body only after `100 Continue`.
    must_ask: bool,
}

impl Unread {
    /// Reads and discards a short rest. Returns `true` if the body has ended.
    pub(super) async fn discard(mut self) -> bool {
        let arriving = match self.rest.try_recv() {
            Ok(arriving) => arriving,
            Err(error) => return error == TryRecvError::Closed,
        };
        if self.must_ask || arriving.body.size_hint().lower() > MAX_REST {
            return false;
        }
        let mut body = RequestBody { arriving: Some(arriving), rest: None };
        let discarded = async {
            let mut discarded = 0;
            while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await
            {
                let Ok(frame) = frame else { return false };
                discarded += frame.data_ref().map_or(0, Bytes::len) as u64;
                if discarded > MAX_REST {
                    return false;
                }
            }
            true
        };
        timeout(REST_WITHIN, discarded).await.unwrap_or(false)
    }
}
