//! One free request that asks a provider for its models: does it answer, does it take the key, and
//! what time does it have.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{AUTHORIZATION, DATE, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use crate::adapters::http::paid::{PaidClient, cause};
use crate::domain::base_url::BaseUrl;

/// How long the answer may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The HTTP status.
    pub status: u16,
    /// The provider's own time, when it says so.
    pub date: Option<Timestamp>,
}

/// Asks once.
///
/// # Errors
/// Why no answer came, in a few words without the address.
pub async fn probe(
    client: &PaidClient,
    base: &BaseUrl,
    key: Option<&SecretString>,
) -> Result<Probe, String> {
    let mut request = client.client.get(base.join("models")).timeout(TIMEOUT);
    if let Some(key) = key {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", key.expose_secret()))
            .map_err(|_| "the key has characters that no header can carry".to_owned())?;
        value.set_sensitive(true);
        request = request.header(AUTHORIZATION, value);
    }
    let response = request.send().await.map_err(|error| cause(&error))?;
    let date = response.headers().get(DATE).and_then(|value| value.to_str().ok());
    let date = date.and_then(|text| jiff::fmt::rfc2822::parse(text).ok());
    Ok(Probe { status: response.status().as_u16(), date: date.map(|it| it.timestamp()) })
}
