/* A file of prompts, as text, JSONL or what its first line says: each prompt has a text that ends with a NUL, or ids.
   The first byte chooses how the rest is read. */
#include "cli/prompts.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes) {
    static const char *const formats[] = {"auto", "text", "jsonl"};
    if (size_bytes == 0) return 0;
    ms_prompts prompts = {0};
    const char *path = ms_fuzz_file(data[0] / 3 % 2 ? "a.jsonl" : "a.txt", data + 1, size_bytes - 1);
    ms_status status = ms_prompts_read(&prompts, path, formats[data[0] % 3], "prompt");
    if (status != MS_OK) ms_fuzz_refused(status);
    MS_FUZZ_CLAIM(status != MS_OK || prompts.n > 0);
    for (int64_t i = 0; i < prompts.n; i++) {
        const ms_text_prompt *prompt = &prompts.items[i];
        MS_FUZZ_CLAIM(*prompt->place && prompt->text[prompt->size_bytes] == '\0');
        MS_FUZZ_CLAIM(!prompt->ids == (prompt->n_ids == 0) && (!prompt->ids || prompt->size_bytes == 0));
        for (size_t k = 0; k < prompt->n_ids; k++) MS_FUZZ_CLAIM(prompt->ids[k] >= 0);
    }
    ms_prompts_finish(&prompts);
    return 0;
}
