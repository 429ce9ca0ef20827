//! Snapshots in a JetStream object store, where `nats object ls fillstream-snapshots` shows them.
//!
//! ```text
//!  $O.<bucket>.C.<id>    chunks of one snapshot
//!  $O.<bucket>.M.<name>  written last: the id, how many chunks, size, digest
//! ```

use std::{error::Error, io::ErrorKind, sync::Arc, time::Duration};

use async_nats::jetstream::{
    self,
    object_store::{Config, ObjectInfo, ObjectStore},
    stream::Stream,
};
use async_trait::async_trait;
use base64::{Engine, prelude::BASE64_URL_SAFE};
use bytes::Bytes;
use fillstream_retry::chain;
use futures_util::TryStreamExt;
use parking_lot::Mutex;
use tokio::{io::AsyncReadExt, time::timeout};
use tracing::warn;

use super::{
    connect::{compare_replicas, stream_info},
    fence::LEADER,
    read,
    requests::Requests,
};
use crate::{Link, LogError, SnapshotStore, error::Missing, snapshots::check_name};

/// The bucket's name.
const BUCKET: &str = "fillstream-snapshots";
/// The stream that holds it.
const STREAM: &str = "OBJ_fillstream-snapshots";
/// A server that is silent for so long between two chunks cannot be reached.
const CHUNK_TIMEOUT: Duration = Duration::from_secs(5);

/// Snapshots beside a stream. The bucket is opened when it is first needed, made when it is not there, with as many
/// replicas as the stream has, and looked for again after it was gone. Clones share all of it.
#[derive(Clone)]
pub struct JetStreamSnapshots {
    requests: Requests,
    /// The stream whose replicas a new bucket gets.
    beside: String,
    opened: Arc<Mutex<Option<Bucket>>>,
}

/// The bucket as it was found or made.
#[derive(Clone)]
struct Bucket {
    objects: ObjectStore,
    stream: Stream,
}

impl JetStreamSnapshots {
    pub(super) fn beside(requests: Requests, stream: &str) -> Self {
        Self { requests, beside: stream.to_owned(), opened: Arc::default() }
    }

    /// The bucket; one that an operator has made otherwise is taken as it is.
    async fn bucket(&self) -> Result<Bucket, LogError> {
        let known = self.opened.lock().clone();
        if let Some(bucket) = known {
            return Ok(bucket);
        }
        let context = jetstream::new(self.requests.client().clone());
        match stream_info(&self.requests, STREAM).await {
            Ok(found) => {
                compare_replicas(STREAM, &found, stream_info(&self.requests, &self.beside).await?.replicas)
            }
            Err(LogError::Server(error)) if error.says_no_stream() => {
                let description =
                    "States that spare a replay. Nothing is lost with them but time.".to_owned();
                let config = Config {
                    bucket: BUCKET.to_owned(),
                    description: Some(description),
                    num_replicas: stream_info(&self.requests, &self.beside).await?.replicas,
                    ..Config::default()
                };
                self.linked(context.create_object_store(config)).await?;
            }
            Err(error) => return Err(error),
        }
        let objects = self.linked(context.get_object_store(BUCKET)).await?;
        let stream = self.linked(context.get_stream(STREAM)).await?;
        let bucket = Bucket { objects, stream };
        *self.opened.lock() = Some(bucket.clone());
        Ok(bucket)
    }

    /// The server says that there is no bucket.
    async fn is_gone(&self) -> bool {
        let found = stream_info(&self.requests, STREAM).await;
        matches!(found, Err(LogError::Server(error)) if error.says_no_stream())
    }

    /// The bucket's answer; after an error the bucket is looked for again, because it may be gone.
    fn or_look_again<T>(&self, answer: Result<T, LogError>) -> Result<T, LogError> {
        if answer.is_err() {
            *self.opened.lock() = None;
        }
        answer
    }

    /// The entry of a snapshot: none when there is none, or an unreadable one.
    async fn entry(&self, name: &str) -> Result<Option<ObjectInfo>, LogError> {
        let found = match read::last(&self.requests, STREAM, &entry_subject(name), LEADER).await {
            // Without a bucket there is no snapshot.
            Err(LogError::Server(error)) if error.says_no_stream() => {
                *self.opened.lock() = None;
                None
            }
            found => found?,
        };
        let Some(entry) = found else { return Ok(None) };
        match serde_json::from_slice::<ObjectInfo>(&entry.payload) {
            Ok(info) => Ok((!info.deleted).then_some(info)),
            Err(error) => {
                warn!(name, error = %chain(&error), "the entry of a snapshot cannot be read");
                Ok(None)
            }
        }
    }

