/* progress.json as it is, and again as what the command that goes on would have written, which mutations never hit.
   What is accepted is the same after it was written and read again. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "model/data/prepare_state.h"
#include "tests/fuzz/fuzz.h"

enum { N_TOKENS = 5 };

/* What a command with two files is made of. */
static json_t *make_identity(void) {
    json_t *identity = json_pack("{s:s, s:[{s:s, s:i, s:i}, {s:s, s:i, s:i}]}", "tokenizer", "0123", "files", "path",
                                 "a", "bytes", 9, "changed_ns", 1, "path", "b", "bytes", 9, "changed_ns", 1);
    MS_FUZZ_CLAIM(identity);
    return identity;
}

/* The only shard that a folder has: t_train_000000.bin, complete. */
static void write_shard(void) {
    uint8_t bytes[MS_SHARD_HEADER_BYTES + 2 * N_TOKENS] = {0};
    const int32_t header[] = {MS_SHARD_MAGIC, MS_SHARD_VERSION, N_TOKENS};
    memcpy(bytes, header, sizeof header);
    (void)ms_fuzz_file("t_train_000000.bin", bytes, sizeof bytes);
}

static ms_status restore(const json_t *identity, ms_sidecar *sidecar, ms_dataset_shards *shards,
                         ms_prepare_state *out) {
    *sidecar = (ms_sidecar){.vocab_size = 300};
    *shards = (ms_dataset_shards){.directory = ms_fuzz_folder(), .name = "t", .shard_tokens = 100, .sidecar = sidecar};
    ms_status status = ms_prepare_state_restore(identity, shards, out);
    if (status == MS_OK) return MS_OK;
    ms_fuzz_refused(status);
    ms_dataset_shards_abort(shards);
    ms_sidecar_finish(sidecar);
    return status;
}

static void check_same(const ms_prepare_state *a, const ms_prepare_state *b) {
    MS_FUZZ_CLAIM(a->i_file == b->i_file && a->is_amid == b->is_amid);
    MS_FUZZ_CLAIM(memcmp(&a->position, &b->position, sizeof a->position) == 0);
    MS_FUZZ_CLAIM(memcmp(&a->counts, &b->counts, sizeof a->counts) == 0);
    MS_FUZZ_CLAIM(a->n_documents_before == b->n_documents_before && a->n_read == b->n_read &&
                  a->n_read_before == b->n_read_before);
}

/* No number was changed by being read. */
static void check_numbers(const void *data, size_t size_bytes) {
    const char *key;
    json_t *value, *was = json_loadb(data, size_bytes, 0, NULL);
    json_t *is = json_load_file(ms_fuzz_path(MS_PREPARE_STATE_NAME), 0, NULL);
    MS_FUZZ_CLAIM(was && is);
    json_object_foreach(is, key, value)
        MS_FUZZ_CLAIM(!json_is_integer(value) || json_equal(value, json_object_get(was, key)));
    json_decref(is);
    json_decref(was);
}

static void read_progress(const void *data, size_t size_bytes, const json_t *identity) {
    ms_sidecar sidecar;
    ms_dataset_shards shards;
    ms_prepare_state state, again;
    write_shard();
    (void)ms_fuzz_file(MS_PREPARE_STATE_NAME, data, size_bytes);
    if (restore(identity, &sidecar, &shards, &state) != MS_OK) return;
    MS_FUZZ_CLAIM(state.i_file >= 0 && state.i_file <= 2);
    MS_FUZZ_CLAIM(ms_prepare_state_save(&state, identity, &shards) == MS_OK);
    check_numbers(data, size_bytes);
    ms_dataset_shards_abort(&shards);
    ms_sidecar_finish(&sidecar);
    MS_FUZZ_CLAIM(restore(identity, &sidecar, &shards, &again) == MS_OK);
    check_same(&state, &again);
    ms_dataset_shards_abort(&shards);
    ms_sidecar_finish(&sidecar);
}

/* The text with that identity, malloc'ed; NULL: not an object. */
static char *with_identity(const uint8_t *data, size_t size_bytes, json_t *identity) {
    json_t *root = json_loadb((const char *)data, size_bytes, JSON_REJECT_DUPLICATES, NULL);
    char *text = NULL;
    if (json_is_object(root) && json_object_set(root, "made_of", identity) == 0) text = json_dumps(root, 0);
    json_decref(root);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes) {
    json_t *identity = make_identity();
    read_progress(data, size_bytes, identity);
    char *text = with_identity(data, size_bytes, identity);
    if (text) read_progress(text, strlen(text), identity);
    free(text);
    json_decref(identity);
    return 0;
}
