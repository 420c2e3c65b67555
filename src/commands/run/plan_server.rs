//! Where a plan's requests go, and what is unusual about it.

use crate::cli::key_source::{KeySource, key_source};
use crate::cli::layers;
use crate::commands::run::plan_sources::Sources;
use crate::domain::plan::PlanServer;
use crate::domain::provider::profile;
use crate::domain::settings::Mode;
use crate::report::words;

/// Where the requests go, and with which key; the key itself is not looked at.
pub(super) fn server(sources: &Sources<'_>) -> Option<PlanServer> {
    let Sources { settings, layers, .. } = *sources;
    let (base, profile) = (settings.base_url.as_ref()?, profile(&settings.spec.provider)?);
    let key = match key_source(layers, profile, base) {
        _ if settings.rehearsal => "none of yours, this is a rehearsal".to_owned(),
        Ok(source) => source.describe(),
        Err(error) => error.to_string(),
    };
    Some(PlanServer { base_url: base.to_string(), key })
}

/// What a person should look at before requests go there.
pub(super) fn notes(sources: &Sources<'_>) -> Vec<String> {
    let Sources { settings, layers, .. } = *sources;
    if settings.rehearsal && settings.mode == Mode::DryRun {
        return vec!["--rehearsal asks the server only together with --live".to_owned()];
    }
    let mut notes = Vec::new();
    let target = settings.base_url.as_ref().zip(profile(&settings.spec.provider));
    if target.is_some() && settings.mode == Mode::Live && layers.get(layers::SIM).is_some() {
        notes.push("--sim counts for the forecast only: the server answers as it does".to_owned());
    }
    let Some((base, profile)) = target.filter(|_| !settings.rehearsal) else { return notes };
    let has_key = !matches!(key_source(layers, profile, base), Ok(KeySource::None(_)) | Err(_));
    if has_key && base.is_plain_http() && !base.is_loopback() {
        notes.push(format!("the key goes to {} without encryption", base.origin()));
    }
    let usual = profile.timeout_for(&settings.spec);
    if let Some(given) = settings.request_timeout.filter(|given| *given < usual) {
        notes.push(format!(
            "an answer may take only {} (usually {}); a later one may be billed and is lost",
            words::duration(given),
            words::duration(usual)
        ));
    }
    notes
}
