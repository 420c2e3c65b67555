//! Asks the user's own program or service for a new signature.
//!
//! Both get one JSON object, `{"url": "…"}`, and give one back. What they say is not trusted: it is
//! bounded in time and size, must name the same object, and is judged by the gate before it is
//! asked.

mod command;
mod endpoint;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use url::Url;

pub use command::RefreshCommand;
pub use endpoint::{EndpointError, RefreshEndpoint};

use crate::adapters::references::signer::StoreSigner;
use crate::adapters::references::stores::Stores;
use crate::domain::fetch::FetchSettings;
use crate::domain::redact::{redact, without_values};
use crate::domain::reference::{Reference, redact_queries};
use crate::domain::signed_url::same_object;
use crate::ports::references::{RefreshError, UrlRefresher};

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The most bytes of an answer: an address has a few thousand.
const MAX_ANSWER: usize = 64 * 1024;

/// What is asked with, and what is answered.
#[derive(Serialize, Deserialize)]
struct Address {
    url: String,
}

/// Everybody who can be asked, in the order in which they are: the user's own buckets, a program,
/// a service.
#[derive(Debug)]
pub struct Refreshers(Vec<Arc<dyn UrlRefresher>>);

impl Refreshers {
    /// Those that the settings name; buckets are signed for with the credentials of the stores.
    ///
    /// # Errors
    /// When the service's address cannot be used.
    pub fn of_settings(
        settings: &FetchSettings,
        stores: &Arc<Stores>,
    ) -> Result<Self, EndpointError> {
        let mut all: Vec<Arc<dyn UrlRefresher>> = Vec::new();
        let refresh = &settings.refresh;
        if !refresh.buckets.is_empty() {
            let signer = StoreSigner::new(Arc::clone(stores), refresh.buckets.clone());
            all.push(Arc::new(signer));
        }
        if let Some(command) = refresh.command.as_deref().and_then(RefreshCommand::of_words) {
            all.push(Arc::new(command));
        }
        if let Some(endpoint) = &refresh.endpoint {
            all.push(Arc::new(RefreshEndpoint::at(endpoint, settings)?));
        }
        Ok(Self(all))
    }
}

#[async_trait]
impl UrlRefresher for Refreshers {
    fn can_refresh(&self, url: &str) -> bool {
        self.0.iter().any(|refresher| refresher.can_refresh(url))
    }

    async fn refresh(&self, url: &str, life: Duration) -> Result<String, RefreshError> {
        let mut problems = Vec::new();
        for refresher in self.0.iter().filter(|it| it.can_refresh(url)) {
            let answer = refresher.refresh(url, life).await;
            match answer.and_then(|new| is_same(url, &new).map(|()| new)) {
                Ok(new) => return Ok(new),
                Err(RefreshError::NoRefresher) => {}
                Err(RefreshError::Failed(problem)) => problems.push(problem),
            }
        }
        if problems.is_empty() {
            return Err(RefreshError::NoRefresher);
        }
        Err(RefreshError::Failed(problems.join("; ")))
    }
}

/// Whether a new address names the object of the old one.
fn is_same(old: &str, new: &str) -> Result<(), RefreshError> {
    let other = || RefreshError::Failed("the new address names another object".to_owned());
    let (old, new) = Url::parse(old).ok().zip(Url::parse(new).ok()).ok_or_else(other)?;
    if same_object(&old, &new) { Ok(()) } else { Err(other()) }
}

/// Whether this is an address that programs and services are asked about.
fn is_web(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}

/// The question as one line.
fn question(url: &str) -> Vec<u8> {
    let address = Address { url: url.to_owned() };
    let mut line = serde_json::to_vec(&address).expect("a text serializes");
    line.push(b'\n');
    line
}

/// The address in an answer, or what is wrong with the answer.
fn read_answer(bytes: &[u8]) -> Result<String, &'static str> {
    if bytes.len() > MAX_ANSWER {
        return Err("gave more than 64 KiB");
    }
    let address: Address =
        serde_json::from_slice(bytes).map_err(|_| "gave no JSON object with a url")?;
    let is_address = matches!(Reference::parse(&address.url), Ok(Reference::Url(_)));
    if is_address && is_web(&address.url) { Ok(address.url) } else { Err("gave no web address") }
}

/// Foreign text fit for a report: nothing of the query that was asked about, nor anything that may
/// sign another address.
fn told(text: &str, url: &str) -> String {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    redact(&without_values(&redact_queries(text)), &[query])
}
