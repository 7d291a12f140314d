// SPDX-License-Identifier: Apache-2.0
/* container.c: how each engine names a container's cgroup, and what only looks like one. */
#include "builder.h"
#include "container.h"

#include <stdlib.h>

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID2 "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define ID63 "123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID65 ID "0"
#define UPPER "0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef"
#define NOT_HEX "0123456789abcdeg0123456789abcdef0123456789abcdef0123456789abcdef"
#define POD "kubepods-burstable-pod8f5d0a3c_1b2c_4d5e_8f90_a1b2c3d4e5f6.slice"

static void assert_container(const char *path, const char *want_id, const char *want_runtime)
{
	size_t n = strlen(path);
	char *exact = copy_of(path, n);
	const char *runtime = "untouched";
	struct slice id = {0};
	bool found = container_of_cgroup((struct slice){exact, n}, &id, &runtime);

	if (found != (want_id != NULL))
		fail_msg("%s: %s", path, found ? "is no container" : "is a container");
	if (found) {
		assert_int_equal(id.len, strlen(want_id));
		assert_memory_equal(id.data, want_id, id.len);
		assert_true(id.data >= exact && id.data + id.len <= exact + n);
		if (want_runtime)
			assert_string_equal(runtime, want_runtime);
		else
			assert_null(runtime);
	}
	free(exact);
}

static void every_engines_form_is_known(void **state)
{
	static const struct {
		const char *path, *id, *runtime;
	} cases[] = {
		/* Docker: systemd driver, cgroupfs driver, rootless. */
		{"/system.slice/docker-" ID ".scope", ID, "docker"},
		{"/docker/" ID, ID, "docker"},
		{"/user.slice/user-1000.slice/user@1000.service/user.slice/docker-" ID ".scope", ID,
		 "docker"},
		/* Podman: systemd (root, rootless, its sub-cgroup), cgroupfs. */
		{"/machine.slice/libpod-" ID ".scope", ID, "podman"},
		{"/machine.slice/libpod-" ID ".scope/container", ID, "podman"},
		{"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID ".scope", ID,
		 "podman"},
		{"/libpod_parent/libpod-" ID, ID, "podman"},
		/* CRI-O and containerd below Kubernetes. */
		{"/kubepods.slice/kubepods-burstable.slice/" POD "/crio-" ID ".scope", ID, "cri-o"},
		{"/kubepods.slice/kubepods-burstable.slice/" POD "/cri-containerd-" ID ".scope", ID,
		 "containerd"},
		{"/kubepods.slice/" POD "/docker-" ID ".scope", ID, "docker"},
		{"/kubepods/burstable/pod8f5d0a3c-1b2c-4d5e-8f90-a1b2c3d4e5f6/" ID, ID, NULL},
		{"/kubepods/besteffort/pod1/crio-" ID, ID, "cri-o"},
		/* nerdctl, LXC, systemd-nspawn. */
		{"/system.slice/nerdctl-" ID ".scope", ID, "containerd"},
		{"/lxc.payload.web-1", "web-1", "lxc"},
		{"/lxc/web-1", "web-1", "lxc"},
		{"/machine.slice/machine-web.scope", "web", "systemd-nspawn"},
		{"/machine.slice/machine-web.scope/payload/system.slice/cron.service", "web",
		 "systemd-nspawn"},
		/* Below the container's own root. */
		{"/system.slice/docker-" ID ".scope/init.scope", ID, "docker"},
		{"/system.slice/docker-" ID ".scope/system.slice/ssh.service", ID, "docker"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_container(cases[i].path, cases[i].id, cases[i].runtime);
}

static void what_only_looks_like_a_container_is_none(void **state)
{
	static const char *const paths[] = {
		"", "/", "//", "/init.scope", "/user.slice/user-0.slice/session-1.scope",
		"/system.slice/docker.service", "/system.slice/containerd.service",
		/* The monitors, which run on the host. */
		"/machine.slice/libpod-conmon-" ID ".scope",
		"/kubepods.slice/" POD "/crio-conmon-" ID ".scope",
		"/lxc.monitor.web-1", "/lxc.payload.",
		/* A virtual machine. */
		"/machine.slice/machine-qemu\\x2d1\\x2dvm.scope",
		/* Not an id. */
		"/docker/" ID63, "/docker/" ID65, "/docker/" UPPER, "/docker/" NOT_HEX,
		"/system.slice/docker-" ID63 ".scope", "/system.slice/docker-" ID65 ".scope",
		"/system.slice/docker-" UPPER ".scope", "/system.slice/docker-" ID ".service",
		"/system.slice/docker-" ID ".scop", "/system.slice/docker-" ID ".scopes",
		"/system.slice/xdocker-" ID ".scope", "/system.slice/docker-.scope",
		"/machine.slice/machine-.scope", "/kubepods.slice/" POD,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		assert_container(paths[i], NULL, NULL);
}

static void the_innermost_container_wins(void **state)
{
	(void)state;
	assert_container("/system.slice/docker-" ID ".scope/docker/" ID2, ID2, "docker");
	assert_container("/docker/" ID "/kubepods/burstable/pod1/cri-containerd-" ID2 ".scope", ID2,
			 "containerd");
	assert_container("/lxc.payload.outer/system.slice/docker-" ID2 ".scope", ID2, "docker");
	assert_container("/docker/" ID "/docker/" ID65, ID, "docker");
}

static void any_bytes_are_a_path(void **state)
{
	static const char *const pieces[] = {
		"/", "docker", "docker-", "libpod-", "conmon-", ID, ID2, ID63, ".scope", "lxc", "lxc.payload.",
		"machine-", "qemu", "crio-", "a", "\xff", "/docker/",
	};
	struct dice dice = {3};

	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct text path = {0};
		struct slice id;
		const char *runtime;
		char *exact;

		for (uint64_t n = dice_below(&dice, 8); n; n--)
			text_str(&path, pieces[dice_below(&dice, sizeof(pieces) / sizeof(pieces[0]))]);
		exact = copy_of(path.data, path.len);
		if (container_of_cgroup((struct slice){exact, path.len}, &id, &runtime)) {
			assert_true(id.data >= exact && id.len > 0 &&
				    id.data + id.len <= exact + path.len);
			assert_null(memchr(id.data, '/', id.len));
		}
		free(exact);
		text_free(&path);
	}
}

static void a_huge_path_is_searched_to_its_end(void **state)
{
	struct text path = {0};

	(void)state;
	for (int i = 0; i < 20000; i++)
		text_str(&path, "/docker-");
	text_str(&path, "/docker/" ID);
	text_char(&path, 0);
	assert_container(path.data, ID, "docker");
	path.data[path.len - 2] = 'X';
	assert_container(path.data, NULL, NULL);
	text_free(&path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_engines_form_is_known),
		cmocka_unit_test(what_only_looks_like_a_container_is_none),
		cmocka_unit_test(the_innermost_container_wins),
		cmocka_unit_test(any_bytes_are_a_path),
		cmocka_unit_test(a_huge_path_is_searched_to_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
