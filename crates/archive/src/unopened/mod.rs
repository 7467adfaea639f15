//! Formats that are recognized but not opened, so that nothing is skipped silently.
//!
//! Input: the first bytes of content. Output: the format, from one lookup by the first byte. Formats that
//! compress only a part of their content are inspected by [`inspect()`] before they are reported.

mod inspect;
mod table;

use super::fault::Fault;
use ddpatrol_scan::issue::{ArchiveIssue, Unsupported};

pub(super) use inspect::{inspect, inspect_whole, needs_end};
pub(super) use table::{detect, is_dmg, is_squashfs, is_vhd};

macro_rules! formats {
    ($($variant:ident = $name:literal,)+) => {
        /// A format that is recognized but not opened.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "the names are those of the formats")]
        pub enum Unopened {
            $($variant,)+
        }

        impl Unopened {
            /// Returns the name in the plural, for reports.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

formats! {
    Ace = "ACE archives",
    Alz = "ALZip archives",
    AndroidBackup = "encrypted Android backups",
    AppImage = "AppImages",
    AppleArchive = "Apple archives",
    Arj = "ARJ archives",
    Avro = "Avro files with compressed blocks",
    BitLocker = "BitLocker volumes",
    Chm = "CHM help files",
    Cramfs = "cramfs images",
    Dmg = "DMG disk images",
    Erofs = "EROFS images",
    Flash = "compressed Flash files",
    FreeArc = "FreeArc archives",
    Hdf5 = "HDF5 files with compressed chunks",
    InnoSetup = "Inno Setup installers",
    InstallShield = "InstallShield cabinets",
    Jffs2 = "JFFS2 images",
    Journal = "journals with compressed entries",
    Kwaj = "KWAJ files",
    Lha = "LHA archives",
    Lrzip = "lrzip files",
    Luks = "LUKS volumes",
    Lzfse = "LZFSE files",
    Lzop = "lzop files",
    MozLz4 = "Mozilla LZ4 files",
    Nsis = "NSIS installers",
    Ole = "OLE documents with compressed content",
    Orc = "ORC files with compressed streams",
    Pack = "pack (.z) files",
    Pack200 = "pack200 archives",
    Parquet = "Parquet files with compressed pages",
    Pbzx = "pbzx files",
    PgDump = "PostgreSQL dumps of this version",
    Prefetch = "compressed Windows prefetch files",
    PyInstaller = "PyInstaller programs",
    Qcow = "qcow disk images",
    Qed = "QED disk images",
    Rar = "RAR archives",
    RedisDump = "Redis dumps",
    Rzip = "rzip files",
    SnappyFramed = "snappy files",
    Squashfs = "squashfs images",
    StuffIt = "StuffIt archives",
    Szdd = "SZDD files",
    Ubi = "UBI images",
    Vdi = "VDI disk images",
    Vhd = "VHD disk images",
    Vhdx = "VHDX disk images",
    Vmdk = "VMDK disk images",
    Wim = "WIM images",
    Xar = "xar archives",
    Zisofs = "zisofs files",
    Zoo = "zoo archives",
    Zpaq = "ZPAQ archives",
}

impl Unopened {
    /// Returns `true` if the content is encrypted as a whole.
    const fn is_encrypted(self) -> bool {
        matches!(self, Self::AndroidBackup | Self::BitLocker | Self::Luks)
    }

    /// Returns the issue to report for it.
    #[must_use]
    pub const fn issue(self) -> ArchiveIssue {
        if self.is_encrypted() {
            return ArchiveIssue::Encrypted;
        }
        ArchiveIssue::Unsupported(Unsupported::Format { name: self.name() })
    }
}

impl From<Unopened> for Fault {
    fn from(format: Unopened) -> Self {
        format.issue().into()
    }
}
