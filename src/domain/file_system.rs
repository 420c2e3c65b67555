//! Which file systems may be shared with other machines: a lock on one of them may hold back
//! nobody, and what was synced may be seen late by others.

/// The kinds of Linux, by the number that the system gives them.
///
/// Everything behind FUSE is taken for shared, since `sshfs`, `rclone`, `gcsfuse` and the folders
/// that containers on a laptop see are; so are cluster file systems, whose locks hold only when
/// they are mounted that way. Who knows better can say so.
const LINUX: [(u32, &str); 21] = [
    (0x0000_6969, "NFS"),
    (0x0000_517B, "SMB"),
    (0xFF53_4D42, "CIFS"),
    (0xFE53_4D42, "SMB"),
    (0x5346_414F, "AFS"),
    (0x6B41_4653, "AFS"),
    (0x0102_1997, "9P"),
    (0x00C3_6400, "Ceph"),
    (0x0BD0_0BD0, "Lustre"),
    (0x4750_4653, "GPFS"),
    (0x1983_0326, "BeeGFS"),
    (0x7375_7245, "Coda"),
    (0x0000_564C, "NCP"),
    (0xAAD7_AAEA, "PanFS"),
    (0x2003_0528, "OrangeFS"),
    (0x7461_636F, "OCFS2"),
    (0x0116_1970, "GFS2"),
    (0xBACB_ACBC, "a folder shared by VMware"),
    (0x786F_4256, "a folder shared by VirtualBox"),
    (0x7C7C_6673, "a folder shared by Parallels"),
    (0x6573_5546, "FUSE"),
];

/// The kinds of macOS and the BSDs, by the names that the system gives them.
const NAMED: [(&str, &str); 9] = [
    ("nfs", "NFS"),
    ("smbfs", "SMB"),
    ("afpfs", "AFP"),
    ("webdav", "WebDAV"),
    ("ftp", "FTP"),
    ("macfuse", "FUSE"),
    ("osxfuse", "FUSE"),
    ("fusefs", "FUSE"),
    ("p9fs", "9P"),
];

/// The name of a shared file system by its number on Linux; nothing for a local one.
pub fn shared_by_number(number: u32) -> Option<&'static str> {
    LINUX.iter().find(|(known, _)| *known == number).map(|(_, name)| *name)
}

/// The name of a shared file system by the system's own name for it; nothing for a local one.
pub fn shared_by_name(own_name: &str) -> Option<&'static str> {
    NAMED.iter().find(|(known, _)| *known == own_name).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_other_machines_may_write_to_is_named() {
        for (number, name) in [
            (0x6969, "NFS"),
            (0xFF53_4D42, "CIFS"),
            (0xFE53_4D42, "SMB"),
            (0x0102_1997, "9P"),
            (0x00C3_6400, "Ceph"),
            (0x6573_5546, "FUSE"),
        ] {
            assert_eq!(shared_by_number(number), Some(name));
        }
        assert_eq!(shared_by_name("smbfs"), Some("SMB"));
        let numbers: BTreeSet<u32> = LINUX.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers.len(), LINUX.len(), "no number stands twice");
    }

    #[test]
    fn local_disks_are_not() {
        // ext4, btrfs, XFS, tmpfs, overlay, ZFS, F2FS, bcachefs, exFAT, ramfs, eCryptfs
        for number in [
            0xEF53,
            0x9123_683E,
            0x5846_5342,
            0x0102_1994,
            0x794C_7630,
            0x2FC1_2FC1,
            0xF2F5_2010,
            0xCA45_1A4E,
            0x2011_BAB0,
            0x8584_58F6,
            0xF15F,
        ] {
            assert_eq!(shared_by_number(number), None, "{number:x}");
        }
        for name in ["apfs", "hfs", "ufs", "zfs", "msdos", ""] {
            assert_eq!(shared_by_name(name), None, "{name}");
        }
    }
}
