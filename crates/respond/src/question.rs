//! The questions that verify a token: which endpoints are asked, with which call.
//!
//! Input: the provider of a token, and the settings. Output: questions, or the option that is missing. Which
//! answers make a token dead is decided by [`super::Responder`].

use super::cloudflare::AccountId;
use super::endpoint::Endpoint;
use super::http::{Client, Credential};
use super::provider::{Provider, UnsupportedKind};
use super::settings::{Settings, UserName};
use super::verdict::Answer;
use super::{
    atlassian, cloudflare, datadog, ddpatrold, github, gitlab, grafana, npm, vercel, wandb,
};
use ddpatrol_token::Secret;

/// A question to one endpoint.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    pub(super) endpoint: &'a Endpoint,
    call: Call<'a>,
}

/// The tokens of a provider cannot be verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoQuestion {
    #[error("no issuer is configured; use --datadog-site or --issuer")]
    Issuer,
    #[error("GitHub refresh tokens cannot be verified")]
    GitHubRefresh,
    #[error("a token does not name its Grafana instance; use --grafana-url")]
    GrafanaUrl,
    #[error("an account token needs the id of its account; use --cloudflare-account")]
    CloudflareAccount,
    #[error("a global API key needs the e-mail address of its user; use --cloudflare-email")]
    CloudflareEmail,
    #[error("an app password needs the name of its user; use --bitbucket-user")]
    BitbucketUser,
    #[error("an API token needs the e-mail address of its user; use --atlassian-email")]
    AtlassianEmail,
    /// No question of this kind of token exists.
    #[error("{}", .0.reason())]
    Unsupported(UnsupportedKind),
}

