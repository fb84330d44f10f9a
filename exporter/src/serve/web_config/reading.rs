//! The web configuration file and the PEM files it names, read at one time.
//!
//! Apart from what they mean (`settings`), so that the only file access stands in one place, with its limits.

use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::error::{Section, WebError, shown};
use super::file::{TlsSection, WebFile};
use super::parse::parse;
use super::stamp::Stamp;
use super::tls::Pems;

/// The most that is read of any of the files, in bytes. A bundle of all public authorities is a quarter of it.
const MAX_BYTES: u64 = 1 << 20;

/// Everything one look at the files gave.
pub(super) struct Reading {
    /// The web configuration file.
    pub(super) file: PathBuf,
    /// Its keys.
    pub(super) web: WebFile,
    /// The PEM texts, if there is a TLS section with anything in it.
    pub(super) pems: Option<Pems>,
    /// The files as they were just before they were read.
    pub(super) stamps: Vec<Stamp>,
    /// Differs when any content differs. Only ever compared with another of this process.
    pub(super) digest: u64,
}

impl Reading {
    /// Reads the web configuration and the files it names.
    pub(super) fn of(path: &Path) -> Result<Self, WebError> {
        let mut files = Files::default();
        let bytes = files.read(path).map_err(|source| WebError::Unreadable { file: path.to_path_buf(), source })?;
        let web = parse(path, &bytes)?;
        let pems = match &web.tls_server_config {
            Some(section) if !section.is_empty() => Some(pems(section, path, &mut files)?),
            _ => None,
        };
        Ok(Self { file: path.to_path_buf(), web, pems, stamps: files.stamps, digest: files.digest.finish() })
    }
}

/// The files read so far.
#[derive(Default)]
struct Files {
    stamps: Vec<Stamp>,
    digest: DefaultHasher,
}

impl Files {
    fn read(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        self.stamps.push(Stamp::of(path)); // before reading: a change in between is then noticed, not missed
        let bytes = read_limited(path)?;
        bytes.hash(&mut self.digest);
        Ok(bytes)
    }
}

/// The PEM texts of the section; certificate and key must be there, each either inline or as a file.
fn pems(section: &TlsSection, path: &Path, files: &mut Files) -> Result<Pems, WebError> {
    let at = Section { file: path, name: "tls_server_config" };
    let mut text = |name: &str, inline: Option<&str>, file: Option<&Path>| -> Result<Option<Vec<u8>>, WebError> {
        let key = format!("{name}_file");
        match (inline.filter(|text| !text.is_empty()), file.filter(|file| !file.as_os_str().is_empty())) {
            (Some(_), Some(_)) => Err(at.wrong(&key, format!("{name} is given too"), "keep one of them")),
            (Some(text), None) => Ok(Some(text.as_bytes().to_vec())),
            (None, Some(file)) => {
                let file = path.parent().unwrap_or(Path::new("")).join(file);
                let remedy = "check that the file exists and that this user may read it";
                let problem = format!("{} cannot be read", shown(&file.to_string_lossy()));
                files.read(&file).map(Some).map_err(|error| at.failed(&key, problem, remedy, Some(error.into())))
            }
            (None, None) => Ok(None),
        }
    };
    let certificate = text("cert", section.cert.as_deref(), section.cert_file.as_deref())?;
    let key = text("key", section.key.as_ref().map(super::Secret::reveal), section.key_file.as_deref())?;
    let client_authorities = text("client_ca", section.client_ca.as_deref(), section.client_ca_file.as_deref())?;
    let missing = |key| at.wrong(key, "missing", "a TLS server needs its certificate and its private key");
    Ok(Pems {
        certificate: certificate.ok_or_else(|| missing("cert_file"))?,
        key: key.ok_or_else(|| missing("key_file"))?,
        client_authorities,
    })
}

/// The content of a regular file (a pipe or a device could block or never end) of at most [`MAX_BYTES`].
pub(in super::super) fn read_limited(path: &Path) -> io::Result<Vec<u8>> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 1 MiB"));
    }
    Ok(bytes)
}
