-- SPDX-License-Identifier: Apache-2.0
-- The offsets database: where the members of include/cormorant/kernel_members.h lie in
-- kernels that can't be asked themselves (no BTF). Made by offsets-builder, read by the
-- sensor. What is not known is NULL.

-- include/cormorant/offsets_schema.h has the same two numbers. A new number needs its step in
-- offsets-builder/db_migrate.c.
PRAGMA application_id = 0x434f524d; -- "CORM"
PRAGMA user_version = 2;

-- schema_version, built_at (when a row was last written, UTC), tool_version.
CREATE TABLE meta (
	key TEXT PRIMARY KEY NOT NULL,
	value TEXT NOT NULL
) WITHOUT ROWID;

-- One set of offsets. Kernels that agree in every number share it.
CREATE TABLE layout (
	id INTEGER PRIMARY KEY,
	-- of its fields, each a line "STRUCT.MEMBER OFFSET SIZE BIT_SHIFT\n" or
	-- "STRUCT.MEMBER absent\n", sorted by bytes
	sha256 TEXT NOT NULL UNIQUE CHECK (length(sha256) = 64)
);

-- What the kernel was found to lack has a row without numbers. What has no row was not
-- looked for: the list of members was shorter when the kernel was read.
CREATE TABLE layout_field (
	layout_id INTEGER NOT NULL REFERENCES layout (id) ON DELETE CASCADE,
	struct TEXT NOT NULL, -- "task_struct", or of an enumerator "enum pid_type"
	member TEXT NOT NULL, -- "tgid", the enumerator, or '' for the struct itself
	-- bytes from the struct's start, through anonymous structs; an enumerator's number
	offset INTEGER CHECK (offset IS NULL OR (typeof(offset) = 'integer' AND offset >= 0)),
	-- bytes; 0 of a flexible array and of an enumerator
	size INTEGER CHECK (size IS NULL OR (typeof(size) = 'integer' AND size >= 0)),
	-- bits from offset's byte to a bit field; 0 of everything else
	bit_shift INTEGER CHECK (bit_shift IS NULL OR typeof(bit_shift) = 'integer'),
	PRIMARY KEY (layout_id, struct, member),
	CHECK ((offset IS NULL) = (size IS NULL) AND (offset IS NULL) = (bit_shift IS NULL))
) WITHOUT ROWID;

-- One kernel image. It is found by its build-id, else by (arch, release, version), else, if it
-- is the only one of its (arch, release) and has neither, by these. Two rows of one kernel say
-- that two readers do not agree about it: neither is used.
CREATE TABLE kernel (
	id INTEGER PRIMARY KEY,
	build_id TEXT CHECK (build_id <> '' AND build_id NOT GLOB '*[^0-9a-f]*'),
	arch TEXT CHECK (arch <> ''), -- uname -m
	release TEXT CHECK (release <> ''), -- uname -r
	version TEXT CHECK (version <> ''), -- uname -v
	distro TEXT,
	source TEXT, -- where the image came from: a path, a URL
	package TEXT, -- the package it was in
	sha256 TEXT, -- of the image's bytes, as they were read
	package_sha256 TEXT, -- of the package, as the signed index states it
	source_verified INTEGER NOT NULL DEFAULT 0, -- 1: the whole package was hashed, and agreed
	built_at TEXT, -- when this row was made, UTC, RFC 3339
	layout_id INTEGER NOT NULL REFERENCES layout (id),
	CHECK (build_id IS NOT NULL OR release IS NOT NULL)
);
CREATE INDEX kernel_by_build_id ON kernel (build_id);
CREATE INDEX kernel_by_version ON kernel (release, version, arch);
CREATE INDEX kernel_by_layout ON kernel (layout_id);

-- What `crawl` has read: a package that is here is not fetched again. The sensor ignores it.
CREATE TABLE crawled (
	package_sha256 TEXT PRIMARY KEY NOT NULL,
	package TEXT NOT NULL, -- its file name
	build_id TEXT, -- the kernel found in it; it may be another package's, too
	why TEXT, -- no kernel: why, for ever (its contents; not that it could not be had)
	CHECK ((build_id IS NULL) <> (why IS NULL))
) WITHOUT ROWID;
