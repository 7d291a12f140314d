# SPDX-License-Identifier: Apache-2.0
"""The guest's root file system: a deterministic cpio archive, made anew only when something in it has changed."""
import gzip
import hashlib
import os
import re
import shutil
import stat
import subprocess

MTIME = 1700000000  # one for all files, so that the same inputs give the same bytes; not 0, which could pass for "unknown"

DIRECTORIES = ("dev", "etc", "payload", "proc", "root", "run", "sys", "tests", "tmp", "usr/bin", "usr/lib", "usr/lib64",
               "usr/sbin", "var/lib", "var/log")
MERGED = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"}  # as on Debian

# For kernels without devtmpfs; the first is where the kernel opens init's stdin, stdout and stderr.
NODES = {"console": (5, 1), "null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9),
         "tty": (5, 0), "ptmx": (5, 2), "ttyS0": (4, 64), "ttyS1": (4, 65)}

ETC = {
    "passwd": "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/:/bin/false\nalice:x:1000:1000:Alice:/tmp:/bin/sh\n"
              "bob:x:1001:1001:Bob:/tmp:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    "group": "root:x:0:\ndaemon:x:1:\ntty:x:5:\nalice:x:1000:\nbob:x:1001:\nnogroup:x:65534:\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    "hosts": "127.0.0.1 localhost\n::1 localhost\n",
    "hostname": "cormorant-vm\n",
    "machine-id": "c0de0000c0de4000a000c0de0000c0de\n",
    "os-release": 'NAME="Cormorant test guest"\nID=cormorant-vm\nVERSION="1"\nVERSION_ID="1"\n',
}


def libraries(program):
    """The shared libraries a program needs, the dynamic loader among them; none for a script or a static program."""
    text = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
    if "not found" in text:
        raise SystemExit(f"vm: {program}: {text.strip()}: install what is missing")
    return re.findall(r"(/\S+) \(0x", text)


class Tree:
    def __init__(self):
        self.entries = {}  # path: (mode, content, (major, minor))

    def directory(self, path):
        if path and path not in self.entries:
            self.directory(os.path.dirname(path))
            self.entries[path] = (stat.S_IFDIR | 0o755, b"", (0, 0))

    def add(self, path, mode, content, device=(0, 0)):
        path = path.strip("/")
        top, _, rest = path.partition("/")
        if rest and top in MERGED:
            path = f"{MERGED[top]}/{rest}"
        self.directory(os.path.dirname(path))
        self.entries[path] = (mode, content, device)

    def file(self, path, source):
        with open(source, "rb") as f:
            self.add(path, stat.S_IFREG | stat.S_IMODE(os.fstat(f.fileno()).st_mode) & 0o7755 | 0o444, f.read())

    def program(self, path, source):
        self.file(path, source)
        for library in libraries(source):
            self.file(library, library)

    def cpio(self):
        """The archive in the "newc" format, the one the kernel unpacks."""
        out = []
        entries = sorted(self.entries.items()) + [("TRAILER!!!", (0, b"", (0, 0)))]
        for inode, (path, (mode, content, device)) in enumerate(entries, 1):
            name = path.encode() + b"\0"
            fields = (inode, mode, 0, 0, 1, MTIME, len(content), 0, 0, *device, len(name), 0)
            head = b"070701" + b"".join(b"%08x" % f for f in fields) + name
            out += [head, b"\0" * (-len(head) % 4), content, b"\0" * (-len(content) % 4)]
        return b"".join(out)


def tree(build, init, db):
    t = Tree()
    for path in DIRECTORIES:
        t.directory(path)
    for path, target in MERGED.items():
        t.add(path, stat.S_IFLNK | 0o777, target.encode())
    for name, device in NODES.items():
        t.add(f"dev/{name}", stat.S_IFCHR | 0o666, b"", device)
    for name, text in ETC.items():
        t.add(f"etc/{name}", stat.S_IFREG | 0o644, text.encode())
    busybox = shutil.which("busybox")
    for applet in subprocess.check_output([busybox, "--list"], text=True).split():
        t.add(f"bin/{applet}", stat.S_IFLNK | 0o777, b"busybox")
    t.program("bin/busybox", busybox)
    t.file("init", init)
    t.program("bin/cormorant", f"{build}/bin/cormorant")
    t.program("bin/offsets-builder", f"{build}/bin/offsets-builder")
    t.program("tests/e2e", f"{build}/tests/e2e")
    payload = f"{build}/tests/payload"
    for name in os.listdir(payload) if os.path.isdir(payload) else ():
        if os.path.isfile(f"{payload}/{name}"):
            t.program(f"payload/{name}", f"{payload}/{name}")
    shipped = f"{build}/share/cormorant/offsets.db"
    if os.path.isfile(shipped):
        t.file("shipped.db", shipped)
    if db:
        t.file("offsets.db", db)
    return t


def build(path, build_dir, init, db):
    """Writes the gzipped archive (what every kernel can unpack) to path; True if that had to be done."""
    archive = tree(build_dir, init, db).cpio()
    digest = hashlib.sha256(archive).hexdigest()
    stamp = f"{path}.sha256"
    if os.path.exists(path) and os.path.exists(stamp) and open(stamp).read() == digest:
        return False
    with open(f"{path}.{os.getpid()}", "wb") as f:
        f.write(gzip.compress(archive, 5, mtime=0))
    os.replace(f.name, path)
    with open(stamp, "w") as f:
        f.write(digest)
    return True
