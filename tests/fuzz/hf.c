/* A folder of a Hugging Face model: the input is its config.json, beside weights that are always the same.  What is
   accepted has sizes in their range, and what does not fit them is refused.
   Input: config.json. */
#include <math.h>
#include <stdbool.h>

#include "model/hf/source.h"
#include "tests/fuzz/fuzz.h"

enum { WIDTH = 4, VOCABULARY = 6 };

static void write_weights(void) {
    static bool is_written;
    static const float zeros[VOCABULARY * WIDTH];
    if (is_written) return;
    is_written = true;
    const ms_safetensor tensors[] = {{"model.embed_tokens.weight", "F32", 2, {VOCABULARY, WIDTH}, zeros, sizeof zeros},
                                     {"model.norm.weight", "F32", 1, {WIDTH}, zeros, WIDTH * sizeof *zeros},
                                     {"lm_head.weight", "F32", 2, {VOCABULARY, WIDTH}, zeros, sizeof zeros}};
    MS_FUZZ_CLAIM(ms_safetensors_write(ms_fuzz_path("model.safetensors"), tensors, 3, NULL, 0) == MS_OK);
}

static void check(const ms_hf_source *source) {
    enum { LARGEST = 1 << 24 };
    const ms_hf_description *d = ms_hf_source_description(source);
    const int64_t sizes[] = {d->layers, d->width, d->heads, d->kv_heads, d->head_size, d->feed_forward, d->vocabulary};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) MS_FUZZ_CLAIM(sizes[i] >= 1 && sizes[i] <= LARGEST);
    MS_FUZZ_CLAIM(d->positions >= 0 && d->window >= 0);
    MS_FUZZ_CLAIM(isfinite(d->norm_epsilon) && d->norm_epsilon > 0 && isfinite(d->rope_base) && d->rope_base > 0);
    ms_model_config model = {.layers = (int32_t)d->layers,
                             .width = (int32_t)d->width,
                             .vocabulary = (int32_t)d->vocabulary,
                             .tied_head = d->tied_head};
    static float out[VOCABULARY * WIDTH];
    const ms_safetensor wanted[] = {{"embedding.weight", "F32", 2, {d->vocabulary, d->width}, out, 0},
                                    {"final_norm.weight", "F32", 1, {d->width}, out, 0},
                                    {"head.weight", "F32", 2, {d->vocabulary, d->width}, out, 0}};
    ms_status status = ms_hf_source_fill(source, &model, wanted, d->tied_head ? 2 : 3);
    MS_FUZZ_CLAIM((status == MS_OK) == (d->vocabulary == VOCABULARY && d->width == WIDTH));
    if (status != MS_OK) ms_fuzz_refused(status);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes) {
    ms_hf_source *source;
    write_weights();
    (void)ms_fuzz_file("config.json", data, size_bytes);
    ms_status status = ms_hf_source_open(ms_fuzz_folder(), &source);
    if (status != MS_OK) {
        ms_fuzz_refused(status);
        return 0;
    }
    check(source);
    ms_hf_source_close(source);
    return 0;
}
