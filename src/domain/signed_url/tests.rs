//! Tests of the readers of signed addresses.

use proptest::prelude::*;

use super::*;

/// 2026-01-02T03:04:05Z in seconds.
const END: i64 = 1_767_323_045;

fn read(text: &str) -> Lifetime {
    lifetime(&Url::parse(text).expect(text))
}

fn signed_until(end: Option<i64>) -> Lifetime {
    let expires = end.map(|end| Timestamp::from_second(end).expect("a time"));
    Lifetime { expires, is_signed: true, ..Lifetime::default() }
}

fn base64(text: &str) -> String {
    base64_simd::STANDARD.encode_to_string(text)
}

fn token(claims: &str) -> String {
    let part = |text| base64_simd::URL_SAFE_NO_PAD.encode_to_string(text);
    format!("{}.{}.c2ln", part(r#"{"alg":"HS256"}"#), part(claims))
}

#[test]
fn the_end_of_every_format_is_read() {
    let policy = |text: &str| base64(text).replace('+', "-").replace('=', "_").replace('/', "~");
    let custom = policy(&format!(
        r#"{{"Statement":[{{"Condition":{{"DateLessThan":{{"AWS:EpochTime":{END}}}}}}}]}}"#
    ));
    let jwt = token(&format!(r#"{{"exp":{END}}}"#));
    for query in [
        "AWSAccessKeyId=AKIA&Signature=a%2Bb&Expires=1767323045".to_owned(),
        "GoogleAccessId=me@x&Signature=s&Expires=1767323045".to_owned(),
        "Key-Pair-Id=K&Signature=s&Expires=1767323045&Hash-Algorithm=SHA256".to_owned(),
        format!("Key-Pair-Id=K&Signature=s&Policy={custom}"),
        "KeyName=k&Signature=s&Expires=1767323045".to_owned(),
        "URLPrefix=aHR0cHM&Expires=1767323045&KeyName=k&Signature=s".to_owned(),
        "exp=1767323045&sig=0a".to_owned(),
        "hdnts=exp=1767323045~acl=/*~hmac=0a".to_owned(),
        "hdnea=exp%3D1767323045~hmac%3D0a".to_owned(),
        "__token__=exp=1767323045~hmac=0a".to_owned(),
        "__cld_token__=exp=1767323045~hmac=0a".to_owned(),
        "anything=exp=1767323045~hmac=0a".to_owned(),
        "public_id=x&signature=s&expires_at=1767323045".to_owned(),
        "token=abc&expires=1767323045".to_owned(),
        "ex=695735a5&is=69500000&hm=0a".to_owned(),
        "_nc_cat=1&oh=0a&oe=695735A5".to_owned(),
        "OSSAccessKeyId=K&Signature=s&Expires=1767323045".to_owned(),
        format!("access={jwt}"),
        format!("access={}", token(r#"{"exp":"1767323045"}"#)),
        format!("access={}", token(r#"{"exp":1767323045.75}"#)),
        "sv=2024-08-04&sr=b&sp=r&sig=s&se=2026-01-02T03:04:05Z".to_owned(),
        "sv=2024-08-04&sr=b&sp=r&sig=s&se=2026-01-02T03%3A04%3A05Z".to_owned(),
        "sv=2024-08-04&ss=b&srt=o&sp=rl&sig=s&se=2026-01-02T03:04:05.0000000Z".to_owned(),
    ] {
        let life = read(&format!("https://x.example/a.png?w=2&{query}"));
        assert_eq!(life, signed_until(Some(END)), "{query}");
    }
    let supabase = format!("https://x.supabase.co/storage/v1/object/sign/b/a.png?token={jwt}");
    assert_eq!(read(&supabase), signed_until(Some(END)));
    let bunny = "https://x.b-cdn.net/bcdn_token=abc&expires=1767323045&token_path=%2F/a.png";
    assert_eq!(read(bunny), signed_until(Some(END)));
}

#[test]
fn a_date_and_a_life_make_an_end_and_a_begin() {
    for prefix in ["X-Amz", "X-Goog", "x-amz", "X-AMZ", "x-oss"] {
        let url = format!(
            "https://b.example/a?{prefix}-Algorithm=A&{prefix}-Date=20260102T030400Z\
            &{prefix}-Expires=5&{prefix}-Signature=0a"
        );
        let begin = Timestamp::from_second(END - 5 - 900).expect("a time");
        let expect = Lifetime { not_before: Some(begin), ..signed_until(Some(END)) };
        assert_eq!(read(&url), expect, "{prefix}");
    }
}

#[test]
fn an_address_without_a_known_end_has_no_known_end_row_87() {
    assert_eq!(read("https://x.example/a.png?w=2"), Lifetime::default());
    // A parameter alone is no signature.
    for query in [
        "Expires=1767323045",
        "exp=1767323045",
        "token=abc",
        "se=2026-01-02T03:04:05Z",
        "ex=695735a5",
        "Signature=s&w=2",
        "v=1.2.3",
        "Policy=abc",
    ] {
        let life = read(&format!("https://x.example/a.png?{query}"));
        assert_eq!(life, Lifetime::default(), "{query}");
    }
    // Signed, but the end is not written there or cannot be read.
    let jwt = token("{}");
    for query in [
        "AWSAccessKeyId=AKIA&Signature=s",
        "AWSAccessKeyId=AKIA&Signature=s&Expires=",
        "AWSAccessKeyId=AKIA&Signature=s&Expires=tomorrow",
        "AWSAccessKeyId=AKIA&Signature=s&Expires=-5",
        "AWSAccessKeyId=AKIA&Signature=s&Expires=99999999999999999999",
        "AWSAccessKeyId=AKIA&Signature=s&Expires=9223372036854775807",
        "X-Amz-Algorithm=A&X-Amz-Date=junk&X-Amz-Expires=60&X-Amz-Signature=s",
        "X-Amz-Algorithm=A&X-Amz-Date=20269902T030400Z&X-Amz-Expires=60&X-Amz-Signature=s",
        "X-Amz-Algorithm=A&X-Amz-Expires=60&X-Amz-Signature=s",
        "Key-Pair-Id=K&Signature=s&Policy=!!!",
        "ex=ffffffffffffffff&is=1&hm=2",
        "ex=&is=1&hm=2",
        "hdnts=acl=/*~hmac=0a",
        "sv=2024-08-04&sr=b&sp=r&sig=s&se=soon",
        "alt=media&token=53b07e36-2b5e-4a1c-9d3a-0d2c3b1a0f00",
        &format!("token={jwt}"),
    ] {
        let life = read(&format!("https://x.example/a.png?{query}"));
        assert_eq!((life.expires, life.is_signed), (None, true), "{query}");
        assert_eq!(life.unusable, None, "{query}");
    }
}

#[test]
fn the_smallest_end_wins_row_88() {
    let store = "X-Amz-Algorithm=A&X-Amz-Date=20260102T030400Z&X-Amz-Expires=5&X-Amz-Signature=s";
    for (delivery, end) in [
        (format!("Key-Pair-Id=K&Signature=s&Expires={}", END + 9), END),
        (format!("Key-Pair-Id=K&Signature=s&Expires={}", END - 9), END - 9),
        (format!("t={}", token(&format!("{{\"exp\":{}}}", END - 7))), END - 7),
        (format!("token=a&expires={END}&expires={}", END - 3), END - 3),
    ] {
        for query in [format!("{store}&{delivery}"), format!("{delivery}&{store}")] {
            let life = read(&format!("https://x.example/a.png?{query}"));
            assert_eq!(life.expires, signed_until(Some(end)).expires, "{query}");
        }
    }
}

#[test]
fn temporary_credentials_may_end_it_early_row_89() {
    let query = "X-Amz-Algorithm=A&X-Amz-Date=20260102T030400Z&X-Amz-Expires=5&X-Amz-Signature=s";
    assert!(!read(&format!("https://x.example/a?{query}")).may_end_early);
    let temporary = read(&format!("https://x.example/a?{query}&X-Amz-Security-Token=t"));
    assert!(temporary.may_end_early);
    assert_eq!(temporary.expires, signed_until(Some(END)).expires);
    assert!(read("https://x.example/a?sv=1&sig=s&si=policy").may_end_early);
}

#[test]
fn milliseconds_and_hexadecimal_seconds_are_told_apart_row_90() {
    for (query, end) in [
        ("token=a&expires=1767323045", END),
        ("token=a&expires=1767323045000", END),
        ("token=a&expires=100000000000", 100_000_000_000),
        ("token=a&expires=100000000001", 100_000_000),
        ("ex=695735a5&is=0&hm=a", END),
        ("ex=695735A5&is=0&hm=a", END),
    ] {
        let life = read(&format!("https://x.example/a?{query}"));
        let end = Timestamp::from_second(end).expect("a time");
        let got = life.expires.map(|it| it.as_second());
        assert_eq!(got, Some(end.as_second()), "{query}");
    }
}

#[test]
fn short_times_of_azure_and_lent_keys_are_read() {
    let end = |query: &str| {
        let life = read(&format!("https://a.blob.example/c/b?sv=1&sr=b&sig=s&sp=r&{query}"));
        life.expires.map(|it| it.to_string())
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(end("se=2026-01-02"), some("2026-01-02T00:00:00Z"));
    assert_eq!(end("se=2026-01-02T03:04Z"), some("2026-01-02T03:04:00Z"));
    assert_eq!(end("se=2026-01-02T03:04:05Z"), some("2026-01-02T03:04:05Z"));
    assert_eq!(end("se=2026-01-02T03:04:05%2B01:00"), some("2026-01-02T02:04:05Z"));
    assert_eq!(end("se=2026-01-09&ske=2026-01-02T03:04:05Z"), some("2026-01-02T03:04:05Z"));
    assert_eq!(end("si=policy"), None);
    let begun = read("https://a.blob.example/c/b?sv=1&sig=s&sp=r&st=2026-01-02&se=2026-01-03");
    assert_eq!(begun.not_before.map(|it| it.to_string()), some("2026-01-02T00:00:00Z"));
}

#[test]
fn what_can_never_be_read_says_why() {
    for (url, part) in [
        ("https://a.blob.example/c/b?sv=1&sig=s&sp=w&se=2026-01-02", "(sp)"),
        ("https://a.blob.example/c/b?sv=1&sig=s&sp=&se=2026-01-02", "(sp)"),
        ("http://a.blob.example/c/b?sv=1&sig=s&sp=r&spr=https&se=2026-01-02", "(spr)"),
        (
            "https://b/a?X-Amz-Signature=s&X-Amz-Date=20260102T030400Z&X-Amz-Expires=604801",
            "7 days",
        ),
        ("https://b/a?X-Goog-Signature=s&X-Goog-Expires=99999999999999999999999", "7 days"),
    ] {
        let why = read(url).unusable.unwrap_or_default();
        assert!(why.contains(part), "{url}: {why:?}");
    }
    for url in [
        "https://a.blob.example/c/b?sv=1&sig=s&sp=racwd&spr=https,http&se=2026-01-02",
        "https://a.blob.example/c/b?sv=1&sig=s&si=policy",
        "https://b/a?X-Amz-Signature=s&X-Amz-Date=20260102T030400Z&X-Amz-Expires=604800",
    ] {
        assert_eq!(read(url).unusable, None, "{url}");
    }
}

#[test]
fn begins_are_read_and_the_latest_counts() {
    let begin = |url: &str| read(url).not_before.map(|it| it.as_second());
    assert_eq!(begin("https://x/a?hdnts=st=1767323045~exp=1767329999~hmac=a"), Some(END));
    let jwt = token(r#"{"nbf":1767323045,"exp":1767329999}"#);
    assert_eq!(begin(&format!("https://x/a?t={jwt}&hdnts=st=5~exp=9~hmac=a")), Some(END));
    let policy = r#"{"Statement":{"Condition":{"DateGreaterThan":{"AWS:EpochTime":1767323045}}}}"#;
    let policy = base64(policy).replace('=', "_");
    assert_eq!(begin(&format!("https://x/a?Policy={policy}&Key-Pair-Id=K")), Some(END));
}

const NAMES: &str = "X-Amz-(Date|Expires|Signature)|X-Goog-(Date|Expires|Signature)|Expires|\
    Signature|AWSAccessKeyId|Key-Pair-Id|Policy|s[verpigt]|sig|se|st|exp|token|hdnts|ex|is|hm";

proptest! {
    #[test]
    fn no_parameters_make_it_fall_over(
        pairs in prop::collection::vec(
            (NAMES, "[0-9a-fTZ:=~.-]{0,24}|[ -~]{0,30}|[0-9]{10}|[0-9]{18,22}"), 0..12),
    ) {
        let mut url = Url::parse("https://x.example/a").expect("an address");
        url.query_pairs_mut().extend_pairs(&pairs);
        let life = lifetime(&url);
        prop_assert!(life.is_signed || life.expires.is_none());
        let _ = object_of(&url);
        prop_assert!(same_object(&url, &url));
    }

    #[test]
    fn the_order_of_parameters_changes_nothing(end in 0_i64..200_000_000_000, other in 0_i64..9) {
        let pairs = [
            format!("Expires={end}"), "Signature=s".to_owned(), "KeyName=k".to_owned(),
            format!("exp={other}"), "sig=t".to_owned(),
        ];
        let there = read(&format!("https://x.example/a?{}", pairs.join("&")));
        let mut back = pairs;
        back.reverse();
        prop_assert_eq!(read(&format!("https://x.example/a?{}", back.join("&"))), there);
        prop_assert!(there.expires.is_some_and(|it| it.as_second() <= other));
    }
}
