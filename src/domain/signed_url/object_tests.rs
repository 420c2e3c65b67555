//! Tests of what an address names: which parts of it only sign.

use super::*;

fn url(text: &str) -> Url {
    Url::parse(text).expect(text)
}

fn check_same(old: &str, new: &str, expect: bool) {
    assert_eq!(same_object(&url(old), &url(new)), expect, "{old} {new}");
    assert_eq!(same_object(&url(new), &url(old)), expect, "{new} {old}");
}

fn check_object(text: &str, expect: &str) {
    let object = object_of(&url(text));
    assert_eq!(object, expect, "{text}");
    assert_eq!(object_of(&url(&object)), object, "{text}");
    let is_itself = url(&object) == url(text.split('#').next().unwrap_or_default());
    assert_eq!(is_whole(&url(text)), is_itself, "{text}");
}

/// A token of these claims.
fn token(claims: &str) -> String {
    let part = |text| base64_simd::URL_SAFE_NO_PAD.encode_to_string(text);
    format!("{}.{}.c2ln", part(r#"{"alg":"HS256"}"#), part(claims))
}

#[test]
fn only_what_signs_an_object_may_differ_row_95() {
    check_same("https://b.example/k.png?sig=1", "https://b.example/k.png?sig=2&exp=3", true);
    check_same("https://b.example/k.png", "https://B.example:443/k.png?sig=2", true);
    check_same("https://b.example/a%20b%7e", "https://b.example/a b~", true);
    check_same("https://b.example/k.png", "https://b.example/other.png", false);
    check_same("https://b.example/k.png", "https://b.example/k.png/", false);
    check_same("https://b.example/a%2Fb", "https://b.example/a/b", false);
    check_same("https://b.example/k.png", "https://c.example/k.png", false);
    check_same("https://b.example/k.png", "http://b.example/k.png", false);
    check_same("https://b.example/k.png", "https://b.example:8443/k.png", false);
    check_same("https://b.example/k.png", "https://b.example/x/../k.png", true);
}

#[test]
fn what_names_the_version_must_stay_row_95() {
    let amazon = |more: &str| {
        format!("https://b.example/k.png?{more}X-Amz-Date=1&X-Amz-Expires=2&X-Amz-Signature=3")
    };
    for (old, new) in [
        ("versionId=V1&", ""),
        ("versionId=V1&", "versionId=V2&"),
        ("", "versionId=V1&"),
        ("generation=1&", ""),
        ("snapshot=2026-01-02T03:04:05Z&", ""),
        ("response-content-type=image%2Fpng&", ""),
        ("partNumber=1&", ""),
        ("st=21&", "st=22&"),
        ("t=a+b&", "t=a%2Bb&"),
    ] {
        check_same(&amazon(old), &amazon(new), false);
    }
    check_same(&amazon("versionId=V1&"), &amazon("versionId=%561&"), true);
    check_same(&amazon("a=1&b=2&"), &amazon("b=2&a=1&"), true);
    check_same(&amazon("x-id=GetObject&"), &amazon(""), true);
    // The claims of a token are compared, but for its life.
    let dl = |claims: &str| format!("https://x.example/dl?token={}", token(claims));
    check_same(&dl(r#"{"id":11,"exp":1}"#), &dl(r#"{"id":11,"exp":2,"iat":1}"#), true);
    check_same(&dl(r#"{"id":11,"exp":1}"#), &dl(r#"{"id":12,"exp":1}"#), false);
    check_same("https://x.example/dl?token=a", "https://x.example/dl?token=b", false);
}

#[test]
fn a_fetch_is_shared_by_what_does_not_sign() {
    let bare = "https://b.example/k.png";
    for query in [
        "X-Amz-Signature=s&X-Amz-Date=1&X-Amz-Expires=2",
        "X-Goog-Signature=s&X-Goog-Algorithm=A&X-Goog-SignedHeaders=host",
        "X-Amz-Signature=s&x-id=GetObject&X-Amz-Content-Sha256=UNSIGNED-PAYLOAD",
        "AWSAccessKeyId=A&Signature=s&Expires=1",
        "Key-Pair-Id=K&Signature=s&Expires=1&Hash-Algorithm=SHA256",
        "Key-Pair-Id=K&Signature=s&Policy=e30_",
        "sv=1&sig=s&sp=r&ske=2026-01-02&skoid=2&sip=3",
        "sv=1&sr=b&sig=s&st=2026-01-02T03%3A04Z&se=2026-01-03",
        "exp=1767323045&sig=0a",
        "ex=695735a5&is=69500000&hm=0a",
        "token=abc&expires=1767323045&token_path=%2F",
        "hdnts=exp=1~hmac=a",
        "any=exp%3D1~acl%3D%2F*~hmac%3Da",
    ] {
        check_object(&format!("{bare}?{query}"), bare);
        check_object(&format!("{bare}?w=2&{query}&h=3"), &format!("{bare}?w=2&h=3"));
    }
    check_object("https://B.example:443/k.png#part", bare);
    check_object(
        "https://b.example/k.png?versionId=7&X-Amz-Signature=s",
        &format!("{bare}?versionId=7"),
    );
    let supabase = "https://x.example/storage/v1/object/sign/b/a.png";
    check_object(&format!("{supabase}?token={}", token(r#"{"exp":1}"#)), supabase);
    let firebase = "https://x.example/v0/b/bucket/o/a.png?alt=media";
    check_object(&format!("{firebase}&token=53b07e36"), firebase);
}

#[test]
fn what_may_choose_the_object_is_never_left_out() {
    for query in [
        // Not signed.
        "se=2&sp=3".to_owned(),
        "token=2".to_owned(),
        "st=21".to_owned(),
        // Signed, but the token may be what names the object.
        format!("token={}", token(r#"{"id":11,"exp":1767323045}"#)),
        "token=11&expires=1767323045".to_owned(),
        "alt=media&token=11".to_owned(),
        "hdnts=exp=1~data=11~hmac=a".to_owned(),
        // Nobody knows which of two is read.
        "sig=1&exp=2&sig=3".to_owned(),
        "sv=1&sig=1&sig=2&exp=3".to_owned(),
    ] {
        let address = format!("https://x.example/dl?{query}");
        check_object(&address, &address);
    }
    // Names of other formats belong to nobody here.
    for (query, kept) in [
        ("sp=1&sig=a&exp=1767323045", "sp=1"),
        ("st=21&sig=a&exp=1767323045", "st=21"),
        ("token=11&X-Amz-Signature=s", "token=11"),
        ("policy=7&ex=1&X-Amz-Signature=s", "policy=7&ex=1"),
        ("sv=1&sig=s&st=21&sp=3", "st=21&sp=3"),
    ] {
        check_object(
            &format!("https://x.example/p?{query}"),
            &format!("https://x.example/p?{kept}"),
        );
    }
}

#[test]
fn tokens_in_a_path_do_not_name_its_object() {
    let bare = "https://x.example/a/b.png";
    for part in [
        "bcdn_token=S&expires=1767323045&token_path=%2Fa%2F",
        "hdnts=exp=1767323045~acl=%2F*~hmac=0a",
        "hdnea=st=1~exp=1767323045~hmac=0a",
        "__token__=exp=1767323045~hmac=0a",
        "exp=1767323045~acl=%2f*~hmac=0a",
        "hdnts%3Dexp%3D1767323045~hmac%3D0a",
    ] {
        let signed = format!("https://x.example/{part}/a/b.png");
        check_object(&signed, bare);
        check_same(&signed, bare, true);
        let end = lifetime(&url(&signed)).expires.map(|it| it.as_second());
        assert_eq!(end, Some(1_767_323_045), "{part}");
    }
    for address in [
        "https://x.example/bcdn_token=S&expires=1&id=7/b.png",
        "https://x.example/hdnts=exp=1~data=7~hmac=a/b.png",
        "https://x.example/hdnts=exp=1~hmac=a/",
        "https://x.example/exp=7/b.png",
    ] {
        check_object(address, address);
    }
}