    /// Subjects that match, and how many messages each has.
    async fn subjects(&self, filter: &str) -> Result<Vec<(String, usize)>, LogError> {
        let bucket = self.bucket().await?;
        let found = self.linked(bucket.stream.info_with_subjects(filter)).await?;
        self.linked(found.try_collect()).await
    }

    /// True when all chunks are there; the object store would wait for ever for one that is not.
    async fn is_complete(&self, info: &ObjectInfo) -> Result<bool, LogError> {
        let stored: usize =
            self.subjects(&chunk_subject(info)).await?.iter().map(|(_, messages)| messages).sum();
        let largest = self.requests.client().max_payload();
        Ok(stored == info.chunks && info.size <= stored.saturating_mul(largest) && info.digest.is_some())
    }

    /// Ends what is under way with the connection: the object store would wait for an answer that does not come.
    async fn linked<T, E: Error + Send + Sync + 'static>(
        &self,
        asked: impl Future<Output = Result<T, E>> + Send,
    ) -> Result<T, LogError> {
        let mut link = self.requests.link();
        if *link.borrow_and_update() == Link::Down {
            return Err(Missing::Connection.into());
        }
        tokio::select! {
            answer = asked => answer.map_err(LogError::unreachable),
            Ok(()) = link.changed() => Err(Missing::Lost.into()),
        }
    }

    /// All of a snapshot; none when it does not have its digest.
    async fn content(&self, info: &ObjectInfo) -> Result<Option<Bytes>, LogError> {
        let bucket = self.bucket().await?;
        let mut object = self.linked(bucket.objects.get(&info.name)).await?;
        // With room to see the end in, or the last read would copy all that was read.
        let mut content = Vec::with_capacity(info.size + 1);
        loop {
            match self.linked(timeout(CHUNK_TIMEOUT, object.read_buf(&mut content))).await? {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::InvalidData => return Ok(None),
                Err(error) => return Err(LogError::unreachable(error)),
            }
        }
        Ok((content.len() == info.size).then(|| content.into()))
    }
}

#[async_trait]
impl SnapshotStore for JetStreamSnapshots {
    async fn put(&self, name: &str, snapshot: Bytes) -> Result<(), LogError> {
        check_name(name)?;
        let put = async || {
            let bucket = self.bucket().await?;
            self.linked(bucket.objects.put(name, &mut &*snapshot)).await.map(drop)
        };
        match self.or_look_again(put().await) {
            // The bucket was deleted: it is made again.
            Err(_) if self.is_gone().await => self.or_look_again(put().await),
            put => put,
        }
    }

    async fn get(&self, name: &str) -> Result<Option<Bytes>, LogError> {
        check_name(name)?;
        let get = async {
            let Some(info) = self.entry(name).await? else {
                warn!(name, "a snapshot is missing");
                return Ok(None);
            };
            let content = if self.is_complete(&info).await? { self.content(&info).await? } else { None };
            if content.is_none() {
                warn!(name, size = info.size, "a snapshot is damaged");
            }
            Ok(content)
        };
        self.or_look_again(get.await)
    }

    async fn names(&self, prefix: &str) -> Result<Vec<String>, LogError> {
        let entries = self.or_look_again(self.subjects(&format!("$O.{BUCKET}.M.>")).await)?;
        let mut names: Vec<_> = entries.iter().filter_map(|(subject, _)| name_of(subject)).collect();
        names.retain(|name| name.starts_with(prefix));
        names.sort_unstable();
        Ok(names)
    }

    async fn delete(&self, name: &str) -> Result<(), LogError> {
        check_name(name)?;
        let delete = async {
            let info = self.entry(name).await?;
            let stream = self.bucket().await?.stream;
            // The object store would leave a mark under every name for ever. The entry goes first: it must not outlive
            // the chunks.
            self.linked(stream.purge().filter(entry_subject(name)).into_future()).await?;
            if let Some(info) = info {
                self.linked(stream.purge().filter(chunk_subject(&info)).into_future()).await?;
            }
            Ok(())
        };
        self.or_look_again(delete.await)
    }
}

fn entry_subject(name: &str) -> String {
    format!("$O.{BUCKET}.M.{}", BASE64_URL_SAFE.encode(name))
}

fn name_of(entry_subject: &str) -> Option<String> {
    let encoded = entry_subject.rsplit('.').next()?;
    String::from_utf8(BASE64_URL_SAFE.decode(encoded).ok()?).ok()
}

fn chunk_subject(info: &ObjectInfo) -> String {
    format!("$O.{BUCKET}.C.{}", info.nuid)
}
