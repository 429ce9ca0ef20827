//! Manifest: what a backup says of itself.

use std::{
    fs::{self, File},
    io::{Read, Write},
    path::Path,
};

use fillstream_domain::{Incarnation, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::content::Content;
use crate::Failure;

/// The manifest's file.
pub(super) const MANIFEST: &str = "backup.json";
/// The server's snapshot.
pub(super) const SNAPSHOT: &str = "stream.snapshot";
/// Of the manifest.
pub(super) const VERSION: u32 = 1;
/// Bytes that are read at once.
const BLOCK: usize = 1 << 20;

/// Written last: a directory without it is no backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub(super) version: u32,
    pub(super) taken_at: Timestamp,
    /// Kept by a restore, so that tokens and snapshots stay good.
    pub(super) incarnation: Incarnation,
    pub(super) content: Content,
    pub(super) snapshot: SavedFile,
    /// The stream's settings, as the server writes them.
    pub(super) config: Value,
    /// Its state when the snapshot began.
    pub(super) state: Value,
}

/// A file, and how it is recognized.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SavedFile {
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

impl Manifest {
    /// Writes it under another name first: it is there as a whole, or not at all.
    pub(super) fn write(&self, dir: &Path) -> Result<(), Failure> {
        let (partial, path) = (dir.join("backup.json.partial"), dir.join(MANIFEST));
        let mut file = File::create(&partial)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        file.sync_all()?;
        fs::rename(&partial, &path)?;
        Ok(File::open(dir)?.sync_all()?)
    }

    /// Reads it, and proves that the snapshot is the one that was saved.
    pub(super) fn read(dir: &Path) -> Result<Self, Failure> {
        let path = dir.join(MANIFEST);
        let text = fs::read(&path)
            .map_err(|error| format!("{} is no backup: {MANIFEST} cannot be read: {error}", dir.display()))?;
        let manifest: Self = serde_json::from_slice(&text)
            .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
        if manifest.version != VERSION {
            let found = manifest.version;
            return Err(
                format!("{} has version {found}; this program reads {VERSION}", path.display()).into()
            );
        }
        let found = SavedFile::of(dir, SNAPSHOT)?;
        if found != manifest.snapshot {
            let SavedFile { name, bytes, sha256 } = &manifest.snapshot;
            return Err(format!(
                "{} is not what was saved: {name} had {bytes} bytes and SHA-256 {sha256}, and {} has {} and {}",
                dir.display(),
                found.name,
                found.bytes,
                found.sha256
            )
            .into());
        }
        Ok(manifest)
    }
}

impl SavedFile {
    fn of(dir: &Path, name: &str) -> Result<Self, Failure> {
        let path = dir.join(name);
        let mut file =
            File::open(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let (mut bytes, mut hash, mut block) = (0, Sha256::new(), vec![0; BLOCK]);
        loop {
            match file.read(&mut block)? {
                0 => break,
                read => {
                    bytes += read as u64;
                    hash.update(&block[..read]);
                }
            }
        }
        Ok(Self { name: name.to_owned(), bytes, sha256: hex(&hash.finalize()) })
    }
}

/// Lower-case digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use fillstream_domain::Seq;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_backup_that_was_damaged_is_not_read() {
        let dir = std::env::temp_dir().join(format!("fillstream-manifest-{}", uuid::Uuid::now_v7()));
        fs::create_dir(&dir).unwrap();
        let told = |dir: &Path| Manifest::read(dir).unwrap_err().to_string();
        assert!(told(&dir).contains("is no backup"), "{}", told(&dir));
        fs::write(dir.join(SNAPSHOT), b"all of it").unwrap();
        let manifest = Manifest {
            version: VERSION,
            taken_at: Timestamp::from_unix_ms(0),
            incarnation: Incarnation::new(7),
            content: Content { first: Seq::FIRST, last: Seq::new(3), records: 3, sha256: hex(&[1, 255]) },
            snapshot: SavedFile::of(&dir, SNAPSHOT).unwrap(),
            config: json!({ "name": "ORDERS" }),
            state: json!({ "last_seq": 3 }),
        };
        manifest.write(&dir).unwrap();
        assert_eq!(Manifest::read(&dir).unwrap(), manifest);
        for (damage, said) in [("all of if", "is not what was saved"), ("all", "had 9 bytes")] {
            fs::write(dir.join(SNAPSHOT), damage).unwrap();
            assert!(told(&dir).contains(said), "{}", told(&dir));
        }
        let later = Manifest { version: 2, ..manifest };
        later.write(&dir).unwrap();
        assert!(told(&dir).contains("version 2; this program reads 1"), "{}", told(&dir));
        fs::remove_dir_all(&dir).unwrap();
    }
}
