//! Forms that a visitor sent: checks the token of the session, and recognizes a form that is sent
//! again.

use super::error::PageError;
use super::params::Params;
use super::state::Web;
use super::visitor::Visitor;
use crate::store::sessions::SecretDigest;
use crate::web_secret::WebSecret;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use maud::{Markup, html};
use std::sync::Arc;

/// A form of a visitor, who was judged again after the form had arrived.
#[derive(Clone, Debug)]
pub(super) struct Posted {
    pub(super) visitor: Visitor,
    pub(super) params: Params,
    digest: SecretDigest,
}

/// Returns the hidden fields that every form has.
pub(super) fn hidden_fields(visitor: &Visitor) -> Markup {
    // Without random bytes the form has no identifier and is refused when it is sent.
    let id = WebSecret::random().map(|id| id.expose().to_owned()).unwrap_or_default();
    html! {
        input type="hidden" name="form_token" value=(visitor.form_token());
        input type="hidden" name="form_id" value=(id);
    }
}

impl FromRequest<Arc<Web>> for Posted {
    type Rejection = PageError;

    async fn from_request(request: Request, web: &Arc<Web>) -> Result<Self, PageError> {
        let (parts, body) = request.into_parts();
        let body = Request::from_parts(parts.clone(), body);
        let bytes = Bytes::from_request(body, web).await.map_err(|_| expired())?;
        let visitor = Visitor::find(web, &parts).await?;
        let visitor = visitor.ok_or_else(|| {
            PageError::new(StatusCode::UNAUTHORIZED, "The session has ended. Sign in again.")
        })?;
        let params = Params::parse(std::str::from_utf8(&bytes).map_err(|_| expired())?)?;
        if !visitor.is_own_form_token(params.get("form_token")) {
            return Err(expired());
        }
        let id = WebSecret::parse(params.get("form_id")).ok_or_else(expired)?;
        let digest = id.derive(visitor.session.id.to_string().as_bytes());
        Ok(Self { visitor, params, digest })
    }
}

fn expired() -> PageError {
    let text = "The form has expired. Go back, reload the page and send it again.";
    PageError::new(StatusCode::FORBIDDEN, text)
}

impl Posted {
    /// Records that the form was sent. Returns `false` if it was sent before.
    ///
    /// # Errors
    /// [`PageError`] if the database fails.
    pub(super) async fn claim(&self, web: &Web) -> Result<bool, PageError> {
        Ok(web.service.store.claim_form(&self.digest).await?)
    }

    /// Allows the form to be sent again, because its request was refused.
    ///
    /// # Errors
    /// [`PageError`] if the database fails.
    pub(super) async fn release(&self, web: &Web) -> Result<(), PageError> {
        Ok(web.service.store.release_form(&self.digest).await?)
    }

    /// Returns the digest of the form's identifier.
    pub(super) const fn digest(&self) -> &SecretDigest {
        &self.digest
    }
}
