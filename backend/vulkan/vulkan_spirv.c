#include "backend/vulkan/vulkan_spirv.h"

#include <string.h>

/* SPIR-V specification, sections 2.3 (physical layout), 3.6 (execution modes), 3.31 (capabilities), 3.37 (opcodes). */
enum { MAGIC = 0x07230203, HEADER_WORDS = 5, OP_ENTRY_POINT = 15, OP_EXECUTION_MODE = 16, OP_CAPABILITY = 17 };

typedef struct mode {
    uint32_t mode, capability;
} mode;

static const mode keep_special = {4461, 4466}, round_to_even = {4462, 4467}, keep_subnormals = {4459, 4464};

static int list_modes(ms_vulkan_float_modes wanted, mode *out) {
    int n = 0;
    if (wanted.keep_special) out[n++] = keep_special;
    if (wanted.round_to_even) out[n++] = round_to_even;
    if (wanted.keep_subnormals) out[n++] = keep_subnormals;
    return n;
}

/* The word after the only entry point, whose id is *out_entry; 0: none, or not SPIR-V. */
static size_t end_of_entry_point(const uint32_t *words, size_t n_words, uint32_t *out_entry) {
    if (n_words < HEADER_WORDS || words[0] != MAGIC) return 0;
    for (size_t at = HEADER_WORDS; at < n_words;) {
        size_t length = words[at] >> 16;
        if (length == 0 || length > n_words - at) return 0;
        if ((words[at] & 0xffffu) == OP_ENTRY_POINT && length >= 3) {
            *out_entry = words[at + 2];
            return at + length;
        }
        at += length;
    }
    return 0;
}

/* Capabilities come first, execution modes right after entry points. */
ms_status ms_vulkan_spirv_with_modes(const uint32_t *words, size_t n_words, ms_vulkan_float_modes modes, uint32_t *out,
                                     size_t *out_n_words) {
    mode list[3];
    int n_modes = list_modes(modes, list);
    uint32_t entry = 0;
    size_t end = end_of_entry_point(words, n_words, &entry), n = HEADER_WORDS;
    if (end == 0) return MS_FAIL(MS_INVALID, "vulkan: %zu words that are no shader with an entry point", n_words);
    memcpy(out, words, HEADER_WORDS * sizeof *out);
    for (int i = 0; i < n_modes; i++) {
        out[n++] = 2u << 16 | OP_CAPABILITY;
        out[n++] = list[i].capability;
    }
    memcpy(out + n, words + HEADER_WORDS, (end - HEADER_WORDS) * sizeof *out);
    n += end - HEADER_WORDS;
    for (int i = 0; i < n_modes; i++) {
        const uint32_t instruction[] = {4u << 16 | OP_EXECUTION_MODE, entry, list[i].mode, 32};
        memcpy(out + n, instruction, sizeof instruction);
        n += 4;
    }
    memcpy(out + n, words + end, (n_words - end) * sizeof *out);
    *out_n_words = n + n_words - end;
    return MS_OK;
}
