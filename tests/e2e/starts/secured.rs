//! A nats-server that wants certificates, and one that wants a user's credentials.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use fillstream_nats_server::locate;
use fillstream_tests::{Process, Scratch, free_port};
use nkeys::KeyPair;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa};
use serde_json::{Value, json};

use super::arguments;
use crate::site::quiet;

/// An authority, and what it has signed.
struct Authority {
    issuer: CertifiedIssuer<'static, rcgen::KeyPair>,
    dir: PathBuf,
}

impl Authority {
    fn new(scratch: &Scratch, name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        let dir = scratch.path().join(name);
        fs::create_dir(&dir).expect("a new directory");
        fs::write(dir.join("ca.pem"), issuer.pem()).expect("writable");
        Self { issuer, dir }
    }

    fn ca(&self) -> String {
        self.dir.join("ca.pem").display().to_string()
    }

    /// Certificate and key for `127.0.0.1`.
    fn sign(&self, name: &str) -> (String, String) {
        let key = rcgen::KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("an address");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let path = |kind: &str| self.dir.join(format!("{name}.{kind}"));
        fs::write(path("pem"), certificate.pem()).expect("writable");
        fs::write(path("key"), key.serialize_pem()).expect("writable");
        (path("pem").display().to_string(), path("key").display().to_string())
    }
}

