//! The page for browsers in a real one, over its debugging socket: the server is killed while the page is open.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use fillstream_tests::{Process, Scratch, socket::Client};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::{PATIENCE, example, held, is_there, resume::SLOW, shown, until};
use crate::site::Site;

/// The page's tab.
struct Tab {
    socket: Client,
    browser: Process,
    asked: u64,
    /// The debugger's conversation with the page.
    session: Option<String>,
    /// The browser's profile, gone with it.
    _profile: Scratch,
}

impl Tab {
    async fn open(url: &str) -> Self {
        let profile = Scratch::new("browser");
        let mut command = Command::new("chromium");
        command.args(["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"]);
        command.arg(format!("--user-data-dir={}", profile.path().display())).arg(url);
        let browser = Process::spawn(command);
        until(&browser, "debugging socket", |said| said.contains("DevTools listening on ws://"));
        let said = browser.said();
        let address = said.split_once("DevTools listening on ws://").expect("it was waited for").1;
        let address = address.split_whitespace().next().unwrap_or_default();
        let (address, path) = address.split_once('/').expect("it has a path");
        let socket = Client::open(address, &format!("/{path}")).await.expect("the debugging socket opens");
        let mut tab = Self { socket, browser, asked: 0, session: None, _profile: profile };
        let target = tab.target().await;
        let attached = tab.call("Target.attachToTarget", json!({"targetId": target, "flatten": true})).await;
        tab.session = attached["sessionId"].as_str().map(str::to_owned);
        tab
    }

    /// The page, once the browser has opened it.
    async fn target(&mut self) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let targets = self.call("Target.getTargets", json!({})).await;
            let is_page =
                |target: &&Value| target["url"].as_str().is_some_and(|url| url.starts_with("file:"));
            let targets = targets["targetInfos"].as_array().cloned().unwrap_or_default();
            if let Some(page) = targets.iter().find(is_page) {
                return page["targetId"].clone();
            }
            assert!(Instant::now() < deadline, "the page is not open: {targets:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The result of a call; what the browser tells of its own accord is passed over.
    async fn call(&mut self, method: &str, params: Value) -> Value {
        self.asked += 1;
        let mut request = json!({"id": self.asked, "method": method, "params": params});
        if let Some(session) = &self.session {
            request["sessionId"] = session.as_str().into();
        }
        self.socket.say(Message::text(request.to_string())).await;
        loop {
            let mut message = self.socket.message().await;
            if message["id"] == self.asked {
                return message["result"].take();
            }
        }
    }

    /// The value of an expression on the page.
    async fn evaluate(&mut self, expression: &str) -> String {
        let result = self.call("Runtime.evaluate", json!({"expression": expression})).await;
        result["result"]["value"].as_str().unwrap_or_default().to_owned()
    }

    /// Ends the browser in good order: killed, its children would go on writing into the profile for a moment.
    async fn close(mut self) {
        self.socket.say(Message::text(r#"{"id":0,"method":"Browser.close"}"#)).await;
        assert!(self.browser.wait(PATIENCE).is_some(), "the browser does not end:\n{}", self.browser.said());
    }

    /// Waits until the page's text has these words; all of it.
    async fn read_until(&mut self, words: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let text = self.evaluate("document.body.innerText").await;
            if text.contains(words) {
                return text;
            }
            assert!(Instant::now() < deadline, "no {words:?} in:\n{text}\n{}", self.browser.said());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test]
async fn the_page_resumes_when_the_server_is_killed() {
    if !is_there("chromium", &["--version"], "chromium") {
        return;
    }
    let mut site = Site::up(&SLOW);
    let file = example("browser/watch.html").canonicalize().expect("the page is there");
    let mut tab = Tab::open(&format!("file://{}?http://{}", file.display(), site.address())).await;
    tab.read_until("Swap 10 SOL to USDC").await;
    tab.evaluate("document.getElementById('place').click()").await;
    let text = tab.read_until("Order ").await;
    let order =
        text.split_whitespace().find(|word| word.len() == 36).expect("it shows the order's id").to_owned();
    tab.read_until(" submitted: ").await;
    site.kill_and_restart();
    let text = tab.read_until("The order has ended").await;
    assert!(text.contains(" confirmed: "), "{text}");
    assert_eq!(shown(&text), held(&site, &order).await, "each position once, in order");
    tab.close().await;
}
