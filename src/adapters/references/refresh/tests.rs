//! Tests of those who sign anew: hooks that hang, lie and shout.

use std::str::FromStr;

use super::*;
use crate::adapters::references::canned::Canned;
use crate::domain::egress::AllowList;

const OLD: &str = "https://x.example/a.png?sig=secret-0123456789";
const NEW: &str = r#"{"url":"https://x.example/a.png?sig=2"}"#;
const LIFE: Duration = Duration::from_mins(15);

fn command(words: &[&str]) -> RefreshCommand {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    RefreshCommand::of_words(&words).expect("a word")
}

fn shell(script: &str) -> RefreshCommand {
    command(&["sh", "-c", script])
}

fn settings() -> FetchSettings {
    let allowed = AllowList::from_str("127.0.0.0/8").expect("a network");
    FetchSettings { allowed, ..FetchSettings::default() }
}

fn endpoint(address: &str) -> RefreshEndpoint {
    RefreshEndpoint::at(address, &settings()).expect(address)
}

fn why(answer: Result<String, RefreshError>) -> String {
    answer.expect_err("a failure").to_string()
}

#[tokio::test]
async fn a_command_gets_the_address_by_its_input_and_nothing_runs_it_row_94() {
    // `cat` gives the question back, so what comes back is what was asked, letter for letter.
    for url in [
        "https://x.example/a.png?sig=$(touch%20x)",
        "https://x.example/a.png?a=1&b=`id`;id|id>x",
        "https://x.example/--help?%22%0A",
        "https://x.example/'\"?--flag",
    ] {
        assert_eq!(command(&["cat"]).refresh(url, LIFE).await.as_deref(), Ok(url));
    }
    let no_reader = format!("echo '{NEW}'");
    let answer = shell(&no_reader).refresh(OLD, LIFE).await;
    assert_eq!(answer.as_deref(), Ok("https://x.example/a.png?sig=2"));
}

#[tokio::test]
async fn junk_of_a_command_is_no_address_row_94() {
    let check = async |script: &str, part: &str| {
        let told = why(shell(script).refresh(OLD, LIFE).await);
        assert!(told.contains(part), "{script}: {told}");
    };
    check("echo hello", "no JSON object").await;
    check("true", "no JSON object").await;
    check("echo '[]'", "no JSON object").await;
    check("echo '{\"address\":1}'", "no JSON object").await;
    check(&format!("echo '{NEW}{NEW}'"), "no JSON object").await;
    check("echo '{\"url\":\"file:///etc/passwd\"}'", "no web address").await;
    check("echo '{\"url\":\"../a.png\"}'", "no web address").await;
    check("echo '{\"url\":\"s3://b/k\"}'", "no web address").await;
    check("echo '{\"url\":\"https://u:p@x.example/a.png\"}'", "no web address").await;
    check("head -c 70000 /dev/zero", "more than 64 KiB").await;
    check(&format!("echo '{NEW}'; exit 3"), "exit status: 3").await;
    check("kill -9 $$", "signal").await;
    let missing = why(command(&["/no/such/program"]).refresh(OLD, LIFE).await);
    assert!(missing.contains("failed: "), "{missing}");
}

