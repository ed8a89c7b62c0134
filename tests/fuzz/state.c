/* state.json as it is, and again with the hash that belongs to it, which mutations never hit.  What is accepted is the
   same after it was written and read again. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "model/checkpoint/checkpoint_state.h"
#include "platform/sha256.h"
#include "tests/fuzz/fuzz.h"

static void check_again(const ms_checkpoint_state *state) {
    const char *path = ms_fuzz_path("again.json");
    ms_checkpoint_state again;
    ms_writer writer;
    MS_FUZZ_CLAIM(ms_writer_open(path, &writer) == MS_OK);
    MS_FUZZ_CLAIM(ms_checkpoint_state_write(&writer, &state->info, state->files) == MS_OK);
    MS_FUZZ_CLAIM(ms_writer_commit(&writer) == MS_OK);
    MS_FUZZ_CLAIM(ms_checkpoint_state_read(path, &again) == MS_OK);
    MS_FUZZ_CLAIM(again.info.step == state->info.step && again.info.n_entries == state->info.n_entries);
    MS_FUZZ_CLAIM(memcmp(again.files, state->files, sizeof again.files) == 0);
    ms_checkpoint_state_finish(&again);
}

static void read_state(const void *data, size_t size_bytes) {
    ms_checkpoint_state state;
    ms_status status = ms_checkpoint_state_read(ms_fuzz_file("state.json", data, size_bytes), &state);
    if (status != MS_OK) {
        ms_fuzz_refused(status);
        return;
    }
    check_again(&state);
    ms_checkpoint_state_finish(&state);
}

/* The text with the right hash, malloc'ed; NULL: not an object. */
static char *with_hash(const uint8_t *data, size_t size_bytes) {
    json_t *root = json_loadb((const char *)data, size_bytes, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(root)) {
        json_decref(root);
        return NULL;
    }
    json_object_del(root, "state_sha256");
    char hash[65], *text = json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS);
    if (text) {
        MS_FUZZ_CLAIM(ms_sha256_bytes(text, strlen(text), hash) == MS_OK);
        free(text);
        json_object_set_new(root, "state_sha256", json_string(hash));
        text = json_dumps(root, 0);
    }
    json_decref(root);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes) {
    read_state(data, size_bytes);
    char *text = with_hash(data, size_bytes);
    if (text) read_state(text, strlen(text));
    free(text);
    return 0;
}
