//! The setting of the request log. Writes no log; see [`crate::api::observation`].

/// The requests that are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestLog {
    /// Only failures of the service, at a limited rate.
    Failures,
    /// Every request, when its response starts.
    All,
}
