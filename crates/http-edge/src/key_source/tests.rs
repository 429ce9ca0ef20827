//! Keys of an address that changes, fails and hangs.

use std::sync::atomic::{AtomicU16, Ordering};

use axum::{Router, extract::State, http::StatusCode, routing::get};
use tokio::{net::TcpListener, sync::watch, task::JoinSet};

use super::*;

/// A pause that no test sees the end of.
const LONG: Duration = Duration::from_secs(3600);

/// What the issuer's address does.
#[derive(Clone)]
struct Issuer {
    /// The names of its keys, or the status that it fails with.
    set: Arc<Mutex<Result<Vec<&'static str>, StatusCode>>>,
    asked: watch::Sender<u32>,
    /// It answers while this is true.
    answers: watch::Sender<bool>,
}

async fn answer(State(issuer): State<Issuer>) -> Result<String, StatusCode> {
    issuer.asked.send_modify(|asked| *asked += 1);
    let _ = issuer.answers.subscribe().wait_for(|answers| *answers).await;
    let key =
        |kid: &&str| format!(r#"{{"kty":"OKP","crv":"Ed25519","kid":"{kid}","x":"{}"}}"#, "A".repeat(43));
    let keys: Vec<_> = issuer.set.lock().await.clone()?.iter().map(key).collect();
    Ok(format!(r#"{{"keys":[{}]}}"#, keys.join(",")))
}

impl Issuer {
    /// An issuer with one key, "old", and its address.
    async fn start(serving: &mut JoinSet<()>) -> (Self, String) {
        let issuer = Self {
            set: Arc::new(Mutex::new(Ok(vec!["old"]))),
            asked: watch::Sender::new(0),
            answers: watch::Sender::new(true),
        };
        let listener = listen().await;
        let place = format!("http://{}/keys", listener.local_addr().unwrap());
        let router = Router::new().route("/keys", get(answer)).with_state(issuer.clone());
        serving.spawn(async move { drop(axum::serve(listener, router).await) });
        (issuer, place)
    }

    async fn has(&self, set: Result<Vec<&'static str>, StatusCode>) {
        *self.set.lock().await = set;
    }

    fn asked(&self) -> u32 {
        *self.asked.borrow()
    }
}

/// A port below the range that the kernel hands out for outgoing connections. No port is taken twice: one test looks at
/// an address where nobody is any more.
async fn listen() -> TcpListener {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 10_000).unwrap();
    for _ in 0..1000 {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed);
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)).await {
            return listener;
        }
    }
    panic!("no free port from {first} on");
}

/// A set that is read again for a token's sake alone.
async fn open(place: &str, pause: Duration) -> Result<KeySet, KeySourceError> {
    KeySet::open(place, pause, KeyTimes { refresh: LONG, keep: LONG }).await
}

async fn knows(fetched: &KeySet, kid: &str) -> bool {
    matches!(fetched.key(Some(kid)).await, Ok(Some(_)))
}

#[tokio::test]
async fn an_unknown_key_is_looked_for_and_a_failure_keeps_the_old_ones() {
    let mut serving = JoinSet::new();
    let (issuer, place) = Issuer::start(&mut serving).await;
    let fetched = open(&place, Duration::ZERO).await.unwrap();
    assert!(knows(&fetched, "old").await && matches!(fetched.key(None).await, Ok(Some(_))));
    assert_eq!(issuer.asked(), 1, "known keys cost nothing");
    issuer.has(Ok(vec!["new", "old"])).await;
    assert!(knows(&fetched, "new").await);
    assert!(matches!(fetched.key(None).await, Ok(None)), "which of two is meant is not guessed");
    assert_eq!(issuer.asked(), 2, "who names no key starts no fetch");
    for failure in [Err(StatusCode::INTERNAL_SERVER_ERROR), Err(StatusCode::NOT_FOUND), Ok(vec![])] {
        issuer.has(failure).await;
        assert!(!knows(&fetched, "newer").await);
        assert!(knows(&fetched, "old").await && knows(&fetched, "new").await);
    }
    assert_eq!(issuer.asked(), 5);
    issuer.has(Ok(vec!["newer"])).await;
    assert!(knows(&fetched, "newer").await);
    assert!(!knows(&fetched, "old").await, "what the issuer has withdrawn is gone");
}

#[tokio::test]
async fn made_up_keys_cost_no_more_than_one_fetch_in_a_while() {
    let mut serving = JoinSet::new();
    let (issuer, place) = Issuer::start(&mut serving).await;
    let fetched = open(&place, LONG).await.unwrap();
    for _ in 0..100 {
        assert!(!knows(&fetched, "made up").await);
    }
    assert_eq!(issuer.asked(), 1);
}

