//! CC10: the mode is exact under any umask and any default access list; names cannot escape the
//! directory.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use fifowire::{ErrorKind, Fifo, Pair};
use nix::sys::stat::{Mode, umask};
use rustix::fs::{XattrFlags, getxattr, setxattr};
use rustix::io::Errno;

use crate::support::{Scene, raw, scene};

const MODES: [u32; 6] = [0o600, 0o660, 0o622, 0o400, 0o666, 0o000];

#[test]
fn cc10_the_mode_is_exact_under_any_umask() {
    scene(&[], |scene| {
        for mask in [0o000, 0o022, 0o077, 0o777] {
            umask(Mode::from_bits_truncate(mask));
            check_modes(scene);
            let after = umask(Mode::empty());
            assert_eq!(after.bits(), mask, "the host's umask was touched");
        }
    });
}

fn check_modes(scene: &Scene) {
    for mode in MODES {
        let fifo = Fifo::options().mode(mode).create(scene.path("a.fifo")).unwrap();
        assert_eq!(mode_of(fifo.path()), mode, "asked for {mode:04o}");
        let pair = Pair::create_with(scene.directory(), "p", Fifo::options().mode(mode)).unwrap();
        assert_eq!([mode_of(pair.input()), mode_of(pair.output())], [mode, mode]);
    }
    let fifo = Fifo::create(scene.path("default.fifo")).unwrap();
    assert_eq!(mode_of(fifo.path()), 0o600);
}

fn mode_of(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn cc10_the_mode_is_exact_under_a_default_access_list() {
    scene(&[], |scene| {
        match setxattr(scene.directory(), DEFAULT, &everybody_may(), XattrFlags::empty()) {
            Ok(()) => {
                // The list does what it is for, or this test would show nothing.
                let plain = scene.path("plain.fifo");
                raw::make_fifo(&plain);
                assert!(getxattr(&plain, ACCESS, &mut [0_u8; 256]).is_ok());
                fs::remove_file(&plain).unwrap();
            }
            Err(Errno::NOTSUP) => eprintln!("no access lists on this file system"),
            Err(error) => panic!("setxattr: {error}"),
        }
        umask(Mode::empty());
        check_modes(scene);
        let fifo = Fifo::create(scene.path("a.fifo")).unwrap();
        let list = getxattr(fifo.path(), ACCESS, &mut [0_u8; 256]);
        assert!(matches!(list, Err(Errno::NODATA | Errno::NOTSUP)), "an access list: {list:?}");
    });
}

const DEFAULT: &str = "system.posix_acl_default";
const ACCESS: &str = "system.posix_acl_access";

/// A list that gives everybody, and user 1234 by name, every right: `<linux/posix_acl_xattr.h>`,
/// a version and entries of tag, rights and id.
fn everybody_may() -> Vec<u8> {
    const NOBODY: u32 = u32::MAX;
    let (owner, user, group, mask, other) = (0x01_u16, 0x02, 0x04, 0x10, 0x20);
    let mut list = 2_u32.to_le_bytes().to_vec();
    for (tag, id) in
        [(owner, NOBODY), (user, 1234), (group, NOBODY), (mask, NOBODY), (other, NOBODY)]
    {
        list.extend_from_slice(&tag.to_le_bytes());
        list.extend_from_slice(&7_u16.to_le_bytes());
        list.extend_from_slice(&id.to_le_bytes());
    }
    list
}

#[test]
fn cc10_a_name_cannot_leave_its_directory() {
    scene(&[], |scene| {
        let inner = scene.path("inner");
        fs::create_dir(&inner).unwrap();
        let long = "n".repeat(247);
        let names = [
            "", ".", "..", "../a", "a/b", "/a", "a/../b", ".hidden", "a\0b", "a\nb", "a b", "ä",
            "a\\b", "~", "$HOME", "*", &long,
        ];
        for name in names {
            for made in [
                Pair::create(&inner, name),
                Pair::create_or_open(&inner, name, Fifo::options()),
                Pair::at(&inner, name),
            ] {
                let error = made.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::InvalidName, "{name:?}: {error}");
                assert_eq!(error.detail(), Some(&*format!("{name:?}")));
            }
        }
        let longest = "n".repeat(246);
        for name in ["a", "a.b", "a-b_c.9", "a..b", &longest] {
            let pair = Pair::create(&inner, name).unwrap();
            assert_eq!(pair.input().parent(), Some(&*inner));
            assert_eq!(fs::read_dir(&inner).unwrap().count(), 2);
        }
        assert_eq!(fs::read_dir(&inner).unwrap().count(), 0);
        fs::remove_dir(&inner).unwrap();
        // The ledger sees whether anything was made beside it.
    });
}

#[test]
fn cc10_no_directory_is_made_for_a_fifo() {
    scene(&[], |scene| {
        for error in [
            Fifo::create(scene.path("missing/a.fifo")).unwrap_err(),
            Pair::create(scene.path("missing"), "a").unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        }
        assert!(!scene.path("missing").exists());
    });
}

#[test]
fn cc10_a_fifo_that_exists_is_never_replaced_and_its_mode_is_left_as_it_is() {
    scene(&[], |scene| {
        let path = scene.path("a.fifo");
        let first = Fifo::options().mode(0o640).create(&path).unwrap();
        let inode = fs::metadata(&path).unwrap().ino();
        assert_eq!(Fifo::create(&path).unwrap_err().kind(), ErrorKind::AlreadyExists);
        let adopted = Fifo::options().create_or_open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().ino(), inode);
        assert_eq!(mode_of(&path), 0o640);
        drop(adopted);
        assert!(path.exists(), "what was opened is not removed");
        drop(first);
    });
}
