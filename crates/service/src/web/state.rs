//! The state that all pages share, and the result of a page.

use super::error::PageError;
use super::origin::PublicOrigin;
use crate::openid::OpenIdProvider;
use crate::service::Service;
use axum::response::Response;
use std::sync::Arc;

/// The state of the pages.
#[derive(Debug)]
pub struct Web {
    pub(super) service: Arc<Service>,
    pub(super) origin: PublicOrigin,
    pub(super) openid: Option<Arc<OpenIdProvider>>,
}

impl Web {
    /// Creates the pages of a service.
    #[must_use]
    pub const fn new(
        service: Arc<Service>,
        origin: PublicOrigin,
        openid: Option<Arc<OpenIdProvider>>,
    ) -> Self {
        Self { service, origin, openid }
    }
}

/// The state, as handlers get it.
pub(super) type SharedWeb = axum::extract::State<Arc<Web>>;
/// The response of a page.
pub(super) type PageResult = Result<Response, PageError>;
