//! Doors that are closed to others: the connection, the files, the stream.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use fillstream_tests::{Process, Scratch, free_port, nats};
use tokio::time::{Duration, Instant, sleep};

use super::PATIENCE;
use crate::site::{Site, quiet, run};

/// Certificates for 127.0.0.1 and localhost, good for a hundred years, with their keys. They open nothing but these tests.
fn pem(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/doors/tls").join(name)
}

/// True when a swap can be placed and watched to its end over HTTPS, believing this certificate.
fn swap(site: &Site, believed: &str) -> Result<String, String> {
    let (server, ca) = (format!("--server=https://{}", site.address()), pem(believed));
    let ca = format!("--server-ca={}", ca.display());
    let output = run(&mut quiet(&["swap", "SOL", "USDC", "1", "--json", &server, &ca]));
    let said =
        [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
    if output.status.success() { Ok(said) } else { Err(said) }
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_and_sockets_go_over_tls_and_another_certificate_is_taken_up() {
    let scratch = Scratch::new("tls");
    let (certificate, key) = (scratch.path().join("cert.pem"), scratch.path().join("key.pem"));
    let install = |name: &str| {
        for (from, to) in [(format!("{name}.pem"), &certificate), (format!("{name}.key.pem"), &key)] {
            fs::copy(pem(&from), to).expect("a file can be copied");
        }
    };
    install("one");
    let (given, given_key) =
        (format!("--tls-cert={}", certificate.display()), format!("--tls-key={}", key.display()));
    let site = Site::serve("api,bridge,executor,matcher,projector", &[&given, &given_key]);
    let said = swap(&site, "one.pem").expect("it is believed");
    assert!(said.contains("\"wss://") && said.contains("\"confirmed\""), "{said}");
    let refused = swap(&site, "two.pem").expect_err("another one's certificate is not believed");
    assert!(refused.contains("certificate"), "{refused}");
    // In clear there is nothing to be had.
    let plain = fillstream_tests::http::request(site.address(), "GET", "/health", &[], b"").await;
    assert!(plain.is_none(), "{plain:?}");
    install("two");
    let until = Instant::now() + PATIENCE;
    while let Err(said) = swap(&site, "two.pem") {
        assert!(Instant::now() < until, "the new certificate is not taken up: {said}");
        sleep(Duration::from_millis(200)).await;
    }
}

#[test]
fn half_of_tls_is_refused_at_the_start() {
    let scratch = Scratch::new("tls");
    let data = format!("--data={}", scratch.path().display());
    let file = |flag: &str, name: &str| format!("--{flag}={}", pem(name).display());
    for (more, told) in [
        (vec![file("tls-cert", "one.pem")], "--tls-key"),
        (vec![file("tls-key", "one.key.pem")], "--tls-cert"),
        (vec![file("tls-cert", "one.pem"), file("tls-key", "two.key.pem")], "do not go together"),
        (vec![file("tls-cert", "none.pem"), file("tls-key", "one.key.pem")], "none.pem"),
        (vec![file("tls-cert", "one.key.pem"), file("tls-key", "one.key.pem")], "holds no certificate"),
    ] {
        let fixed =
            ["serve".to_owned(), "--role=bridge".to_owned(), "--nats-url=nats://127.0.0.1:1".to_owned()];
        let listen = format!("--listen=127.0.0.1:{}", free_port());
        let output = run(&mut quiet(&[&fixed[..], &[data.clone(), listen], &more].concat()));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(told), "{more:?}: {said}");
    }
}

/// All that lies in a directory, itself left out.
fn inside(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("it can be read").flatten().map(|entry| entry.path());
    entries
        .flat_map(|path| if path.is_dir() { [inside(&path), vec![path]].concat() } else { vec![path] })
        .collect()
}

#[test]
fn what_is_written_is_its_owner_s_alone_and_any_name_of_a_directory_will_do() {
    let scratch = Scratch::new("closed");
    for name in ["p#hash", "p?q", "p%20pct", "p pct", "ü&+'\""] {
        let data = scratch.path().join(name);
        let arguments = [
            "up".to_owned(),
            format!("--data={}", data.display()),
            format!("--listen=127.0.0.1:{}", free_port()),
        ];
        let process =
            Process::start(quiet(&[&arguments[..], &[format!("--nats-port={}", free_port())]].concat()));
        process.until_ready();
        assert!(data.join("read-model.db").is_file(), "{name}: {:?}", inside(scratch.path()));
        let all = [inside(&data), vec![data.clone()]].concat();
        assert!(all.len() > 5, "{all:?}");
        for path in all {
            let mode = fs::metadata(&path).map_or(0, |found| found.mode());
            assert_eq!(mode & 0o077, 0, "{} is open to others: {:o}", path.display(), mode & 0o777);
        }
    }
    let made: Vec<_> = fs::read_dir(scratch.path()).expect("it can be read").flatten().collect();
    assert_eq!(made.len(), 5, "each in its own directory: {made:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_closes_the_private_server_and_commands_find_it() {
    let site = Site::up(&["--nats-token"]);
    let printed = site.process.printed.join("\n");
    let file = site.scratch.path().join("nats/token");
    let token = fs::read_to_string(&file).expect("the token lies there");
    assert_eq!(fs::metadata(&file).expect("it is there").permissions().mode() & 0o777, 0o600);
    assert!(printed.contains("nats context save") && printed.contains("nats/token"), "{printed}");
    assert!(!site.process.said().contains(&token), "the token was printed");
    let port =
        printed.split("127.0.0.1:").nth(1).and_then(|rest| rest.split([' ', ',']).next()).expect("a port");
    let greeting = nats::greeting(&format!("127.0.0.1:{port}")).await;
    assert_eq!(greeting["auth_required"], true, "{greeting}");
    let data = format!("--data={}", site.scratch.path().display());
    let listed = run(&mut quiet(&["market", "list", &data]));
    let said = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(
        listed.status.success() && said.contains("BTC/USDT"),
        "{said}{}",
        String::from_utf8_lossy(&listed.stderr)
    );
    let open = Site::up(&[]);
    assert!(open.process.printed.join("\n").contains("--nats-token closes it"), "{:?}", open.process.printed);
}
