//! The server is killed while clients watch: they resume by token and show every position once.

use super::{client, code, held, orders, shown, status, until};
use crate::site::Site;

/// Long enough for the kill to come between two steps.
const SLOW: [&str; 2] = ["--landing-delay=2s", "--quote-delay=200ms"];

#[tokio::test]
async fn a_killed_server_costs_a_client_nothing() {
    let mut site = Site::up(&SLOW);
    let watching: Vec<_> = ["node/watch.mjs", "python/watch.py", "shell/watch.sh"]
        .iter()
        .filter_map(|path| client(&site, path, &["SOL", "USDC", "1"]))
        .collect();
    let trading = client(&site, "python/trade.py", &["--pause=1.5"]);
    for client in &watching {
        until(client, "submission", |said| said.contains(" submitted "));
    }
    if let Some(client) = &trading {
        until(client, "creation", |said| said.contains(" created "));
    }
    site.kill_and_restart();
    for mut client in watching {
        assert_eq!(code(&mut client), Some(0), "{}", client.said());
        until(&client, "end", |said| said.contains(" confirmed "));
        let said = client.said();
        assert!(said.contains("connection lost, resuming"), "it noticed nothing:\n{said}");
        let [order] = &orders(&said)[..] else { panic!("{said}") };
        assert_eq!(status(&site, order).await, "confirmed");
        assert_eq!(shown(&said), held(&site, order).await, "each position once, in order");
    }
    if let Some(mut client) = trading {
        assert_eq!(code(&mut client), Some(0), "{}", client.said());
        until(&client, "end", |said| said.contains(" cancelled "));
        let said = client.said();
        let actions = ["created", "amended", "cancelled"];
        assert!(said.contains("connection lost, resuming"), "it noticed nothing:\n{said}");
        let told: Vec<_> = said.lines().filter_map(|line| line.split_whitespace().nth(2)).collect();
        let told: Vec<_> = told.into_iter().filter(|word| actions.contains(word)).collect();
        assert_eq!(told, actions, "{said}");
    }
}
