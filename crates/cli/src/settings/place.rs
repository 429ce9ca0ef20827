//! Places of data: directories that are nobody else's business, and files as databases are addressed.

use std::{
    ffi::OsString,
    fs, io,
    os::unix::{
        ffi::{OsStrExt, OsStringExt},
        fs::PermissionsExt,
    },
    path::{Path, PathBuf},
};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

/// Prefix of SQLite's addresses.
const SQLITE: &str = "sqlite://";
/// Characters that a path means itself in an address (RFC 3986 section 2.3), and what separates its parts.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Mark of a directory of ours.
const OUR_OWN: [&str; 3] = ["nats", "read-model.db", "venues"];
/// Of everybody but the owner.
const OTHERS: u32 = 0o077;
/// Of a directory in which everybody has files of their own, such as /tmp.
const STICKY: u32 = 0o1000;

/// The address of a SQLite file, whatever its name: `#`, `?` and `%` have a meaning of their own in an address.
pub(crate) fn sqlite_url(file: &Path) -> String {
    format!("{SQLITE}{}", percent_encode(file.as_os_str().as_bytes(), PATH))
}

/// The file of a SQLite address; nothing when it is another database's.
pub(crate) fn sqlite_file(url: &str) -> Option<PathBuf> {
    let path = url.strip_prefix(SQLITE)?;
    let path = path.split('?').next().unwrap_or(path);
    Some(OsString::from_vec(percent_decode_str(path).collect()).into())
}

/// Makes a data directory that only its owner reads, and closes one of ours that others could read: everybody's orders
/// are in it.
pub(crate) fn make_private(directory: &Path) -> io::Result<()> {
    let is_new = !directory.exists();
    fs::create_dir_all(directory)?;
    let mode = fs::metadata(directory)?.permissions().mode();
    let is_ours = is_new || OUR_OWN.iter().any(|name| directory.join(name).exists());
    if is_ours && mode & OTHERS != 0 && mode & STICKY == 0 {
        fs::set_permissions(directory, fs::Permissions::from_mode(mode & !OTHERS & 0o7777))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_s_name_comes_back_from_its_address() {
        for name in
            ["/plain/p", "/p#hash", "/p?q", "/p%20pct", "/p pct/ü&+'\"", "/%zz", "relative/p", "/a%2Fb"]
        {
            let file = Path::new(name).join("read-model.db");
            let url = sqlite_url(&file);
            assert!(!url.contains(['#', '?', ' ']), "{url}");
            assert_eq!(sqlite_file(&url), Some(file.clone()), "{url}");
            assert_eq!(sqlite_file(&format!("{url}?mode=ro")), Some(file), "{url}");
        }
        assert_eq!(sqlite_file("postgres://me@host/database"), None);
    }

    #[test]
    fn a_directory_of_ours_is_closed_and_others_are_left_alone() {
        let place = std::env::temp_dir().join(format!("fillstream-place-{}", std::process::id()));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        let open = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        let (new, ours, foreign) = (place.join("a/new"), place.join("ours"), place.join("foreign"));
        fs::create_dir_all(ours.join("nats")).unwrap();
        fs::create_dir_all(&foreign).unwrap();
        open(&ours, 0o755);
        open(&foreign, 0o755);
        [&new, &ours, &foreign].into_iter().for_each(|path| make_private(path).unwrap());
        assert_eq!([mode(&new), mode(&ours), mode(&foreign)], [0o700, 0o700, 0o755]);
        open(&ours, 0o1777);
        make_private(&ours).unwrap();
        assert_eq!(mode(&ours), 0o1777, "everybody has files there");
        fs::remove_dir_all(&place).unwrap();
    }
}
