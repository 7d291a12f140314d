# SPDX-License-Identifier: Apache-2.0
"""Debian kernels for the matrix: the newest cloud kernel of a series out of the archive, kept outside the tree; before it
the newest that the database that ships has a row for.

A series that has a vmlinuz in the cache is never looked up again (remove its directory for a newer one): a warm cache needs
no network. Mirror addresses come from apt's configuration, indexes through apt with the archive's keyring. Of a package
only the part up to vmlinuz is read, so its hash can't be checked: the kernel runs in a virtual machine and nowhere else.
"""
import fcntl
import functools
import glob
import gzip
import http.client
import lzma
import os
import re
import subprocess
import tarfile
import urllib.error
import urllib.request

# The default matrix: a kernel series (alternatives: the first to be had) and the Debian suites to look in, in this order. The
# security and backports suites come first: their indexes are small and theirs is, as a rule, the newest build.
MATRIX = (
    (("5.10",), ("bullseye-security", "bullseye")),
    (("6.1",), ("bookworm-security", "bookworm")),
    (("6.12",), ("trixie-security", "trixie", "bookworm-backports")),
    (("6.19", "6.18"), ("trixie-backports", "sid")),
    (("7.2",), ("trixie-backports", "sid")),
)

CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "cormorant/kernels")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

# -c is read after all of the machine's own configuration, so only this can clear its hooks.
APT_CONF = """#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
APT::Sandbox::User "root";
Dir::Etc::sourcelist "{dir}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::State::lists "{dir}/lists";
Dir::Cache "{dir}/cache";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
"""


class Unavailable(Exception):
    pass


def indextargets(field, *options):
    return subprocess.check_output(
        ["apt-get", *options, "indextargets", "--format", field, "Created-By: Packages"], text=True).splitlines()


@functools.lru_cache
def mirror(suite):
    """The address the machine's own apt uses for the archive a suite is in."""
    wanted = "Debian-Security" if suite.endswith("-security") else "Debian"
    for line in indextargets("$(REPO_URI) $(LABEL)"):
        uri, label = line.split(" ", 1)
        if label == wanted:
            return uri
    raise Unavailable(f"apt has no index of {wanted}: run apt-get update, or name kernels with --kernel")


KERNEL_PACKAGES = ("linux-image-", "linux-binary-")


@functools.lru_cache
def packages(suite, prefixes=KERNEL_PACKAGES):
    """[(package, version, size, address)] of the packages in a suite whose names begin so."""
    uri = mirror(suite)
    directory = f"{CACHE}/apt/{suite}"
    os.makedirs(f"{directory}/lists/partial", exist_ok=True)
    os.makedirs(f"{directory}/cache", exist_ok=True)
    with open(f"{directory}/sources.list", "w") as f:
        f.write(f"deb [arch=amd64 target=Packages signed-by={KEYRING}] {uri} {suite} main\n")
    with open(f"{directory}/apt.conf", "w") as f:
        f.write(APT_CONF.format(dir=directory))
    private = ("-c", f"{directory}/apt.conf")
    done = subprocess.run(["apt-get", *private, "-q", "--error-on=any", "update"], capture_output=True, text=True)
    if done.returncode:
        raise Unavailable(f"{suite}: apt-get update: {done.stderr.strip()}")
    found = []
    for index in indextargets("$(FILENAME)", *private):
        text = subprocess.check_output(["/usr/lib/apt/apt-helper", "cat-file", index], text=True)
        for paragraph in text.split("\n\n"):
            if paragraph.startswith(tuple(f"Package: {prefix}" for prefix in prefixes)):
                field = dict(re.findall(r"^(Package|Version|Size|Filename): (.*)", paragraph, re.M))
                found.append((field["Package"], field["Version"], int(field["Size"]), uri + field["Filename"]))
    return found


def candidates(series, suite):
    """Newest first, signed before unsigned. From 6.19 linux-image-* is an empty package and linux-binary-* has the kernel."""
    name = re.compile(r"linux-(image|binary)-\d\S*-cloud-amd64(-unsigned)?")
    found = [p for p in packages(suite) if name.fullmatch(p[0]) and p[1].startswith(series + ".") and p[2] > 1 << 20]
    return sorted(found, key=lambda p: ([int(n) for n in re.findall(r"\d+", p[1])], -len(p[0])), reverse=True)


@functools.lru_cache
def shipped():
    """{(release, Debian's version)} of the kernels in data/offsets."""
    with open(os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../data/offsets/debian-x86_64.jsonl")) as f:
        return set(re.findall(r'"release":"([^"]+)","version":"[^"]* Debian ([^ "]+)', f.read()))


def has_row(package, version):
    return (re.sub(r"^linux-(image|binary)-|-unsigned$", "", package).replace("unsigned-", ""), version) in shipped()


def data_member(stream):
    """The data.tar member of a .deb, an ar archive read front to back."""
    if stream.read(8) != b"!<arch>\n":
        raise Unavailable("not a Debian package")
    while len(head := stream.read(60)) == 60:
        name, size = head[:16].decode().strip(" /"), int(head[48:58])
        if name.startswith("data.tar"):
            return lzma.open(stream) if name.endswith(".xz") else gzip.open(stream) if name.endswith(".gz") else stream
        stream.read(size + size % 2)
    raise Unavailable("no data.tar in the package")


def extract(stream, directory):
    """The vmlinuz of a package into directory, whole or not at all."""
    with tarfile.open(fileobj=data_member(stream), mode="r|") as tar:
        for member in tar:
            found = re.search(r"boot/vmlinuz-([^/]+)$|lib/modules/([^/]+)/vmlinuz$", member.name)  # the latter from 7.2 on
            if not found or not member.isfile():
                continue
            content = tar.extractfile(member).read()
            if len(content) != member.size:
                raise Unavailable("the package is cut short")
            path = f"{directory}/vmlinuz-{found[1] or found[2]}"
            with open(f"{directory}/.new", "wb") as f:
                f.write(content)
            os.rename(f.name, path)
            return path
    raise Unavailable("no vmlinuz in the package")


def fetch(series, suites, say):
    directory = f"{CACHE}/{series}"
    os.makedirs(directory, exist_ok=True)
    for wanted, suite in ((wanted, suite) for wanted in (True, False) for suite in suites):
        for package, version, _, address in candidates(series, suite):
            if has_row(package, version) != wanted:
                continue
            try:
                say(f"fetching {package} {version} from {suite}")
                with urllib.request.urlopen(address, timeout=60) as stream:
                    return extract(stream, directory)
            except (Unavailable, OSError, EOFError, http.client.HTTPException, lzma.LZMAError, tarfile.TarError) as e:
                say(f"{package}: {e}: trying the next older one")  # an index may list what is gone from the pool
    return None


def cached(series):
    """The vmlinuz fetched last."""
    return max(glob.glob(f"{CACHE}/{series}/vmlinuz-*"), key=os.path.getmtime, default=None)


def default_list(say):
    """The paths of the matrix's kernels, fetched if need be."""
    os.makedirs(CACHE, exist_ok=True)
    with open(f"{CACHE}/lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two runs at a time fetch once
        for names, suites in MATRIX:
            ways = [(cached, (s,)) for s in names] + [(fetch, (s, suites, say)) for s in names]
            path = next(filter(None, (way(*args) for way, args in ways)), None)
            if not path:
                raise Unavailable(f"no kernel {' or '.join(names)} to be had from {', '.join(suites)}")
            yield path
