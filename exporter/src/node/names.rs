//! Network namespaces with a name: the files of `/run/netns`, each a mount of the namespace it stands for.
//!
//! Apart from `super::namespaces` because it reads a folder that anybody may have put something else into: what is no namespace, or could
//! not be looked at, is counted and never entered.

use super::error::ReadError;
use super::netns::{self, NsId};
use rustix::fs::{FsWord, statfs};
use rustix::io::Errno;
use std::io;
use std::path::{Path, PathBuf};

/// A namespace with a name of its own.
#[derive(Clone, Debug)]
pub struct Named {
    /// File name.
    pub name: String,
    /// Which namespace it is.
    pub id: NsId,
    /// Where it is mounted.
    pub path: PathBuf,
}

/// What a folder of names holds.
#[derive(Debug, Default)]
pub struct Names {
    /// Namespaces, by name.
    pub found: Vec<Named>,
    /// Names of plain files. Such a file is where a namespace is mounted: either it no longer is, or the mount is not shared with us.
    pub files: Vec<String>,
    /// Names of anything else that is no namespace, such as folders.
    pub others: Vec<String>,
    /// Names that could not be looked at.
    pub refused: Vec<(String, ReadError)>,
}

/// Where the tools keep them: `NETNS_RUN_DIR` of iproute2. It is made with the first name, so it may be missing.
pub const USUAL: &str = "/run/netns";
/// The most names that are looked at.
const LIMIT: usize = 65_536;
/// `NSFS_MAGIC` of `include/uapi/linux/magic.h`: the file system of namespace files.
const NSFS: FsWord = 0x6e73_6673;

/// Looks at every name in `directory`. Only [`USUAL`] may be missing: any other was asked for.
pub fn read(directory: &Path) -> io::Result<Names> {
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && directory == Path::new(USUAL) => return Ok(Names::default()),
        entries => entries?,
    };
    let mut out = Names::default();
    for entry in entries.take(LIMIT) {
        let entry = entry?;
        let name = super::netlink::name(entry.file_name().as_encoded_bytes());
        let path = entry.path();
        match (sort(&path), entry.file_type().is_ok_and(|kind| kind.is_file())) {
            (Ok(Some(id)), _) => out.found.push(Named { name, id, path }),
            (Ok(None), true) => out.files.push(name),
            (Ok(None), false) => out.others.push(name),
            (Err(ReadError::Gone { .. }), _) => {} // deleted meanwhile, or a link to nothing
            (Err(error), _) => out.refused.push((name, error)),
        }
    }
    out.found.sort_by(|one, other| one.name.cmp(&other.name));
    for names in [&mut out.files, &mut out.others] {
        names.sort();
    }
    out.refused.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(out)
}

/// Which namespace is at `path`; None when it is none.
fn sort(path: &Path) -> Result<Option<NsId>, ReadError> {
    let failed = |errno: Errno| ReadError::of("look at a name", errno);
    let kind = statfs(path).map_err(failed)?.f_type;
    Ok(if kind == NSFS { Some(netns::identify(path)?) } else { None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn what_is_no_namespace_is_counted_and_not_entered() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        symlink("/proc/self/ns/net", path("lab")).unwrap();
        symlink("/nonexistent/at/all", path("dangling")).unwrap();
        symlink("loop", path("loop")).unwrap();
        fs::write(path("left"), "").unwrap();
        fs::create_dir(path("folder")).unwrap();
        let names = read(folder.path()).unwrap();
        let found: Vec<_> = names.found.iter().map(|named| (named.name.as_str(), named.id)).collect();
        assert_eq!(found, [("lab", netns::identify(Path::new("/proc/self/ns/net")).unwrap())]);
        assert_eq!((names.files, names.others), (vec!["left".to_owned()], vec!["folder".to_owned()]));
        let refused: Vec<_> = names.refused.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(refused, ["loop"], "it cannot be looked at, and that is said");
    }

    #[test]
    fn a_folder_that_was_asked_for_must_be_there() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read(&folder.path().join("nope")).is_err());
    }
}
