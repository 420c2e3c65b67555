use super::*;
use crate::domain::picture::{RunEnd, SceneReference};
use crate::report::{github, junit, markdown, tap};

/// A text that is a script, an escape of a terminal, a formula and a trick of direction at once.
const HOSTILE: &str =
    "=1+1</script><script>alert(1)</script>\"'><img src=x onerror=alert(2)>\u{1b}[31m\u{202e}|`@a";

struct Beside;

impl Sources for Beside {
    fn image(&self, picture: &Picture) -> String {
        picture.file.clone()
    }

    fn reference(&self, _: &str) -> Option<String> {
        None
    }
}

fn hostile() -> RunPicture {
    let scene = |outcome: &str| Scene {
        row: 1,
        scene_id: format!("{outcome}{HOSTILE}"),
        outcome: outcome.to_owned(),
        reason: (outcome != "ok").then(|| HOSTILE.to_owned()),
        n_images: 1,
        prompt: Some(format!("{HOSTILE}\nsecond line <!--")),
        model: Some(HOSTILE.to_owned()),
        asked: Some(HOSTILE.to_owned()),
        references: vec![SceneReference { name: HOSTILE.to_owned(), sha256: None }],
        images: vec![Picture {
            variant: 1,
            file: "images/a.png".to_owned(),
            latency_ms: 1200,
            ..Picture::default()
        }],
        ..Scene::default()
    };
    RunPicture {
        run_id: "r".to_owned(),
        rows_path: HOSTILE.to_owned(),
        asked: HOSTILE.to_owned(),
        end: Some(RunEnd { exit: 99, verdict: "fail".to_owned(), reason: HOSTILE.to_owned() }),
        gates: vec![GateLine {
            gate: HOSTILE.to_owned(),
            name: Some(HOSTILE.to_owned()),
            label: "errors rate".to_owned(),
            op: "<".to_owned(),
            limit: "5%".to_owned(),
            value: None,
            n: 3,
            verdict: "fail".to_owned(),
            severity: "error".to_owned(),
            reason: HOSTILE.to_owned(),
        }],
        scenes: ["ok", "failed", "unknown", "refused", "pending"].map(scene).into(),
        latencies_ms: vec![1200, 30, 45],
        moments: vec![crate::domain::picture::Moment { at_ms: 10, ..Default::default() }],
        ..RunPicture::default()
    }
}

#[test]
fn foreign_text_is_text_and_nothing_else_in_a_page() {
    let text = page(&hostile(), &Beside);
    for bad in ["<script>alert", "<img", "onerror=alert(2)>", "\u{1b}", "\u{202e}", "<!--"] {
        assert!(!text.contains(bad), "{bad:?}");
    }
    // Its own two scripts, and no third.
    assert_eq!(text.matches("<script").count(), 2);
    assert_eq!(text.matches("</script>").count(), 2);
    let named = hash(SCRIPT).replace('\'', "&#x27;").replace('/', "&#x2f;");
    assert!(text.contains(&format!("script-src {named}")), "{text}");
    for remote in ["http://", "https://", "src=\"//", "@import", "url("] {
        assert!(!text.contains(remote), "{remote}");
    }
    let data = text.split("id=\"data\">").nth(1).and_then(|rest| rest.split("</script>").next());
    let data: serde_json::Value = serde_json::from_str(data.expect("data")).expect("JSON");
    let prompt = data["scenes"][0]["prompt"].as_str().expect("a prompt");
    assert!(prompt.starts_with("=1+1</script>") && prompt.contains("\nsecond line <!--"));
}

#[test]
fn a_run_without_an_end_or_images_is_a_page_too() {
    let text = page(&RunPicture::default(), &Beside);
    assert!(text.contains("unfinished") && !text.contains("<svg"), "{text}");
}

#[test]
fn foreign_text_breaks_no_other_report() {
    let picture = hostile();
    let xml = junit::junit(&picture);
    assert!(!xml.contains("<script>") && !xml.contains('\u{1b}'), "{xml}");
    assert!(xml.contains("failures=\"3\"") && xml.contains("errors=\"1\""), "{xml}");
    assert!(xml.contains("skipped=\"1\""), "{xml}");
    let tap = tap::tap(&picture);
    assert!(tap.starts_with("TAP version 14\n1..6\nnot ok 1 - gate: =1+1"), "{tap}");
    assert_eq!(tap.lines().filter(|line| line.contains("ok ")).count(), 6, "{tap}");
    assert!(tap.contains("# SKIP pending"), "{tap}");
    let md = markdown::markdown(&picture);
    assert!(!md.contains("<script") && !md.contains("\n|`@a") && !md.contains(" @a"), "{md}");
    let told = github::github(&picture);
    assert!(told.lines().all(|line| line.starts_with("::error ")), "{told}");
    assert_eq!(told.lines().count(), 3, "{told}");
}

#[test]
fn github_gets_no_more_than_it_shows() {
    let mut picture = hostile();
    picture.scenes = (0..100)
        .map(|n| Scene {
            scene_id: format!("R-{n}"),
            outcome: "failed".to_owned(),
            ..Scene::default()
        })
        .collect();
    let told = github::github(&picture);
    assert_eq!(told.lines().count(), 10, "{told}");
    assert!(told.ends_with("and 92 more rows that did not end well\n"), "{told}");
    let many = markdown::markdown(&picture);
    assert!(many.contains("… and 0 more") || !many.contains("R-100"), "{many}");
}