#[tokio::test]
async fn a_fetch_is_waited_for_by_those_who_need_it_alone() {
    let mut serving = JoinSet::new();
    let (issuer, place) = Issuer::start(&mut serving).await;
    let fetched = Arc::new(open(&place, Duration::ZERO).await.unwrap());
    issuer.has(Ok(vec!["new", "old"])).await;
    issuer.answers.send_replace(false);
    let mut waiting = JoinSet::new();
    for _ in 0..20 {
        let fetched = Arc::clone(&fetched);
        waiting.spawn(async move { knows(&fetched, "new").await });
    }
    issuer.asked.subscribe().wait_for(|asked| *asked == 2).await.unwrap();
    // On the one thread of this test: a fetch that blocked it would leave no room for this.
    assert!(knows(&fetched, "old").await);
    assert!(waiting.try_join_next().is_none());
    issuer.answers.send_replace(true);
    assert_eq!(waiting.join_all().await, [true; 20]);
    assert_eq!(issuer.asked(), 2, "all waited for the same fetch");
}

#[tokio::test]
async fn an_address_that_does_not_answer_at_the_start_is_asked_until_it_does() {
    let mut serving = JoinSet::new();
    let (issuer, place) = Issuer::start(&mut serving).await;
    issuer.has(Err(StatusCode::BAD_GATEWAY)).await;
    let set = open(&place, LONG).await.unwrap();
    assert!(matches!(set.key(Some("old")).await, Err(NoKeysNow)), "not that the token is wrong");
    issuer.has(Ok(vec!["old"])).await;
    let asked = issuer.asked();
    issuer.asked.subscribe().wait_for(|now| *now > asked).await.unwrap();
    let until = Instant::now() + Duration::from_secs(10);
    while !knows(&set, "old").await {
        assert!(Instant::now() < until, "it has answered");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn withdrawn_keys_go_out_and_old_ones_are_kept_for_a_while_alone() {
    let mut serving = JoinSet::new();
    let (issuer, place) = Issuer::start(&mut serving).await;
    let file = std::env::temp_dir().join(format!("fillstream-keys-{}.json", std::process::id()));
    let set_of = |kid: &str| {
        format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"{kid}","x":"{}"}}]}}"#, "A".repeat(43))
    };
    std::fs::write(&file, set_of("old")).unwrap();
    let times = KeyTimes { refresh: Duration::from_millis(20), keep: Duration::from_millis(300) };
    let at_address = KeySet::open(&place, LONG, times).await.unwrap();
    let in_file = KeySet::open(file.to_str().unwrap(), LONG, times).await.unwrap();
    issuer.has(Ok(vec!["new"])).await;
    std::fs::write(&file, set_of("new")).unwrap();
    for set in [&at_address, &in_file] {
        let until = Instant::now() + Duration::from_secs(10);
        while knows(set, "old").await || !knows(set, "new").await {
            assert!(Instant::now() < until, "a key that was withdrawn is still good");
            tokio::task::yield_now().await;
        }
    }
    issuer.has(Err(StatusCode::BAD_GATEWAY)).await;
    std::fs::remove_file(&file).unwrap();
    let since = Instant::now();
    for set in [&at_address, &in_file] {
        while knows(set, "new").await {
            assert!(since.elapsed() < Duration::from_secs(10), "kept for ever");
            tokio::task::yield_now().await;
        }
        assert!(matches!(set.key(Some("new")).await, Err(NoKeysNow)));
    }
}

#[tokio::test]
async fn a_file_that_is_none_is_told_at_the_start() {
    let refused = open("/does/not/exist", LONG).await.unwrap_err();
    assert!(matches!(refused, KeySourceError::Unreadable { .. }), "{refused}");
}

#[tokio::test]
async fn an_address_is_told_without_its_secrets() {
    for (address, shown) in [
        ("https://me:secret@issuer.example:8443/keys", "https://issuer.example:8443/keys"),
        ("https://issuer.example/keys?api_key=secret", "https://issuer.example/keys"),
        ("http://issuer.example", "http://issuer.example/"),
    ] {
        assert_eq!(Place::of(address).shown(), shown);
    }
    // Nobody is there: what is said of it.
    let shared = Shared {
        place: Place::of("http://me:secret@127.0.0.1:1/keys?key=secret"),
        keys: RwLock::new(None),
        keep: LONG,
    };
    let error = Arc::new(shared).read_off_the_runtime().await.unwrap_err();
    let told = chain(&error).to_string();
    assert!(told.contains("http://127.0.0.1:1/keys") && !told.contains("secret"), "{told}");
}
