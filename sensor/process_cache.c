// SPDX-License-Identifier: Apache-2.0
#include "process_cache.h"

#include <stdlib.h>

enum { SETS = 1024, WAYS = 4, SLOTS = SETS * WAYS };

struct slot {
	struct process_key key;
	uint64_t age; /* when it was put; 0: empty */
	size_t exe_len;
	size_t argv_len;
	bool exe_known;
	bool argv_known;
	char *bytes; /* exe, then argv */
};

struct process_cache {
	size_t bytes;
	size_t max_bytes;
	uint64_t clock;
	size_t hand; /* the next slot to be emptied when there are too many bytes */
	struct slot slots[SLOTS];
};

struct process_cache *process_cache_open(size_t max_bytes)
{
	struct process_cache *cache = calloc(1, sizeof(*cache));

	if (cache)
		cache->max_bytes = max_bytes;
	return cache;
}

static void slot_empty(struct process_cache *cache, struct slot *slot)
{
	cache->bytes -= slot->exe_len + slot->argv_len;
	free(slot->bytes);
	*slot = (struct slot){0};
}

void process_cache_close(struct process_cache *cache)
{
	if (!cache)
		return;
	for (size_t i = 0; i < SLOTS; i++)
		slot_empty(cache, &cache->slots[i]);
	free(cache);
}

static size_t set_of(struct process_key key)
{
	uint64_t hash = (key.start_ns ^ ((uint64_t)key.tgid << 40)) * 0x9e3779b97f4a7c15ULL;

	return (hash >> 54) * WAYS;
}

static bool slot_holds(const struct slot *slot, struct process_key key)
{
	return slot->age && slot->key.tgid == key.tgid && slot->key.exec_id == key.exec_id &&
	       slot->key.start_ns == key.start_ns;
}

/* The slot that holds key, else the oldest one of its set. */
static struct slot *slot_for(struct process_cache *cache, struct process_key key)
{
	struct slot *set = &cache->slots[set_of(key)], *oldest = set;

	for (int i = 0; i < WAYS; i++) {
		if (slot_holds(&set[i], key))
			return &set[i];
		if (set[i].age < oldest->age)
			oldest = &set[i];
	}
	return oldest;
}

void process_cache_put(struct process_cache *cache, struct process_key key, struct slice exe,
		       struct slice argv)
{
	struct slot *slot = slot_for(cache, key);
	char *bytes = malloc(exe.len + argv.len + 1);

	slot_empty(cache, slot);
	if (!bytes)
		return;
	if (exe.len)
		memcpy(bytes, exe.data, exe.len);
	if (argv.len)
		memcpy(bytes + exe.len, argv.data, argv.len);
	*slot = (struct slot){
		.key = key,
		.age = ++cache->clock,
		.exe_len = exe.len,
		.argv_len = argv.len,
		.exe_known = exe.data != NULL,
		.argv_known = argv.data != NULL,
		.bytes = bytes,
	};
	cache->bytes += exe.len + argv.len;
	while (cache->bytes > cache->max_bytes) {
		slot_empty(cache, &cache->slots[cache->hand]);
		cache->hand = (cache->hand + 1) % SLOTS;
	}
}

bool process_cache_get(const struct process_cache *cache, struct process_key key, struct slice *exe,
		       struct slice *argv)
{
	const struct slot *set = &cache->slots[set_of(key)];

	for (int i = 0; i < WAYS; i++) {
		if (!slot_holds(&set[i], key))
			continue;
		*exe = (struct slice){set[i].exe_known ? set[i].bytes : NULL, set[i].exe_len};
		*argv = (struct slice){set[i].argv_known ? set[i].bytes + set[i].exe_len : NULL,
				       set[i].argv_len};
		return true;
	}
	return false;
}
