//! Any text as an address: its life, its object; nothing may fall over.
#![no_main]

use imagemill::domain::signed_url::{lifetime, object_of, same_object};
use url::Url;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let Ok(url) = Url::parse(text) else { return };
    let life = lifetime(&url);
    assert!(life.is_signed || life.expires.is_none(), "an end is that of a signature");
    assert!(same_object(&url, &url));
    let object = object_of(&url);
    let again = Url::parse(&object).expect("the address of an object is one");
    assert!(same_object(&url, &again));
    assert_eq!(object_of(&again), object);
});
