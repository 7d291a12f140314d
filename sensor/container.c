// SPDX-License-Identifier: Apache-2.0
#include "container.h"

enum { ID_HEX = 64 };

/*
 * How engines name a container's cgroup: PREFIX + 64 hex digits + SUFFIX in one
 * component (systemd driver), or 64 hex digits below a component of the engine's own
 * (cgroupfs driver). Sources: moby daemon/oci_linux.go, libpod, cri-o, containerd,
 * nerdctl; lxc.payload.NAME and machine-NAME.scope carry a name.
 */
static const struct {
	const char *prefix;
	const char *runtime;
} prefixes[] = {
	{"docker-", "docker"},
	{"cri-containerd-", "containerd"},
	{"crio-", "cri-o"},
	{"libpod-", "podman"},
	{"nerdctl-", "containerd"},
	{"containerd-", "containerd"},
	{"", NULL},
};

static const struct {
	const char *parent;
	const char *runtime;
} parents[] = {
	{"docker", "docker"},
	{"libpod_parent", "podman"},
	{"containerd", "containerd"},
	{"buildkit", "buildkit"},
};

static bool starts_with(struct slice s, const char *prefix)
{
	size_t n = strlen(prefix);

	return s.len >= n && !memcmp(s.data, prefix, n);
}

static bool is_id(struct slice s)
{
	for (size_t i = 0; i < ID_HEX; i++)
		if (i >= s.len || !((s.data[i] >= '0' && s.data[i] <= '9') ||
				    (s.data[i] >= 'a' && s.data[i] <= 'f')))
			return false;
	return true;
}

/* The runtime that owns a bare 64-digit component, told by the one above it. */
static const char *parent_runtime(struct slice parent)
{
	for (size_t i = 0; i < sizeof(parents) / sizeof(parents[0]); i++)
		if (parent.len == strlen(parents[i].parent) &&
		    starts_with(parent, parents[i].parent))
			return parents[i].runtime;
	return NULL;
}

static bool component_id(struct slice name, struct slice parent, struct slice *id,
			 const char **runtime)
{
	static const struct slice scope = {".scope", 6};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		size_t skip = strlen(prefixes[i].prefix);
		struct slice rest;

		if (!starts_with(name, prefixes[i].prefix))
			continue;
		rest = (struct slice){name.data + skip, name.len - skip};
		if (!is_id(rest))
			continue;
		if (rest.len != ID_HEX && !(rest.len == ID_HEX + scope.len &&
					    !memcmp(rest.data + ID_HEX, scope.data, scope.len)))
			continue;
		*id = (struct slice){rest.data, ID_HEX};
		*runtime = skip ? prefixes[i].runtime : parent_runtime(parent);
		return true;
	}
	return false;
}

/* Engines whose containers have names: the name is the id. */
static bool component_name(struct slice name, struct slice parent, struct slice *id,
			   const char **runtime)
{
	if (starts_with(name, "lxc.payload.") && name.len > 12) {
		*id = (struct slice){name.data + 12, name.len - 12};
		*runtime = "lxc";
		return true;
	}
	if (parent.len == 3 && starts_with(parent, "lxc")) {
		*id = name;
		*runtime = "lxc";
		return true;
	}
	/* libvirt's machine-qemu... are virtual machines. */
	if (starts_with(name, "machine-") && !starts_with(name, "machine-qemu") && name.len > 14 &&
	    !memcmp(name.data + name.len - 6, ".scope", 6)) {
		*id = (struct slice){name.data + 8, name.len - 14};
		*runtime = "systemd-nspawn";
		return true;
	}
	return false;
}

bool container_of_cgroup(struct slice path, struct slice *id, const char **runtime)
{
	struct slice name, parent = {0};
	bool found = false;
	size_t at = 0;

	while (at < path.len) {
		const char *slash = memchr(path.data + at, '/', path.len - at);
		size_t end = slash ? (size_t)(slash - path.data) : path.len;

		name = (struct slice){path.data + at, end - at};
		at = end + 1;
		if (!name.len)
			continue;
		if (component_id(name, parent, id, runtime) ||
		    component_name(name, parent, id, runtime))
			found = true;
		parent = name;
	}
	return found;
}
