"""A small disk: a tmpfs that can be filled and emptied."""

import os
import subprocess
from pathlib import Path


class Disk:
    """A separate tmpfs for one database."""

    def __init__(self, path, mebibytes):
        self.path = Path(path)
        self.path.mkdir(parents=True)
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=755", "tmpfs", str(self.path)],
            capture_output=True, text=True,
        )
        if done.returncode:
            raise SystemExit(
                f"error: cannot mount a tmpfs on {self.path}: {done.stderr.strip()};"
                " run as root, outside of containers without CAP_SYS_ADMIN"
            )
        self._filler = self.path / "filler"
        self._device = self.path.stat().st_dev

    def fill(self):
        """Fills the remaining space; repeated calls fill space that was released."""
        with open(self._filler, "ab", buffering=0) as filler:
            if os.fstat(filler.fileno()).st_dev != self._device:
                # Without the tmpfs this would fill the machine's own disk.
                self._filler.unlink()
                raise OSError(f"the small disk on {self.path} is no longer mounted")
            for size in (1 << 20, 1 << 12):
                try:
                    while filler.write(b"\0" * size) == size:
                        pass
                except OSError:
                    continue

    def empty(self):
        """Releases all space that [`fill`] used."""
        self._filler.unlink(missing_ok=True)

    def used(self):
        """Returns the number of bytes in use, including the filler."""
        space = os.statvfs(self.path)
        return (space.f_blocks - space.f_bfree) * space.f_frsize

    def files(self):
        """Returns all files except for the filler."""
        return [p for p in self.path.rglob("*") if p.is_file() and p != self._filler]

    def remove(self):
        """Unmounts the disk."""
        subprocess.run(["umount", "--lazy", str(self.path)], capture_output=True)
