//! The signature of an address of one blob with the key of its account. Source: "Create a service
//! SAS" of Azure's reference, version 2020-12-06 and later.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use url::Url;

use crate::domain::uri;

/// The address with its signature made anew over the name as it is, not as it is percent-encoded:
/// the client of the stores signs the latter, which is refused for names with a space or an umlaut.
/// Nothing when it is signed by a lent key, or the key is none.
pub fn sign_anew(url: &Url, resource: &str, account_key: &str) -> Option<Url> {
    let pairs = uri::query_pairs(url.query()?);
    let value = |name: &str| {
        let found = pairs.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value.as_str())
    };
    if !value("skoid").is_empty() || value("sv") < "2020-12-06" || value("sr") != "b" {
        return None;
    }
    let canonical = format!("/blob/{resource}");
    let text = [
        value("sp"),
        value("st"),
        value("se"),
        &canonical,
        value("si"),
        value("sip"),
        value("spr"),
        value("sv"),
        value("sr"),
        "", // no snapshot
        value("ses"),
        value("rscc"),
        value("rscd"),
        value("rsce"),
        value("rscl"),
        value("rsct"),
    ]
    .join("\n");
    let key = base64_simd::STANDARD.decode_to_vec(account_key).ok()?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key may have any length");
    mac.update(text.as_bytes());
    let signature = base64_simd::STANDARD.encode_to_string(mac.finalize().into_bytes());
    let encode = |text: &str| uri::encode(text.as_bytes(), "");
    let signed: Vec<String> = pairs
        .iter()
        .map(|(name, value)| if name == "sig" { (name, &signature) } else { (name, value) })
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
        .collect();
    let mut new = url.clone();
    new.set_query(Some(&signed.join("&")));
    Some(new)
}
