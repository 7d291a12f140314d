# SPDX-License-Identifier: Apache-2.0
"""Archives for the crawler's tests: kernel packages, their indexes and signatures, all by the tools that make real ones."""
import gzip
import hashlib
import importlib.machinery
import importlib.util
import lzma
import os
import random
import re
import shutil
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
loader = importlib.machinery.SourceFileLoader("make_images", os.path.join(HERE, "../builder/make_images"))
images = importlib.util.module_from_spec(importlib.util.spec_from_loader("make_images", loader))
loader.exec_module(images)

MIB = 1 << 20


def run(*command, cwd=None, stdin=None, env=None):
    done = subprocess.run(command, cwd=cwd, input=stdin, capture_output=True, env={**os.environ, **(env or {})})
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.decode(errors='replace')}")
    return done.stdout


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def put(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(content)


class Kernel:
    """A kernel image with its own build-id and release; make_images says what is in it."""

    def __init__(self, vmlinux, number):
        self.number = number
        self.build_id = sha256(b"kernel %d" % number)[:40]
        self.release = f"6.1.0-k{number:03}"
        content = vmlinux.replace(bytes.fromhex(images.BUILD_ID), bytes.fromhex(self.build_id))
        self.vmlinux = content.replace(b"6.1.0-made", self.release.encode())
        assert len(self.vmlinux) == len(vmlinux) and self.vmlinux != vmlinux
        self.vmlinuz = images.bzimage(gzip.compress(self.vmlinux, 6, mtime=0))


def make_vmlinux(directory):
    """Two layouts with BTF, one with DWARF only, one with neither."""
    os.makedirs(directory)
    before = os.getcwd()
    os.chdir(directory)
    try:
        return {"btf": images.compile_vmlinux("btf", "-gbtf"),
                "shifted": images.compile_vmlinux("shifted", "-gbtf", "-DSHIFT=24"),
                "dwarf": images.compile_vmlinux("dwarf", "-gdwarf-5"),
                "bare": images.compile_vmlinux("bare")}
    finally:
        os.chdir(before)


def noise(seed, size):
    """What modules are to the crawler: bytes behind the kernel that do not compress."""
    return random.Random(seed).randbytes(size)


class Keys:
    """A throw-away key for signing, and the keyring that knows it."""

    def __init__(self, directory, name):
        self.home = f"{directory}/{name}.gnupg"
        self.keyring = f"{directory}/{name}.gpg"
        self.name = name
        os.makedirs(self.home, mode=0o700)
        self.gpg("--passphrase", "", "--quick-gen-key", f"{name} <{name}@example.org>", "ed25519", "sign")
        put(self.keyring, self.gpg("--export"))

    def gpg(self, *arguments, stdin=None):
        return run("gpg", "--homedir", self.home, "--batch", "--yes", "--quiet", "--pinentry-mode", "loopback", *arguments,
                   stdin=stdin)

    def clearsign(self, text):
        return self.gpg("--clearsign", stdin=text)

    def detached(self, data):
        return self.gpg("--detach-sign", "--armor", stdin=data)

    def close(self):
        subprocess.run(["gpgconf", "--homedir", self.home, "--kill", "all"], check=False)


# ------------------------------------------------------------------------------ Debian

class Debian:
    """pool/ and dists/SUITE/ below root."""

    def __init__(self, root, suite="test"):
        self.root, self.suite = root, suite
        self.count = 0

    def add(self, name, version, arch, files, how="xz", component_path="pool/main/l/linux"):
        """A package of files [(path, content)], in this order. Returns its path in the archive."""
        tree = f"{self.root}.tree"
        shutil.rmtree(tree, ignore_errors=True)
        put(f"{tree}/DEBIAN/control", f"Package: {name}\nVersion: {version}\nArchitecture: {arch}\n"
            "Maintainer: M <m@example.org>\nDescription: made\n".encode())
        for path, content in files:
            put(f"{tree}/{path}", content)
        path = f"{component_path}/{name}_{version.split(':')[-1]}_{arch}.deb"
        os.makedirs(os.path.dirname(f"{self.root}/{path}"), exist_ok=True)
        level = ["-z0"] if how != "none" else []
        run("dpkg-deb", "--root-owner-group", f"-Z{how}", *level, "--build", tree, f"{self.root}/{path}",
            env={"SOURCE_DATE_EPOCH": "1700000000"})
        shutil.rmtree(tree)
        return path

    def index(self, arches, ending=".xz"):
        """Packages files by dpkg-scanpackages; the text of the Release file that lists them."""
        sums = []
        for arch in arches:
            text = run("dpkg-scanpackages", "--multiversion", "--arch", arch, "pool", cwd=self.root)
            packed = {".xz": lzma.compress, ".gz": gzip.compress, "": bytes}[ending](text)
            path = f"main/binary-{arch}/Packages{ending}"
            put(f"{self.root}/dists/{self.suite}/{path}", packed)
            put(f"{self.root}/dists/{self.suite}/main/binary-{arch}/by-hash/SHA256/{sha256(packed)}", packed)
            sums.append(f" {sha256(packed)} {len(packed)} {path}")
        return "\n".join(["Origin: Test", f"Suite: {self.suite}", f"Architectures: {' '.join(arches)}", "Components: main",
                          "Acquire-By-Hash: yes", "MD5Sum:", " 0 0 main/binary-amd64/Packages.xz", "SHA256:", *sums, ""])

    def publish(self, content):
        put(f"{self.root}/dists/{self.suite}/InRelease", content)

    def packages_url(self, arch, ending=".xz"):
        """The path at which the crawler has to ask for an index."""
        with open(f"{self.root}/dists/{self.suite}/main/binary-{arch}/Packages{ending}", "rb") as f:
            return f"/dists/{self.suite}/main/binary-{arch}/by-hash/SHA256/{sha256(f.read())}"


# --------------------------------------------------------------------------------- rpm

SPEC = """Name: {name}
Version: 6.1.0
Release: {release}
Summary: made
License: none
%description
%prep
%build
%install
mkdir -p %{{buildroot}}{directory}
cp {source} %{{buildroot}}{directory}/{file}
cp {noise} %{{buildroot}}{directory}/zz-noise
%files
{directory}
"""


def make_rpm(root, name, release, directory, file, content, padding):
    """A package NAME-6.1.0-RELEASE with content as DIRECTORY/FILE, and noise behind it."""
    top = f"{root}.top"
    shutil.rmtree(top, ignore_errors=True)
    put(f"{top}/content", content)
    put(f"{top}/noise", padding)
    spec = SPEC.format(name=name, release=release, directory=directory, file=file, source=f"{top}/content", noise=f"{top}/noise")
    put(f"{top}/made.spec", spec.encode())
    run("rpmbuild", "-bb", "--quiet", "--nodeps", "--target", "x86_64", "-D", f"_topdir {top}", "-D", f"_tmppath {top}",
        "-D", "_binary_payload w0.gzdio", "-D", "__os_install_post %{nil}", "-D", "debug_package %{nil}",
        "-D", "_build_id_links none", f"{top}/made.spec")
    made = f"{name}-6.1.0-{release}.x86_64.rpm"
    os.makedirs(f"{root}/Packages", exist_ok=True)
    shutil.move(f"{top}/RPMS/x86_64/{made}", f"{root}/Packages/{made}")
    shutil.rmtree(top)
    return f"Packages/{made}"


def createrepo(root, how="gz"):
    """With primary.xml packed so. Debian's createrepo_c knows no zstd, as Fedora's uses it: that is done by hand."""
    shutil.rmtree(f"{root}/repodata", ignore_errors=True)
    run("createrepo_c", "--quiet", f"--general-compress-type={how.replace('zst', 'gz')}", root)
    if how != "zst":
        return
    with open(f"{root}/repodata/repomd.xml", encoding="utf-8") as f:
        repomd = f.read()
    [(old, name)] = re.findall(r'"repodata/((\w+)-primary.xml.gz)"', repomd)
    with open(f"{root}/repodata/{old}", "rb") as f:
        packed = run("zstd", "-q", stdin=gzip.decompress(f.read()))
    put(f"{root}/repodata/primary.xml.zst", packed)
    data = re.search(r'<data type="primary">.*?</data>', repomd, re.S)[0]
    new = data.replace(old, "primary.xml.zst").replace(name, sha256(packed))
    new = re.sub(r"<size>\d+</size>", f"<size>{len(packed)}</size>", new)
    put(f"{root}/repodata/repomd.xml", repomd.replace(data, new).encode())
