//! Answers to a browser.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "tests: their names say what they show, a panic is a failure"
)]

use std::{collections::BTreeSet, fs, path::Path};

use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode, header},
};
use fillstream_web_page::router;
use tower::ServiceExt;

const ROOM: usize = 1 << 20;

async fn ask(method: &str, path: &str, known: Option<&str>) -> (StatusCode, HeaderMap, String) {
    let request = Request::builder().method(method).uri(path);
    let request =
        known.into_iter().fold(request, |request, tags| request.header(header::IF_NONE_MATCH, tags));
    let response = router().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, ROOM).await.unwrap();
    (parts.status, parts.headers, String::from_utf8(body.into()).unwrap())
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> String {
    headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

/// The files of the page, by the address at which a browser asks for them.
fn files() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets");
    let mut found = BTreeSet::new();
    let mut open = vec![root.clone()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.insert(format!("/assets/{}", path.strip_prefix(&root).unwrap().display()));
            }
        }
    }
    assert!(found.remove("/assets/index.html"), "it is served at /");
    found
}

#[tokio::test]
async fn every_file_is_served_with_its_type() {
    let paths = files();
    assert!(paths.contains("/assets/app.js"), "{paths:?}");
    for path in paths.iter().map(String::as_str).chain(["/"]) {
        let (status, headers, body) = ask("GET", path, None).await;
        assert_eq!(status, StatusCode::OK, "{path}: is it in assets.rs?");
        let expected = match path.rsplit_once('.').map(|(_, ending)| ending) {
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("svg") => "image/svg+xml",
            Some("txt") => "text/plain; charset=utf-8",
            Some(other) => panic!("{path}: say which type .{other} has"),
            None => "text/html; charset=utf-8",
        };
        assert_eq!(text(&headers, header::CONTENT_TYPE), expected, "{path}");
        assert_eq!(text(&headers, header::X_CONTENT_TYPE_OPTIONS), "nosniff", "{path}");
        assert!(!body.is_empty(), "{path}");
    }
}

#[tokio::test]
async fn what_the_browser_has_is_not_sent_again() {
    let (_, headers, page) = ask("GET", "/", None).await;
    let tag = text(&headers, header::ETAG);
    let check = async |known: &str, expected| {
        let (status, headers, body) = ask("GET", "/", Some(known)).await;
        assert_eq!(status, expected, "{known}");
        assert_eq!(body.is_empty(), expected == StatusCode::NOT_MODIFIED, "{known}");
        assert_eq!(text(&headers, header::ETAG), tag, "{known}");
        assert_eq!(text(&headers, header::CACHE_CONTROL), "no-cache", "{known}");
    };
    check(&tag, StatusCode::NOT_MODIFIED).await;
    check(&format!("W/{tag}"), StatusCode::NOT_MODIFIED).await;
    check(&format!("\"other\", {tag}"), StatusCode::NOT_MODIFIED).await;
    check("*", StatusCode::NOT_MODIFIED).await;
    check("\"other\"", StatusCode::OK).await;
    check(tag.trim_matches('"'), StatusCode::OK).await;
    let (_, script, _) = ask("GET", "/assets/app.js", None).await;
    assert_ne!(text(&script, header::ETAG), tag, "each file has its own");
    let (status, headers, body) = ask("HEAD", "/", None).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, ""));
    assert_eq!(text(&headers, header::CONTENT_LENGTH), page.len().to_string());
}

#[tokio::test]
async fn nothing_foreign_and_nothing_inline_runs() {
    for path in ["/", "/assets/app.js"] {
        let (_, headers, _) = ask("GET", path, None).await;
        let policy = text(&headers, header::CONTENT_SECURITY_POLICY);
        for part in
            ["default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"]
        {
            assert!(policy.split("; ").any(|one| one == part), "{path}: {part} in {policy}");
        }
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
    }
    let (_, _, page) = ask("GET", "/", None).await;
    for inline in ["<style", " style=", " onclick=", "<script>", "javascript:"] {
        assert!(!page.contains(inline), "the policy would stop {inline}");
    }
}

/// What a file asks the browser to load: scripts by their place, the page by its address.
fn wanted(path: &str, text: &str) -> Vec<String> {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let imports = text.lines().filter_map(|line| line.strip_prefix("import ")?.split('\'').nth(1));
    let resolve = |named: &str| match named.strip_prefix("../") {
        Some(rest) => format!("{}/{rest}", folder.rsplit_once('/').unwrap().0),
        None => format!("{folder}/{}", named.strip_prefix("./").unwrap()),
    };
    let attributes = text.split('"').filter(|value| value.starts_with("/assets/")).map(str::to_owned);
    imports.map(resolve).chain(attributes).collect()
}

#[tokio::test]
async fn all_that_is_loaded_is_there_and_all_that_is_there_is_loaded() {
    let mut loaded = BTreeSet::new();
    let mut open = vec!["/".to_owned()];
    while let Some(path) = open.pop() {
        let (status, _, body) = ask("GET", &path, None).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        open.extend(wanted(&path, &body).into_iter().filter(|path| loaded.insert(path.clone())));
    }
    assert_eq!(loaded, files());
}

#[tokio::test]
async fn what_is_not_there_is_refused() {
    for path in ["/assets/", "/assets/index.html", "/assets/other.js", "/assets/../Cargo.toml", "/index.html"]
    {
        assert_eq!(ask("GET", path, None).await.0, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(ask("POST", "/", None).await.0, StatusCode::METHOD_NOT_ALLOWED);
}