#[tokio::test]
async fn what_a_command_complains_about_is_told_without_queries_row_85_94() {
    let script = "echo first >&2; head -c 100000 /dev/zero | tr '\\0' x >&2; echo >&2; \
        read line; echo \"denied: $line for https://y.example/?token=abc\" >&2; exit 1";
    let told = why(shell(script).refresh(OLD, LIFE).await);
    assert!(told.contains("exit status: 1: denied: "), "{told}");
    for secret in ["secret", "0123456789", "token", "abc", "first"] {
        assert!(!told.contains(secret), "{told} has {secret}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_command_that_hangs_ends_with_all_it_has_started_row_94() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("pid");
    let script = format!("sleep 600 & echo $! >'{}'; wait", file.display());
    let hangs = shell(&script).within(Duration::from_millis(700));
    let told = why(hangs.refresh(OLD, LIFE).await);
    assert!(told.contains("gave no answer within 700ms"), "{told}");
    let text = std::fs::read_to_string(&file).expect("it was started");
    let number = text.trim().parse().expect("a number");
    let pid = rustix::process::Pid::from_raw(number).expect("a process");
    // An ended process whose parent has gone may wait a moment to be collected.
    let is_alive = || {
        let status = std::fs::read_to_string(format!("/proc/{number}/stat"));
        let is_dead = status.is_ok_and(|status| status.contains(") Z "));
        rustix::process::test_kill_process(pid).is_ok() && !is_dead
    };
    for _ in 0..1_000 {
        if !is_alive() {
            return;
        }
        tokio::task::yield_now().await;
        std::thread::yield_now();
    }
    assert!(!is_alive(), "what the command started lives on");
}

#[tokio::test]
async fn an_endpoint_is_posted_to_and_believed_only_as_far_as_it_goes_row_94() {
    let good = Canned::with("200 OK", "", NEW.as_bytes()).await;
    let answer = endpoint(&good.url).refresh(OLD, LIFE).await;
    assert_eq!(answer.as_deref(), Ok("https://x.example/a.png?sig=2"));
    let asked = good.asked().join("");
    assert!(asked.starts_with("POST / HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains("content-type: application/json\r\n"), "{asked}");
    assert!(asked.ends_with(&format!("{{\"url\":\"{OLD}\"}}\n")), "{asked}");

    let check = async |status: &str, headers: &str, body: &[u8], part: &str| {
        let server = Canned::with(status, headers, body).await;
        let told = why(endpoint(&server.url).refresh(OLD, LIFE).await);
        assert!(told.contains(part), "{status}: {told}");
        assert!(!told.contains("secret"), "{told}");
    };
    check("403 Forbidden", "", OLD.as_bytes(), "answered with 403").await;
    check("200 OK", "", OLD.as_bytes(), "no JSON object").await;
    check("200 OK", "", &[b' '; 70_000], "more than 64 KiB").await;
    let redirect = format!("location: {}/\r\n", good.url);
    check("307 Temporary Redirect", &redirect, b"", "answered with 307").await;
    check("302 Found", &redirect, b"", "answered with 302").await;
    assert_eq!(good.asked().len(), 1, "nobody was sent there");

    let gone = why(endpoint("http://127.0.0.1:9/").refresh(OLD, LIFE).await);
    assert!(gone.contains("refused"), "{gone}");
}

#[tokio::test]
async fn a_new_address_of_another_object_is_refused_row_95() {
    let says = |url: &str| Arc::new(shell(&format!("echo '{{\"url\":\"{url}\"}}'")));
    let all = |refreshers: Vec<Arc<dyn UrlRefresher>>| Refreshers(refreshers);
    for url in [
        "https://x.example/b.png?sig=2",
        "https://y.example/a.png?sig=2",
        "http://x.example/a.png?sig=2",
        "https://x.example:8443/a.png?sig=2",
        "http://169.254.169.254/a.png",
        "https://x.example/a.png?sig=2&versionId=V2",
        "https://x.example/a.png?sig=2&response-content-type=text/html",
    ] {
        let told = why(all(vec![says(url)]).refresh(OLD, LIFE).await);
        assert_eq!(told, "the new address names another object", "{url}");
    }
    // The next one is asked when one fails.
    let good = says("https://x.example/a.png?sig=2");
    let both = all(vec![says("https://x.example/b.png"), good]);
    let answer = both.refresh(OLD, LIFE).await;
    assert_eq!(answer.as_deref(), Ok("https://x.example/a.png?sig=2"));
    let neither = all(vec![says("https://x.example/b.png"), Arc::new(shell("exit 3"))]);
    let told = why(neither.refresh(OLD, LIFE).await);
    assert!(told.starts_with("the new address names another object; the refresh"), "{told}");
}

#[tokio::test]
async fn nobody_is_asked_where_nobody_is_configured() {
    let env = std::collections::BTreeMap::new();
    let stores = Arc::new(Stores::of_environment(&env, LIFE));
    let mut settings = settings();
    let none = Refreshers::of_settings(&settings, &stores).expect("refreshers");
    assert!(!none.can_refresh(OLD));
    assert_eq!(none.refresh(OLD, LIFE).await, Err(RefreshError::NoRefresher));
    settings.refresh.command = Some(vec!["cat".to_owned()]);
    settings.refresh.endpoint = Some("https://sign.example/".to_owned());
    let some = Refreshers::of_settings(&settings, &stores).expect("refreshers");
    assert!(some.can_refresh(OLD));
    assert!(!some.can_refresh("s3://b/k"), "it has no signature");
    assert_eq!(some.refresh(OLD, LIFE).await.as_deref(), Ok(OLD), "the command comes first");
    settings.refresh.endpoint = Some("no address".to_owned());
    assert!(Refreshers::of_settings(&settings, &stores).is_err());
}

#[test]
fn those_who_sign_anew_show_no_secret_row_85() {
    let command = command(&["sign", "--key=CANARY"]);
    let proxied = |proxy: &str| {
        let settings = FetchSettings { proxy: Some(proxy.to_owned()), ..settings() };
        RefreshEndpoint::at("https://sign.example/CANARY?token=CANARY", &settings)
    };
    let endpoint = proxied("http://me:CANARY@proxy.example").expect("an address");
    let refused = proxied("http://me:CANARY@[proxy").expect_err("no address");
    let shown = format!("{command:?} {endpoint:?} {refused:?} {refused}");
    assert!(!shown.contains("CANARY"), "{shown}");
    assert!(shown.contains("https://sign.example") && shown.contains("\"sign\""), "{shown}");
}