/// The call that verifies a token.
#[derive(Clone, Copy, Debug)]
enum Call<'a> {
    Datadog,
    Ddpatrold,
    GitHub,
    GitLab,
    Npm,
    CloudflareUser,
    CloudflareAccount(&'a AccountId),
    CloudflareKey(&'a UserName),
    Vercel(vercel::VercelKind),
    Bitbucket,
    BitbucketPassword(&'a UserName),
    AtlassianAtBitbucket(&'a UserName),
    AtlassianSite(&'a UserName),
    Grafana,
    WeightsAndBiases,
}

impl Question<'_> {
    /// Asks the endpoint about a token.
    pub(super) fn ask(&self, client: &Client, token: &Secret) -> Answer {
        let endpoint = self.endpoint;
        let basic = |user| Credential::Basic { user, password: token.expose() };
        let at_bitbucket = |credential, option| {
            atlassian::verify_at_bitbucket(client, endpoint, credential, option)
        };
        match self.call {
            Call::Datadog => datadog::verify(client, endpoint, token),
            Call::Ddpatrold => ddpatrold::verify(client, endpoint, token),
            Call::GitHub => github::verify(client, endpoint, token),
            Call::GitLab => gitlab::verify(client, endpoint, token),
            Call::Npm => npm::verify(client, endpoint, token),
            Call::CloudflareUser => cloudflare::verify_user_token(client, endpoint, token),
            Call::CloudflareAccount(account) => {
                cloudflare::verify_account_token(client, endpoint, account, token)
            }
            Call::CloudflareKey(email) => {
                cloudflare::verify_global_key(client, endpoint, email.as_str(), token)
            }
            Call::Vercel(kind) => vercel::verify(client, endpoint, kind, token),
            Call::Bitbucket => at_bitbucket(Credential::Bearer(token.expose()), None),
            Call::BitbucketPassword(user) => {
                at_bitbucket(basic(user.as_str()), Some("--bitbucket-user"))
            }
            Call::AtlassianAtBitbucket(user) => {
                at_bitbucket(basic(user.as_str()), Some("--atlassian-email"))
            }
            Call::AtlassianSite(user) => {
                atlassian::verify_at_site(client, endpoint, basic(user.as_str()))
            }
            Call::Grafana => grafana::verify(client, endpoint, token),
            Call::WeightsAndBiases => wandb::verify(client, endpoint, token),
        }
    }
}

impl Settings {
    /// Returns the questions that verify a provider's tokens.
    ///
    /// # Errors
    /// They cannot be verified, or an option is missing.
    pub(super) fn questions(&self, provider: Provider) -> Result<Vec<Question<'_>>, NoQuestion> {
        let questions = match provider {
            Provider::Datadog | Provider::ServiceAccount => {
                let mut questions = each(&self.issuers, Call::Ddpatrold);
                questions.extend(each(&self.sites, Call::Datadog));
                return some(questions, NoQuestion::Issuer);
            }
            Provider::GitHub => vec![Question { endpoint: &self.github, call: Call::GitHub }],
            Provider::GitHubRefresh => return Err(NoQuestion::GitHubRefresh),
            Provider::GitLab => each(&self.gitlab, Call::GitLab),
            Provider::Npm => vec![Question { endpoint: &self.npm, call: Call::Npm }],
            Provider::CloudflareUser | Provider::CloudflareAccount | Provider::CloudflareKey => {
                return self.cloudflare_questions(provider);
            }
            Provider::Vercel => self.vercel_questions(vercel::VercelKind::Personal),
            Provider::VercelApp => self.vercel_questions(vercel::VercelKind::App),
            Provider::Atlassian | Provider::Bitbucket | Provider::BitbucketPassword => {
                return self.atlassian_questions(provider);
            }
            Provider::Grafana => {
                return some(each(&self.grafana, Call::Grafana), NoQuestion::GrafanaUrl);
            }
            Provider::WeightsAndBiases => each(&self.wandb, Call::WeightsAndBiases),
            Provider::Unsupported(kind) => return Err(NoQuestion::Unsupported(kind)),
        };
        Ok(questions)
    }

    fn cloudflare_questions(&self, provider: Provider) -> Result<Vec<Question<'_>>, NoQuestion> {
        let settings = &self.cloudflare;
        let question = |call| Question { endpoint: &settings.api, call };
        let accounts = || settings.accounts.iter().map(Call::CloudflareAccount).map(question);
        match (provider, &settings.email) {
            (Provider::CloudflareAccount, _) => {
                some(accounts().collect(), NoQuestion::CloudflareAccount)
            }
            (Provider::CloudflareKey, Some(email)) => {
                Ok(vec![question(Call::CloudflareKey(email))])
            }
            (Provider::CloudflareKey, None) => Err(NoQuestion::CloudflareEmail),
            _ => Ok(vec![question(Call::CloudflareUser)]),
        }
    }

    fn vercel_questions(&self, kind: vercel::VercelKind) -> Vec<Question<'_>> {
        vec![Question { endpoint: &self.vercel, call: Call::Vercel(kind) }]
    }

    fn atlassian_questions(&self, provider: Provider) -> Result<Vec<Question<'_>>, NoQuestion> {
        let settings = &self.atlassian;
        let at_bitbucket = |call| Question { endpoint: &settings.bitbucket, call };
        match provider {
            Provider::Bitbucket => Ok(vec![at_bitbucket(Call::Bitbucket)]),
            Provider::BitbucketPassword => {
                let user = settings.bitbucket_user.as_ref().ok_or(NoQuestion::BitbucketUser)?;
                Ok(vec![at_bitbucket(Call::BitbucketPassword(user))])
            }
            _ => {
                let user = settings.email.as_ref().ok_or(NoQuestion::AtlassianEmail)?;
                let mut questions = each(&settings.sites, Call::AtlassianSite(user));
                questions.push(at_bitbucket(Call::AtlassianAtBitbucket(user)));
                Ok(questions)
            }
        }
    }
}

/// Returns a question to each endpoint.
fn each<'a>(endpoints: &'a [Endpoint], call: Call<'a>) -> Vec<Question<'a>> {
    endpoints.iter().map(|endpoint| Question { endpoint, call }).collect()
}

/// Returns the questions unless there are none: without an endpoint nothing has rejected a token.
fn some(
    questions: Vec<Question<'_>>,
    missing: NoQuestion,
) -> Result<Vec<Question<'_>>, NoQuestion> {
    if questions.is_empty() { Err(missing) } else { Ok(questions) }
}