/// A nats-server with these lines in its configuration. Killed when dropped.
struct Broker {
    child: std::process::Child,
    port: u16,
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Broker {
    fn start(scratch: &Scratch, lines: &str) -> Self {
        let binary = locate(&mut |line| eprintln!("{line}")).expect("a nats-server can be had");
        let port = free_port();
        let dir = scratch.path().join("broker");
        fs::create_dir_all(&dir).expect("a new directory");
        let conf = dir.join("nats.conf");
        let config = format!("host: 127.0.0.1\nport: {port}\njetstream {{ store_dir: {:?} }}\n{lines}", dir);
        fs::write(&conf, config).expect("writable");
        let log = fs::File::create(dir.join("log")).expect("writable");
        let child =
            Command::new(binary).arg("-c").arg(&conf).stderr(log).spawn().expect("nats-server starts");
        Self { child, port }
    }
}

fn run(arguments: &[&str]) -> Output {
    quiet(arguments).output().expect("fillstream can be run")
}

fn printed(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn certificates_are_proved_on_both_sides() {
    let scratch = Scratch::new("secured");
    let (ours, other) = (Authority::new(&scratch, "ours"), Authority::new(&scratch, "other"));
    let (certificate, key) = ours.sign("server");
    let (client, client_key) = ours.sign("client");
    let ca = ours.ca();
    let broker = Broker::start(
        &scratch,
        &format!("tls {{ cert_file: {certificate:?}, key_file: {key:?}, ca_file: {ca:?}, verify: true }}\n"),
    );
    let url = format!("tls://127.0.0.1:{}", broker.port);
    let to_nats = [
        format!("--nats-tls-ca={ca}"),
        format!("--nats-tls-cert={client}"),
        format!("--nats-tls-key={client_key}"),
    ];
    let mut node = arguments(&scratch, &url);
    node.extend(to_nats.clone());
    node.extend([format!("--tls-cert={certificate}"), format!("--tls-key={key}")]);
    let process = Process::start(quiet(&node));
    assert!(process.printed.iter().any(|line| line.starts_with("https://")), "{:?}", process.printed);

    let server = format!("--server=https://{}", process.address);
    let swapped = run(&["swap", "SOL", "USDC", "3", &server, &format!("--server-ca={ca}")]);
    assert!(swapped.status.success() && printed(&swapped).contains("confirmed"), "{}", printed(&swapped));
    let refused = run(&["swap", "SOL", "USDC", "3", &server, &format!("--server-ca={}", other.ca())]);
    assert!(
        !refused.status.success() && printed(&refused).contains("invalid peer certificate"),
        "{}",
        printed(&refused)
    );

    let nats_url = format!("--nats-url={url}");
    let listed = run(&["market", "list", &nats_url, &to_nats[0], &to_nats[1], &to_nats[2]]);
    assert!(listed.status.success() && printed(&listed).contains("BTC/USDT"), "{}", printed(&listed));
    // A server that cannot be believed ends a start, too: it will not become another one.
    let foreign = format!("--nats-tls-ca={}", other.ca());
    let mut stranger = arguments(&scratch, &url);
    stranger.extend([foreign.clone(), to_nats[1].clone(), to_nats[2].clone()]);
    let stranger: Vec<_> = stranger.iter().map(String::as_str).collect();
    for command in [&["market", "list", &nats_url, &foreign, &to_nats[1], &to_nats[2]][..], &stranger] {
        let refused = run(command);
        assert_eq!(refused.status.code(), Some(1), "{}", printed(&refused));
        assert!(printed(&refused).contains("invalid peer certificate"), "{}", printed(&refused));
    }
    let halved = run(&["market", "list", &nats_url, &to_nats[1]]);
    assert!(printed(&halved).contains("--nats-tls-key"), "{}", printed(&halved));
}

/// A JWT as nats-servers read them.
fn signed(by: &KeyPair, of: &KeyPair, name: &str, nats: Value) -> String {
    let claims = json!({
        "jti": name, "iat": 1_700_000_000, "iss": by.public_key(), "sub": of.public_key(), "name": name, "nats": nats,
    });
    let part = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(json!({ "typ": "JWT", "alg": "ed25519-nkey" })), part(claims));
    let signature = by.sign(signed.as_bytes()).expect("a signature");
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

#[test]
fn a_user_is_known_by_its_credentials() {
    let scratch = Scratch::new("secured");
    let (operator, account, user) = (KeyPair::new_operator(), KeyPair::new_account(), KeyPair::new_user());
    let system = KeyPair::new_account();
    let limits = json!({
        "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1, "leaf": -1,
        "mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1,
    });
    let of_account = |key: &KeyPair, name: &str, limits: Value| {
        signed(&operator, key, name, json!({ "limits": limits, "type": "account", "version": 2 }))
    };
    let lines = format!(
        "operator: {}\nresolver: MEMORY\nsystem_account: {}\nresolver_preload {{ {}: {}, {}: {} }}\n",
        signed(&operator, &operator, "operator", json!({ "type": "operator", "version": 2 })),
        system.public_key(),
        account.public_key(),
        of_account(&account, "desk", limits),
        system.public_key(),
        of_account(&system, "system", json!({ "subs": -1, "data": -1, "payload": -1, "conn": -1 })),
    );
    let broker = Broker::start(&scratch, &lines);
    let nats = json!({ "type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1 });
    let creds = scratch.path().join("desk.creds");
    let seed = user.seed().expect("a seed");
    let token = signed(&account, &user, "desk", nats);
    let text = format!(
        "-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
    );
    fs::write(&creds, text).expect("writable");

    let url = format!("nats://127.0.0.1:{}", broker.port);
    let creds = format!("--nats-creds={}", creds.display());
    let mut node = arguments(&scratch, &url);
    node.push(creds.clone());
    let process = Process::start(quiet(&node));
    process.until_ready();
    let nats_url = format!("--nats-url={url}");
    let listed = run(&["market", "list", &nats_url, &creds]);
    assert!(listed.status.success() && printed(&listed).contains("BTC/USDT"), "{}", printed(&listed));
    for (given, words) in [(None, "authorization violation"), (Some("--nats-creds=/nowhere"), "/nowhere")] {
        let mut command = vec!["market", "list", &nats_url];
        command.extend(given);
        let refused = run(&command);
        assert_eq!(refused.status.code(), Some(1), "{}", printed(&refused));
        assert!(printed(&refused).contains(words), "{}", printed(&refused));
    }
}
