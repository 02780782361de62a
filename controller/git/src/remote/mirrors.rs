//! Where mirrors are kept.

use std::path::{Path, PathBuf};

use git2::{ObjectType, Oid};

use super::address::Address;

/// The longest part of a mirror's name that people can read.
const READABLE: usize = 60;

/// The folder below `folder` for the mirror of `address`, on behalf of `owner`.
///
/// One mirror holds what one owner was let read: an owner that asks for a commit by its id must not
/// find it there because another one was allowed to fetch it. For a person's own folder the owner is
/// empty; in a cluster it is the namespace and the uid of the source.
#[must_use]
pub fn mirror_in(folder: &Path, owner: &str, address: &Address) -> PathBuf {
    let text = format!("{owner}\n{address}");
    let digest = Oid::hash_object(ObjectType::Blob, text.as_bytes()).unwrap_or(Oid::ZERO_SHA1);
    let readable: String = address
        .as_str()
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '.' {
                c
            } else {
                '-'
            }
        })
        .collect();
    // The end of an address says more than its beginning.
    let begin = readable.len().saturating_sub(READABLE);
    let readable = readable[begin..].trim_matches(['-', '.']);
    folder.join(format!("{readable}-{}", &digest.to_string()[..16]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_owner_and_each_address_has_a_mirror_of_its_own() {
        let address = |text: &str| Address::parse(text).unwrap();
        let of = |owner: &str, text: &str| mirror_in(Path::new("/m"), owner, &address(text));
        let one = of("", "https://git.contoso.com/fleet.git");
        assert!(one.starts_with("/m"));
        assert!(
            one.to_string_lossy()
                .contains("https---git.contoso.com-fleet.git-")
        );
        assert_eq!(one, of("", "https://git.contoso.com/fleet.git"));
        assert_ne!(one, of("tenant", "https://git.contoso.com/fleet.git"));
        assert_ne!(one, of("", "https://git.contoso.com/fleet-git"));
        // No name leads out of the folder.
        let odd = of("../..", "ssh://h/../../../etc");
        assert_eq!(odd.parent(), Some(Path::new("/m")));
    }
}
