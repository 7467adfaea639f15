//! One connection: the TLS handshake, then HTTP/1 or HTTP/2 until either side closes it.

use super::admission::Admitted;
use super::request_body::RequestBody;
use super::watch::{InProgress, Protocol, Receiving, Watch};
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderValue, Request, Version, header};
use hyper::body::{Body as HttpBody, Bytes, Frame, Incoming, SizeHint};
use hyper::service::Service as _;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

/// Maximum length of a request's headers, in bytes.
const MAX_HEADERS: u32 = 16 * 1024;
/// The size of a connection's buffers, in bytes. This also limits the headers of HTTP/1.
const BUFFER: usize = MAX_HEADERS as usize;
/// Maximum number of requests in progress on one HTTP/2 connection.
const MAX_STREAMS: u32 = 16;
/// HTTP/2 flow-control windows, in bytes: per stream and connection.
const STREAM_WINDOW: u32 = 32 * 1024;
const CONNECTION_WINDOW: u32 = 64 * 1024;
/// Interval of HTTP/2 pings, and the time limit for their responses.
const PING_EVERY: Duration = Duration::from_secs(20);
const PONG_WITHIN: Duration = Duration::from_secs(10);

/// Makes browsers use TLS for this host.
static HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

static HTTP: LazyLock<Builder<TokioExecutor>> = LazyLock::new(|| {
    let mut http = Builder::new(TokioExecutor::new());
    // hyper's timers for HTTP/1 are not used: `Watch` has these deadlines, and also one for the
    // first request.
    http.http1().max_buf_size(BUFFER).header_read_timeout(None);
    http.http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PONG_WITHIN)
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADERS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(BUFFER);
    http
});

/// Serves a connection.
pub(super) async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<Arc<rustls::ServerConfig>>,
    app: Router,
    mut admitted: Admitted,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "cannot set TCP_NODELAY");
    }
    let watch = admitted.watch();
    let Some(tls) = tls else {
        watch.ready();
        let stream = Stream { stream, peer, encryption: Encryption::None };
        return http(stream, app, &mut admitted).await;
    };
    let handshake =
        TlsAcceptor::from(tls).accept_with(stream, |tls| tls.set_buffer_limit(Some(BUFFER)));
    match handshake.await {
        Ok(stream) => {
            watch.ready();
            let stream = Stream { stream, peer, encryption: Encryption::Tls };
            http(stream, app, &mut admitted).await;
        }
        Err(error) => tracing::debug!(%peer, %error, "TLS handshake failed"),
    }
}

/// The bytes of a connection without its encryption.
struct Stream<S> {
    stream: S,
    peer: SocketAddr,
    encryption: Encryption,
}

/// The encryption of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encryption {
    None,
    Tls,
}

async fn http<S>(stream: Stream<S>, app: Router, admitted: &mut Admitted)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let Stream { stream, peer, encryption } = stream;
    let watch = admitted.watch();
    let service = {
        let watch = Arc::clone(&watch);
        let app = TowerToHyperService::new(app);
        hyper::service::service_fn(move |mut request: Request<Incoming>| {
            let protocol = match request.version() {
                Version::HTTP_2 => Protocol::Http2,
                _ => Protocol::Http1,
            };
            let mut in_progress = watch.begin(protocol);
            request.extensions_mut().insert(ConnectInfo(peer));
            let receiving = Receiving::new(Arc::clone(&watch));
            let (request, unread) = RequestBody::of(request, receiving, protocol);
            let response = app.call(request);
            async move {
                let mut response = response.await?;
                if let Some(unread) = unread
                    && !Box::pin(unread.discard()).await
                {
                    let close = HeaderValue::from_static("close");
                    response.headers_mut().insert(header::CONNECTION, close);
                }
                in_progress.responded();
                if encryption == Encryption::Tls {
                    response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, HSTS.clone());
                }
                let length = match response.extensions().get() {
                    Some(Streamed) => Length::Streamed,
                    None => Length::Whole,
                };
                Ok::<_, std::convert::Infallible>(response.map(|body| ResponseBody {
                    body,
                    in_progress,
                    length,
                }))
            }
        })
    };
    let stream = TokioIo::new(Watched { stream, watch });
    let mut connection = pin!(HTTP.serve_connection(stream, service));
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => ended,
        () = admitted.closing() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, error = &*error as &dyn std::error::Error, "connection failed");
    }
}

/// An extension of a response that is produced while it is sent, however long that takes. Its time
/// limit starts anew with each part; the client must read as fast as it must read any response.
#[derive(Clone, Copy, Debug)]
pub struct Streamed;

/// The body of a response. The request is in progress until this value is dropped.
#[derive(Debug)]
struct ResponseBody {
    body: Body,
    /// Ends the request when dropped.
    in_progress: InProgress,
    length: Length,
}

/// Whether a response is produced while it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    Whole,
    Streamed,
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if self.length == Length::Streamed && matches!(polled, Poll::Ready(Some(Ok(_)))) {
            self.in_progress.progressed();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream whose reads and writes are recorded in a [`Watch`].
#[derive(Debug)]
struct Watched<S> {
    stream: S,
    watch: Arc<Watch>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.watch.was_read();
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.watch.was_written();
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.watch.was_written();
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(context);
        if matches!(polled, Poll::Ready(Ok(()))) {
            self.watch.was_flushed();
        }
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.watch.was_written();
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
