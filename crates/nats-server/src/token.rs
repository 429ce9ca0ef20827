//! The token that a closed server asks for: random, and in a file that only its owner reads.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, failed};

/// Random bytes of a token: nobody guesses one of 2^256.
const BYTES: usize = 32;
/// The file in the server's data directory.
const NAME: &str = "token";
/// Its owner reads and writes it.
const MODE: u32 = 0o600;

/// See the module's first line. Hexadecimal, so that it stands in an address and in a configuration as it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

impl Token {
    /// The file in which the token of a data directory lies.
    #[must_use]
    pub fn file(data_dir: &Path) -> PathBuf {
        data_dir.join(NAME)
    }

    /// The token of a data directory; made when there is none.
    ///
    /// # Errors
    /// When the file cannot be read or made, or holds something else.
    pub fn of(data_dir: &Path) -> Result<Self, Error> {
        let path = Self::file(data_dir);
        if !path.exists() {
            fs::create_dir_all(data_dir).map_err(failed(|| format!("make {}", data_dir.display())))?;
            let made = random().and_then(|token| {
                let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&path)?;
                file.write_all(token.as_bytes())
            });
            made.map_err(failed(|| format!("write {}", path.display())))?;
        }
        let text = fs::read_to_string(&path).map_err(failed(|| format!("read {}", path.display())))?;
        let text = text.trim();
        let is_ours = text.len() == 2 * BYTES && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_ours { Ok(Self(text.to_owned())) } else { Err(Error::NotAToken { path }) }
    }

    /// The text, for the one who needs it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

fn random() -> std::io::Result<String> {
    let mut bytes = [0; BYTES];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_token_is_made_once_and_is_its_owner_s_alone() {
        let dir = std::env::temp_dir().join(format!("fillstream-token-{}", std::process::id()));
        let made = Token::of(&dir).unwrap();
        assert_eq!(Token::of(&dir).unwrap(), made);
        assert_eq!(fs::metadata(Token::file(&dir)).unwrap().permissions().mode() & 0o777, MODE);
        assert_eq!(format!("{made:?}"), "Token");
        fs::write(Token::file(&dir), "secret\"}").unwrap();
        assert!(matches!(Token::of(&dir), Err(Error::NotAToken { .. })));
        fs::remove_dir_all(&dir).unwrap();
    }
}
